"""Env files with JSON that loses its quotes."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM041",
    kind=Kind.ENV_FILE,
    title="JSON in an env file stands without single quotes",
    why=(
        "The old programs remove the double quotes, find no JSON, and end with a panic. nymproxy "
        "reads it as it was meant."
    ),
    next='Put the value between single quotes: `NYM_APIS=\'[{"url":"..."}]\'`.',
    example_before='NYM_APIS=[{"url":"http://127.0.0.1:8000/api/"}]',
)
