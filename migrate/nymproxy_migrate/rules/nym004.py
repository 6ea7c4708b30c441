"""Commands whose name or arguments are only known when they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule
from nymproxy_migrate.rules._started import kind_of, unreadable_part

if TYPE_CHECKING:
    from nymproxy_migrate.judged import OldInvocation, UnreadableCommand
    from nymproxy_migrate.model import Finding, SourceFile

RULE = Rule(
    code="NYM004",
    kind=Kind.COMMAND_CLIENT,
    title="an old command that cannot be read here",
    why=(
        "The program or its arguments come from a variable, eval or template, so a rewrite would "
        "be a guess."
    ),
    next=(
        "Find where the value is set and change it there to `nymproxy client` or `nymproxy server`."
    ),
    example_before='BIN=/opt/nym/nym-proxy-client\n"$BIN" -s ADDRESS',
)


def find(judged: OldInvocation | UnreadableCommand, source: SourceFile) -> Finding:
    """Return what cannot be read of a command."""
    message = unreadable_part(judged)
    return RULE.finding(source, judged.command.span, message, kind=kind_of(judged))
