"""Connections in Python to the port where an old client listens by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from nymproxy_migrate.formats.python_source import parse
from nymproxy_migrate.formats.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nymproxy_migrate.formats.python_source import PythonFile
    from nymproxy_migrate.model import SourceFile, Span

DEFAULT_PORT = "8080"
_HOSTS = frozenset({b"127.0.0.1", b"localhost"})
_METHODS = frozenset({"connect", "connect_ex"})
_TAKES_PAIR = frozenset({"socket.create_connection"})
_TAKES_BOTH = frozenset(
    {"asyncio.open_connection", "anyio.connect_tcp", "trio.open_tcp_stream", "telnetlib.Telnet"}
)


def find(source: SourceFile) -> Iterator[tuple[Span, str]]:
    """Yield each connection with the function that makes it.

    Raises:
        Unparsable: the file is not Python 3.
    """
    file = parse(Text.whole(source.data))
    for call in file.calls:
        function = file.names.dotted(call.scope, call.node.func)
        values = _host_and_port(file, call.node, function)
        if len(values) < 2:
            continue
        host, port = file.string(values[0]), values[1]
        if isinstance(port, cst.Name):
            port = file.names.value(call.scope, port.value) or port
        is_port = isinstance(port, cst.Integer) and port.value == DEFAULT_PORT
        if host is not None and host.text.data in _HOSTS and is_port:
            yield file.span(call.node), function or "a socket"


def _host_and_port(file: PythonFile, call: cst.Call, function: str) -> Sequence[cst.BaseExpression]:
    """Return the arguments of a call that connects, starting with host and port."""
    values = [argument.value for argument in call.args]
    connects = isinstance(call.func, cst.Attribute) and call.func.attr.value in _METHODS
    if function in _TAKES_PAIR or (connects and "socket" in file.names.modules):
        pair = values[0] if values else None
        return [each.value for each in pair.elements] if isinstance(pair, cst.Tuple) else ()
    return values if function in _TAKES_BOTH else ()
