"""Choice between identities of their own and shared ones."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

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
)
