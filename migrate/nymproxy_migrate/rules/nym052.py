"""Directories with the keys of an old server."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM052",
    kind=Kind.CONFIG_DIR,
    title="a config directory, with its Nym address",
    why=(
        "Clients know the server by this address. `nymproxy server` keeps it when it is started "
        "on the same directory; nothing in there is ever rewritten by this tool."
    ),
    next=(
        "Start `nymproxy server` with `--config-dir` naming this directory, with the old server "
        "stopped. `nymproxy address DIRECTORY` prints the address."
    ),
    example_before="tmp/nym-tcp-proxy-server/public_identity.pem",
    action=Action.INFO,
    needs_human=False,
)
