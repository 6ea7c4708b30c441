"""Python calls that start an old proxy, with a command that nobody can read there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule
from nymproxy_migrate.rules._started import unreadable_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.judged import OldInvocation, UnreadableCommand
    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.rules._started import Started

RULE = Rule(
    code="NYM031",
    kind=Kind.PYTHON_CALL,
    title="a Python call starts an old proxy in a way that cannot be rewritten",
    why=(
        "The program's name or its arguments are put together when the program runs, so no edit "
        "of one place is sure to be right."
    ),
    next=(
        "Write the new command by hand: `nymproxy client ...` or `nymproxy server "
        "--accept legacy,stream ...` with the same flags."
    ),
    example_before='subprocess.Popen(f"{BIN}/nym-proxy-client -s {address}", shell=True)',
)


def find(started: Started) -> Iterator[Finding]:
    """Yield a call whose arguments are known, but cannot be written."""
    if started.in_python and started.new is None:
        yield from started.becomes(RULE)


def unreadable(judged: OldInvocation | UnreadableCommand, source: SourceFile) -> Finding:
    """Return what cannot be read of a call."""
    return RULE.finding(source, judged.command.span, unreadable_part(judged))
