"""The effective config directory of a server command."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM050",
    kind=Kind.CONFIG_DIR,
    title="the directory that holds the server's Nym address",
    why=(
        "The keys in this directory are the server's Nym address. The old binary appended "
        "`--config-dir` to $HOME as text; the message names the directory that it really used."
    ),
    next="Keep the directory, and back it up before the first start of the new command.",
    example_before="nym-proxy-server -u 127.0.0.1:22 -c /srv/nym",
    action=Action.INFO,
    needs_human=False,
)
