"""The effective config directory of a server command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.judged import Role
from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.rules._started import Started

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


def find(started: Started) -> Iterator[Finding]:
    """Yield which directory an old server really uses."""
    invocation = started.invocation
    decided = started.options.decisions.get("NYM062") == "as-written"
    if invocation.role is Role.SERVER and started.directory is not None and not decided:
        message = f"the server's keys, and so its Nym address, are in {started.directory}"
        yield RULE.finding(started.source, started.span_of("config-dir"), message)
