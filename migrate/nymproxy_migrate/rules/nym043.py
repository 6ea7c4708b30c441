"""The marker that keeps env files from being loaded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind, Span
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.env_files import EnvFile
    from nymproxy_migrate.model import Finding, SourceFile

RULE = Rule(
    code="NYM043",
    kind=Kind.ENV_FILE,
    title="CONFIGURED is set",
    why=(
        "With CONFIGURED in the environment, whatever its value, the old programs and nymproxy do "
        "not load the file of --env-path, and use the variables of the environment as they are."
    ),
    next=(
        "Leave CONFIGURED out of the environment. A file that sets it belongs to --env-path, not "
        "into `EnvironmentFile=` or `env_file:`."
    ),
    example_before="[Service]\nEnvironment=CONFIGURED=1\nExecStart=nym-proxy-client -e local.env",
)

_ENVIRONMENT = re.compile(
    rb"(?m)^[ \t]*(?:export[ \t]+|ENV[ \t]+|Environment[ \t]*=[ \t]*[\"']?|-[ \t]+[\"']?)?"
    rb"(CONFIGURED)[ \t]*[=:]"
)


def find(file: EnvFile) -> Iterator[Finding]:
    """Yield where an env file sets it, which is right as long as it is one."""
    message = "this file sets CONFIGURED, which is right for --env-path only"
    for key, span in file.settings:
        if key == "CONFIGURED":
            yield RULE.finding(file.source, span, message, action=Action.INFO, needs_human=False)


def places(source: SourceFile) -> list[Span]:
    """Return where a file that is no env file sets it in an environment."""
    return [Span(*match.span(1)) for match in _ENVIRONMENT.finditer(source.data)]


def in_environment(source: SourceFile, place: Span) -> Finding:
    """Return what it does in the environment of a proxy."""
    message = "CONFIGURED is in the environment of a proxy, so its --env-path is not loaded"
    return RULE.finding(source, place, message)
