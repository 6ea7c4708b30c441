"""Commands that start the old client become ``nymproxy client``."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM001",
    kind=Kind.COMMAND_CLIENT,
    title="an old proxy client is started here",
    why=(
        "The standalone client has no successor binary; `nymproxy client` takes the same flags, "
        "speaks to old servers with `--wire legacy`, and does not lose the end of uploads."
    ),
    next=(
        "Apply it with `nymproxy-migrate rewrite --write`; install nymproxy where the command runs."
    ),
    example_before="nym-proxy-client --server-address ADDRESS --listen-port 8080",
    example_after="nymproxy client --wire legacy --server-address ADDRESS --listen-port 8080",
    safety=Safety.SAFE,
    action=Action.REWRITE,
    needs_human=False,
)
