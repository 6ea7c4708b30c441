"""TCP sockets joined to channels: one forwarder for both protocols and for the commands."""

from __future__ import annotations

from nymproxy.forward.forwarder import (
    ByteChannel,
    ForwardEnd,
    Forwarding,
    ForwardResult,
    forward,
)
from nymproxy.forward.listener import TcpListener
from nymproxy.forward.sockets import (
    TcpEndpoint,
    connect_upstream,
    parse_port,
    reset_stream,
)

__all__ = [
    "ByteChannel",
    "ForwardEnd",
    "ForwardResult",
    "Forwarding",
    "TcpEndpoint",
    "TcpListener",
    "connect_upstream",
    "forward",
    "parse_port",
    "reset_stream",
]
