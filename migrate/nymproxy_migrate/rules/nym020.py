"""Go programs that use the old proxies over the bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.go import Call
    from nymproxy_migrate.model import Finding, SourceFile

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

_FORMS = {
    "NewProxyClient": {5: "the form without a pool", 6: "the form with a pool"},
    "NewProxyClientDefault": {2: "127.0.0.1:8080, 60 seconds"},
    "NewProxyServer": {3: "the form without a gateway", 4: "the form with a gateway"},
    "RunProxyClient": {0: "it cannot be stopped"},
    "RunProxyServer": {0: "it cannot be stopped"},
    "ProxyServerAddress": {0: "it blocks once the server runs"},
}


def find(call: Call, source: SourceFile) -> Iterator[Finding]:
    """Yield what a use of the bindings is."""
    if call.arguments is None:
        message = f"{call.name} of the bindings is passed on as a function"
    else:
        form = _FORMS[call.name].get(len(call.arguments))
        form = form or "no published version takes so many arguments"
        message = f"{call.name} of the bindings is called ({form})"
    yield RULE.finding(source, call.span, message)
