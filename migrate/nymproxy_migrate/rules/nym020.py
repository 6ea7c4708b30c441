"""Go programs that use the old proxies over the bindings."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM020",
    kind=Kind.GO_FFI,
    title="the old proxies are used from Go",
    why=(
        "The bindings hold one proxy client and one server per process, cannot stop them, and "
        "have no streams: a Go program cannot move to streams by itself."
    ),
    next=(
        "Run the proxy as a program of its own beside this one: `nymproxy-migrate sidecar` "
        "prints the unit or service to add. Sockets to the local port stay as they are."
    ),
    example_before='bindings.NewProxyClient(address, "127.0.0.1", "8080", 60, nil, 2)',
)
