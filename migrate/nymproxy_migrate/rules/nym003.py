"""Commands whose arguments the old parser (clap 4) rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule
from nymproxy_migrate.rules._started import kind_of

if TYPE_CHECKING:
    from nymproxy_migrate.judged import OldInvocation
    from nymproxy_migrate.model import Finding, SourceFile

RULE = Rule(
    code="NYM003",
    kind=Kind.COMMAND_CLIENT,
    title="the old program would refuse this command",
    why=(
        "The command never worked, or does not any more: the old parser rejects a flag given "
        "twice, an unknown flag, a missing value or a positional argument."
    ),
    next="Correct the command by hand, then scan again.",
    example_before="nym-proxy-client -s ADDRESS --listen-port 1 --listen-port 2",
)


def refused(invocation: OldInvocation, source: SourceFile) -> Finding:
    """Return why the old parser refuses a command."""
    message = f"the old {invocation.role} would refuse this: {'; '.join(invocation.refusals)}"
    return RULE.finding(source, invocation.command.span, message, kind=kind_of(invocation))
