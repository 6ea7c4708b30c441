"""A proxy beside a program that cannot use streams itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.go import Call
    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.sidecar import Sidecar

RULE = Rule(
    code="NYM021",
    kind=Kind.GO_FFI,
    title="a sidecar can replace the calls",
    why=(
        "With the proxy in a process of its own the program keeps its sockets, and the proxy "
        "can be stopped, updated and moved to streams without it."
    ),
    next=(
        "Print the file to add with `nymproxy-migrate sidecar PATH` (a systemd unit) or "
        "`nymproxy-migrate sidecar --format compose PATH`, and remove the calls."
    ),
    example_before='bindings.NewProxyServer("127.0.0.1:3000", "/srv/nym", nil, nil)',
    action=Action.INFO,
    needs_human=False,
)


def find(call: Call, source: SourceFile, proposed: Sidecar) -> Iterator[Finding]:
    """Yield the command of a proxy beside the program."""
    message = f"a proxy beside the program can take its place: {proposed.command()}"
    if proposed.variables:
        message += f" (to be set: {', '.join(proposed.variables)})"
    yield RULE.finding(source, call.span, message)
