"""Rust programs that build on the messages and buffers of the old protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.rust import RustFile
    from nymproxy_migrate.model import Finding

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

_UTILITIES = ("DecayWrapper", "MessageBuffer", "Payload", "ProxiedMessage")


def find(file: RustFile) -> Iterator[Finding]:
    """Yield each of the types once, at its first use."""
    for name in _UTILITIES:
        places = sorted(use.span for use in file.uses if use.known.name == name)
        if places:
            often = f" ({len(places)} places)" if len(places) > 1 else ""
            message = f"{name} of the old protocol is used directly{often}"
            yield RULE.finding(file.source, places[0], message)
