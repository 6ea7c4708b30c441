"""The gateway that a command asks for."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

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
