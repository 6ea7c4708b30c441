"""Env files that the old programs and nymproxy refuse."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM042",
    kind=Kind.ENV_FILE,
    title="a malformed env file",
    why=(
        "One malformed line ends the old programs with a panic, and nymproxy refuses the file with "
        "the same rules."
    ),
    next="Repair the line that the message names.",
    example_before="NYM_API=http://127.0.0.1:8000/api/ and more",
)
