"""Cargo manifests that take the old proxies from git."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM015",
    kind=Kind.RUST_API,
    title="the old proxies or nym-sdk come from git",
    why=(
        "standalone-tcp-proxies holds nothing but the old proxies. A git dependency on "
        "nymtech/nym follows a branch where the tcp_proxy module can go away with any update."
    ),
    next=(
        "Remove the dependency on standalone-tcp-proxies; replace the one on nymtech/nym by a "
        'release from crates.io: `nym-sdk = "1.21.6"`.'
    ),
    example_before=(
        '[dependencies]\nnym-sdk = { git = "https://github.com/nymtech/nym", branch = "master" }'
    ),
)
