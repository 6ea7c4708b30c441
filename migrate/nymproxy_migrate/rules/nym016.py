"""Rust clients that use messages and streams at once."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM016",
    kind=Kind.RUST_API,
    title="a message-mode call on a client in stream mode",
    why=(
        "The first open_stream() or listener() takes over all that the client receives. From "
        "then on sending messages fails with StreamModeActive, and waiting for messages ends "
        "at once."
    ),
    next="Use a second client for messages, or send them over a stream.",
    example_before=(
        "let mut listener = client.listener()?;\n"
        'client.send_plain_message(address, "hello").await?;'
    ),
)
