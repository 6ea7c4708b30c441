"""Commands that start the old server become ``nymproxy server``."""

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
    code="NYM002",
    kind=Kind.COMMAND_SERVER,
    title="an old proxy server is started here",
    why=(
        "`nymproxy server` serves old and new clients at the same Nym address, so clients can "
        "move one by one. The old binary glued its config directory to $HOME; with "
        "`--compat-config-dir` the new one does, too, and refuses to start without the old keys."
    ),
    next="Apply it with `nymproxy-migrate rewrite --write`; migrate servers before their clients.",
    example_before="nym-proxy-server -u 127.0.0.1:22 -c /srv/nym",
    example_after=(
        "nymproxy server --accept legacy,stream --compat-config-dir -u 127.0.0.1:22 -c /srv/nym"
    ),
    safety=Safety.SAFE,
    action=Action.REWRITE,
    needs_human=False,
)


def find(started: Started) -> Iterator[Finding]:
    """Yield what becomes of an old server."""
    if started.invocation.role is Role.SERVER and not started.in_python:
        yield from started.becomes(RULE)
