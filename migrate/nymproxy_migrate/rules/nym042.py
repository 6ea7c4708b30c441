"""Env files that the old programs and nymproxy refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.env_files import EnvFile
    from nymproxy_migrate.model import Finding

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


def find(file: EnvFile) -> Iterator[Finding]:
    """Yield the line that the old programs refuse."""
    if file.problem is not None:
        span, reason = file.problem
        yield RULE.finding(file.source, span, f"the old programs refuse this file: {reason}")
