"""Rust programs that build on the messages and buffers of the old protocol."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM012",
    kind=Kind.RUST_API,
    title="messages or buffers of the old protocol are used directly",
    why=(
        "These types are the wire format of the old protocol and its reorder buffer, which "
        "gives up on a missing message after 7 seconds. Streams need neither: they carry "
        "bytes in order."
    ),
    next=(
        "Replace the protocol by streams (`open_stream`, `listener`) on both ends at once; "
        "nothing here can be rewritten by a tool."
    ),
    example_before=(
        "use nym_sdk::tcp_proxy::utils::{MessageBuffer, Payload, ProxiedMessage};\n"
        "let message = ProxiedMessage::new(Payload::Data(bytes), session, 1);"
    ),
)
