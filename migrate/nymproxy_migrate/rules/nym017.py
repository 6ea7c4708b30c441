"""Rust programs that reach into the old server."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM017",
    kind=Kind.RUST_API,
    title="internals of the old server are used",
    why=(
        "tx(), rx(), mixnet_client_sender(), mixnet_client_mut() and session_map() show how "
        "the old server works inside. A stream server has nothing like them, and "
        "session_map() was always empty."
    ),
    next=(
        "Use a client and streams of your own (`listener()`, `open_stream`); count sessions "
        "where you accept them."
    ),
    example_before="let sender = server.mixnet_client_sender();",
)
