"""Choice between identities of their own and shared ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.judged import Role
from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.rules._started import Started

RULE = Rule(
    code="NYM060",
    kind=Kind.LINKABILITY,
    title="which connections the server can link",
    why=(
        "In the old proxy each TCP connection has an identity of its own. With one shared client "
        "all connections to a server are linkable by that server, and all of the client's "
        "traffic shares one gateway; with a pool, connections that reuse an identity are."
    ),
    next=(
        "Keep `per-connection` (the default), or choose with `--decide NYM060=shared` or "
        "`--decide NYM060=pool`."
    ),
    example_before="nym-proxy-client -s ADDRESS --client-pool-reserve 4",
    safety=Safety.DECISION,
    action=Action.INFO,
    needs_human=False,
    choices=("per-connection", "pool", "shared"),
)


def find(started: Started) -> Iterator[Finding]:
    """Yield which connections of a client a server can link, where a command chooses."""
    mode = started.options.decisions.get(RULE.code, "per-connection")
    pool = started.invocation.flag("client-pool-reserve")
    if started.invocation.role is not Role.CLIENT or (pool is None and mode == "per-connection"):
        return
    message = (
        "each connection keeps an identity of its own"
        if mode == "per-connection"
        else f"by your decision the identities are {mode}: the server can link connections"
    )
    span = started.span_of("client-pool-reserve")
    yield RULE.finding(started.source, span, message)
