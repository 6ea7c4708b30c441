"""Clients whose server is not known to speak streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.rules._started import Started
    from nymproxy_migrate.words import Command

RULE = Rule(
    code="NYM063",
    kind=Kind.COMMAND_CLIENT,
    title="whether the client's server speaks streams",
    why=(
        "An old server does not understand streams, and the client would reach nobody. Only the "
        "address tells which server it is: here it is not the one of a server that these files "
        "start with a config directory on this machine."
    ),
    next=(
        "Name the address of a server that has been migrated with `--stream-server ADDRESS`; or, "
        "if that is so for all clients here, `--decide NYM063=stream`. `--decide NYM063=auto` "
        "leaves it to them: the first connection is in the old protocol, which works with either, "
        "and the server shows in it whether it accepts streams."
    ),
    example_before='nymproxy client -s "$SERVER"',
    example_after='nymproxy client --wire stream -s "$SERVER"',
    safety=Safety.DECISION,
    choices=("auto", "stream"),
)

_MESSAGE = "its server is not known to speak stream: the client finds out by itself"


def find(started: Started) -> Iterator[Finding]:
    """Yield the decision about an old client."""
    if started.options.to == "stream" and started.new is not None and started.new.wire == "auto":
        yield undecided(started.invocation.command, started.source, started.options)


def undecided(command: Command, source: SourceFile, options: ScanOptions) -> Finding:
    """Return the decision about a client, or that it has been taken."""
    decided = RULE.code in options.decisions
    return RULE.finding(
        source,
        command.span,
        _MESSAGE,
        action=Action.INFO if decided else None,
        needs_human=False if decided else None,
    )
