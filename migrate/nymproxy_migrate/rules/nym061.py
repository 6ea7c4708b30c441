"""The gateway that a command asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.rules._started import Started

RULE = Rule(
    code="NYM061",
    kind=Kind.LINKABILITY,
    title="which gateway carries the traffic",
    why=(
        "The gateway sees when a client or server is online. The rewritten command keeps the "
        "gateway; another one would change the Nym address."
    ),
    next="Nothing, to keep it.",
    example_before="nym-proxy-server -u 127.0.0.1:22 -g GATEWAY",
    safety=Safety.DECISION,
    action=Action.INFO,
    needs_human=False,
)


def find(started: Started) -> Iterator[Finding]:
    """Yield the gateway that a server asks for."""
    gateway = started.invocation.flag("gateway")
    if gateway is not None:
        message = "the server asks for a gateway of its own; the new command keeps it"
        yield RULE.finding(started.source, gateway.flag_word.span, message)
