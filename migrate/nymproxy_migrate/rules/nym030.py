"""Python calls that start an old proxy, with a command that can be rewritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind, Safety
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.rules._started import Started

RULE = Rule(
    code="NYM030",
    kind=Kind.PYTHON_CALL,
    title="a Python call starts an old proxy",
    why=(
        "The standalone programs have no successor binary; `nymproxy client` and `nymproxy "
        "server` take the same flags and speak to old peers, too."
    ),
    next=(
        "Apply it with `nymproxy-migrate rewrite --write`; install nymproxy where the program "
        "runs. Python can also do without a second process: `nymproxy.MixnetClient`."
    ),
    example_before='subprocess.Popen(["nym-proxy-client", "-s", address])',
    example_after=('subprocess.Popen(["nymproxy", "client", "-s", address])'),
    safety=Safety.SAFE,
    action=Action.REWRITE,
    needs_human=False,
)


def find(started: Started) -> Iterator[Finding]:
    """Yield what becomes of a call."""
    if started.in_python and started.new is not None:
        yield from started.becomes(RULE)
