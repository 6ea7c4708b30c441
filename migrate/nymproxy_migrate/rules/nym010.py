"""Rust programs that make the old proxy client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules import _constructors
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.rust import RustFile
    from nymproxy_migrate.model import Finding

RULE = Rule(
    code="NYM010",
    kind=Kind.RUST_API,
    title="the old proxy client is made in Rust",
    why=(
        "The tcp_proxy module of nym-sdk is deprecated: it delays the first bytes by 7 "
        "seconds, may lose data at the end, and skips lost messages silently. Its messages "
        "are not understood by a Stream peer."
    ),
    next=(
        "Run `nymproxy-migrate rewrite --rust-suggest DIR` for a patch and a module that keeps "
        "the old constructors on top of streams (its server must speak stream by then); or run "
        "`nymproxy client` beside the program: `nymproxy-migrate sidecar` prints the unit."
    ),
    example_before=(
        "use nym_sdk::tcp_proxy::NymProxyClient;\n"
        'NymProxyClient::new(address, "127.0.0.1", "8080", 60, None, 2).await?;'
    ),
    example_after=(
        "use crate::nymproxy_compat::NymProxyClient;\n"
        'NymProxyClient::new(address, "127.0.0.1", "8080", 60, None, 2).await?;'
    ),
)


def find(file: RustFile) -> Iterator[Finding]:
    """Yield where a client is made, given out or exported."""
    for span, message in _constructors.find(file, "NymProxyClient"):
        yield RULE.finding(file.source, span, message)
