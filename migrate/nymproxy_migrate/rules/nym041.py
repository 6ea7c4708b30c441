"""Env files with JSON that loses its quotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.env_files import EnvFile
    from nymproxy_migrate.model import Finding

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

_KEYS = frozenset({"NYM_APIS", "NYM_VPN_APIS"})


def find(file: EnvFile) -> Iterator[Finding]:
    """Yield the settings to which this happens."""
    for span, message in file.warned_of("unquoted-json", _KEYS):
        yield RULE.finding(file.source, span, message)
