"""Rust programs that make the old proxy server."""

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
    code="NYM011",
    kind=Kind.RUST_API,
    title="the old proxy server is made in Rust",
    why=(
        "The tcp_proxy module of nym-sdk is deprecated. A Rust process serves either the old "
        "protocol or streams, so its clients have to follow at the same time; `nymproxy "
        "server` serves both at one Nym address."
    ),
    next=(
        "Run `nymproxy-migrate rewrite --rust-suggest DIR` for a patch and a module that keeps "
        "the old constructors on top of streams; or run `nymproxy server` with the same config "
        "directory, which keeps the Nym address: `nymproxy-migrate sidecar` prints the unit."
    ),
    example_before=(
        "use nym_sdk::tcp_proxy::NymProxyServer;\n"
        'NymProxyServer::new("127.0.0.1:3000", "/srv/nym", None, None).await?;'
    ),
    example_after=(
        "use crate::nymproxy_compat::NymProxyServer;\n"
        'NymProxyServer::new("127.0.0.1:3000", "/srv/nym", None, None).await?;'
    ),
)


def find(file: RustFile) -> Iterator[Finding]:
    """Yield where a server is made, given out or exported."""
    for span, message in _constructors.find(file, "NymProxyServer"):
        yield RULE.finding(file.source, span, message)
