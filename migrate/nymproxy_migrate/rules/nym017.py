"""Rust programs that reach into the old server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.rust import RustFile
    from nymproxy_migrate.model import Finding

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

_INTERNALS = frozenset({"tx", "rx", "mixnet_client_sender", "session_map", "mixnet_client_mut"})
_UNMISTAKABLE = _INTERNALS - {"tx", "rx"}
_PROXIES = frozenset({"NymProxyClient", "NymProxyServer"})


def find(file: RustFile) -> Iterator[Finding]:
    """Yield the calls that hand out an internal."""
    has_proxy = any(use.known.name in _PROXIES for use in file.uses)
    for call in file.calls:
        if call.method not in _INTERNALS:
            continue
        guessed = has_proxy and call.type_name is None and call.method in _UNMISTAKABLE
        if call.type_name in _PROXIES or guessed:
            message = f"{call.method}() hands out an internal of the old server"
            yield RULE.finding(file.source, call.span, message)
