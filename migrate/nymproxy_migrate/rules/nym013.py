"""Rust programs with a pool of mixnet clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Evidence, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.rust import RustFile
    from nymproxy_migrate.model import Finding

RULE = Rule(
    code="NYM013",
    kind=Kind.RUST_API,
    title="a pool of mixnet clients",
    why=(
        "Each client of a pool is an identity of its own, so that a server cannot link "
        "connections. One client with many streams is cheaper, but everything it opens is "
        "linkable by the server."
    ),
    next=(
        "Decide: keep the pool, which still works and is not deprecated, with one stream on "
        "each client; or open all streams on one client where linking does no harm."
    ),
    example_before="let pool = nym_sdk::client_pool::ClientPool::new(4);",
)


def find(file: RustFile) -> Iterator[Finding]:
    """Yield where a pool is made."""
    for use in file.uses:
        if use.known.name == "ClientPool" and use.known.rest == ("new",):
            size = f" of {use.arguments[0]}" if use.arguments else ""
            message = f"a ClientPool{size} is made here: each client is another identity"
            yield RULE.finding(file.source, use.span, message, needs=Evidence.PROXY)
