"""Commands whose arguments the old parser (clap 4) rejects."""

from __future__ import annotations

import re
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

_COMMENT = re.compile(rb"(?:#|//)[^\n]*")
_HAS_NAMES = re.compile(rb"[A-Za-z]")
"""What stands between two places, such as ``command:``, and not between words of one."""


def refused(invocation: OldInvocation, source: SourceFile) -> Finding:
    """Return why the old parser refuses a command, and where its arguments stand."""
    message = f"the old {invocation.role} would refuse this: {'; '.join(invocation.refusals)}"
    words = invocation.command.words
    end = invocation.program[-1].span.end
    arguments = next((each for each in words if each.span.start >= end), None)
    if arguments is not None and _HAS_NAMES.search(
        _COMMENT.sub(b"", source.data[end : arguments.span.start])
    ):
        program, first = (source.position(each.span.start)[0] for each in (words[0], arguments))
        message += f"; its program stands in line {program}, its arguments in line {first}"
    return RULE.finding(source, invocation.command.span, message, kind=kind_of(invocation))
