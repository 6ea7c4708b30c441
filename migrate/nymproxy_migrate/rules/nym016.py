"""Rust clients that use messages and streams at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.rust import Call, RustFile
    from nymproxy_migrate.model import Finding

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

_STREAM_CALLS = frozenset({"open_stream", "listener"})
_MESSAGE_CALLS = frozenset(
    {"send_plain_message", "send_message", "send_reply", "send", "wait_for_messages"}
    | {"on_messages", "next", "split_sender"}
)
_GENERIC_CALLS = frozenset({"send", "next", "split_sender", "listener"})
"""Of these the receiver must be known: many other types have them."""


def find(file: RustFile) -> Iterator[Finding]:
    """Yield message calls on clients that have opened or accepted streams by then."""
    started: dict[tuple[int, str], int] = {}
    for call in file.calls:
        if call.method in _STREAM_CALLS and _may_be_mixnet(call) and call.key is not None:
            at = -1 if call.key[0] == -1 else call.span.start
            started[call.key] = min(at, started.get(call.key, at))
    for call in file.calls:
        if call.method not in _MESSAGE_CALLS:
            continue
        after = call.key is not None and call.key in started and _may_be_mixnet(call)
        if call.of_proxy or (after and call.key and started[call.key] < call.span.start):
            why = "the proxy's own client" if call.of_proxy else "a client that is in stream mode"
            message = f"{call.method}() is a message-mode call on {why}"
            yield RULE.finding(file.source, call.span, message)


def _may_be_mixnet(call: Call) -> bool:
    if call.type_name is None:
        return call.method not in _GENERIC_CALLS
    return call.type_name == "MixnetClient"
