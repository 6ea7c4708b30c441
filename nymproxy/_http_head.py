"""What a server answers before the body, by h11, within bounds. Imported where it is used, as it
takes a while."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import anyio
import h11

if TYPE_CHECKING:
    from anyio.abc import ByteStream

_READ_BYTES: Final = 16 * 1024
_MAX_HEAD_BYTES: Final = 16 * 1024
"""Of a head or a trailer. One that comes in one piece is not measured but parsed, so that what is
read at a time counts, too: 25,000 lines took 0.03 s in which nobody else had a turn."""

_MAX_INTERIM: Final = 16


def client_protocol() -> h11.Connection:
    """Return a client's side of a connection."""
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)


def basic(username: str, password: str | None) -> str:
    """Return the value of a header that says who asks."""
    user = f"{username}:{password or ''}"
    return f"Basic {base64.b64encode(user.encode()).decode()}"


async def next_event(protocol: h11.Connection, stream: ByteStream) -> h11.Event:
    """Read until there is an event."""
    while (event := protocol.next_event()) is h11.NEED_DATA:
        try:
            data = await stream.receive(_READ_BYTES)
        except anyio.EndOfStream:
            data = b""
        protocol.receive_data(data)
    assert isinstance(event, h11.Event)  # the other one is for what follows a switch
    return event


async def response_to(
    request: h11.Request, protocol: h11.Connection, stream: ByteStream
) -> h11.Event:
    """Send a request without a body.

    Returns:
        The response, or one interim response too many.

    Raises:
        h11.RemoteProtocolError: it is no HTTP, or ends before.
    """
    head = protocol.send(request) or b""
    await stream.send(head + (protocol.send(h11.EndOfMessage()) or b""))
    for _ in range(_MAX_INTERIM):
        event = await next_event(protocol, stream)
        if isinstance(event, h11.Response):
            break
    return event
