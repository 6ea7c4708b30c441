"""TCP and Unix connections: connecting to an upstream, reading on demand, resetting, closing."""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute

from nymproxy.errors import StreamRefused
from nymproxy.forward.endpoint import UnixEndpoint

if TYPE_CHECKING:
    from anyio.abc import ByteStream, SocketStream

    from nymproxy.forward.endpoint import Endpoint

CONNECT_SECONDS = 30.0
"""Default limit for resolving and connecting to an upstream, all its addresses together."""
_LINGER_ZERO = struct.pack("ii", 1, 0)
_NO_LINGER = struct.pack("ii", 0, 0)


async def connect_upstream(endpoint: Endpoint, *, timeout: float = CONNECT_SECONDS) -> SocketStream:
    """Connect to an upstream, trying all its addresses (happy eyeballs).

    Raises:
        StreamRefused: it does not resolve, refuses, or does not answer in ``timeout`` seconds.
    """
    try:
        with anyio.fail_after(timeout):
            if isinstance(endpoint, UnixEndpoint):
                return await anyio.connect_unix(endpoint.path)
            return await anyio.connect_tcp(endpoint.host, endpoint.port)
    except TimeoutError as error:
        raise StreamRefused(f"the upstream {endpoint} did not answer in {timeout:g} s") from error
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that IDNA cannot encode
        raise StreamRefused(f"the upstream {endpoint} cannot be reached: {error}") from error


def read_on_demand(stream: SocketStream) -> None:
    """Make an accepted stream read its socket only while ``receive`` waits.

    anyio 4.16 does so for streams that it connected; on asyncio those that it accepted read all
    that comes into memory, until a ``receive`` has had to wait, which may be never.
    """
    transport = getattr(stream, "_transport", None)  # trio streams have none, and need nothing
    if transport is not None:
        transport.pause_reading()


async def reset_stream(stream: ByteStream) -> None:
    """Close a TCP stream with a reset instead of an orderly end; unsent bytes are dropped.

    Any other byte stream is just closed.
    """
    reset_unless_closed(stream)
    await anyio.aclose_forcefully(stream)


def reset_unless_closed(stream: ByteStream) -> None:
    """Have a TCP stream reset when this process ends before it was closed by
    :func:`close_in_order`.

    The system closes what a killed process leaves, and ends it in order: a download that was cut
    short would look complete.
    """
    _set_linger(stream, _LINGER_ZERO)


async def close_in_order(stream: ByteStream) -> None:
    """Close a stream; what was written still arrives, and the end behind it."""
    _set_linger(stream, _NO_LINGER)
    await stream.aclose()


def _set_linger(stream: ByteStream, linger: bytes) -> None:
    raw_socket = stream.extra(SocketAttribute.raw_socket, None)
    if raw_socket is not None:
        with contextlib.suppress(OSError):  # it is gone already
            raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
