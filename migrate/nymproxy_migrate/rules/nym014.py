"""Cargo manifests that depend on nym-sdk."""

from __future__ import annotations

from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM014",
    kind=Kind.RUST_API,
    title="nym-sdk is a dependency",
    why=(
        "nym-sdk holds the deprecated tcp_proxy module and the Stream module, so the "
        "dependency itself can stay. Streams came with 1.21; an older version has to be "
        "raised."
    ),
    next=(
        "Keep it at 1.21.6 or newer for streams; see the findings in the sources (NYM010 to "
        "NYM017) for what uses the old module."
    ),
    example_before='[dependencies]\nnym-sdk = "1.21.6"',
    action=Action.INFO,
    needs_human=False,
)
