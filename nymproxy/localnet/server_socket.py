"""The server's end of a websocket: the sans-IO protocol of ``websockets`` on an anyio stream.

Unlike a general-purpose connection it hands out everything that one read brought, control frames
included, and writes only when told to, so that many frames share one system call. A gateway needs
to see control frames: before authentication they are an error.
"""

from __future__ import annotations

import enum
import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, Event
from websockets.server import ServerProtocol

from nymproxy.errors import GatewayProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream

READ_BYTES = 64 * 1024
_MAX_MESSAGE_BYTES = 256 * 1024

# Its debug log shows frames, which hold keys and payloads.
_quiet_logger = logging.getLogger("nymproxy.localnet.websocket")
_quiet_logger.setLevel(logging.WARNING)


class MessageKind(enum.Enum):
    """What a frame, or several continued frames, carried."""

    TEXT = "text"
    BINARY = "binary"
    PING = "ping"
    PONG = "pong"
    CLOSE = "close"


class Message(NamedTuple):
    """One message of the peer."""

    kind: MessageKind
    data: bytes


_CONTROL = {
    Opcode.PING: MessageKind.PING,
    Opcode.PONG: MessageKind.PONG,
    Opcode.CLOSE: MessageKind.CLOSE,
}


class ServerSocket:
    """One websocket. One task reads; one task at a time calls :meth:`flush`.

    Args:
        stream: the TCP connection.
        count: called with ``websocket_bytes_received`` or ``_sent`` and a number of bytes.
    """

    def __init__(self, stream: ByteStream, count: Callable[[str, int], None]) -> None:
        self._stream = stream
        self._count = count
        self._protocol = ServerProtocol(max_size=_MAX_MESSAGE_BYTES, logger=_quiet_logger)
        self._messages: deque[Message] = deque()
        self._partial: tuple[MessageKind, list[bytes]] | None = None

    @property
    def has_output(self) -> bool:
        """Whether something waits for :meth:`flush`: also answers to pings and close frames."""
        return bool(self._protocol.writes)

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent: no close frame went either way."""
        return self._protocol.state is OPEN

    async def accept(self) -> None:
        """Answer the HTTP upgrade; any path is accepted, no extension is agreed on.

        Raises:
            GatewayProtocolError: what came is no websocket handshake.
            anyio.EndOfStream, anyio.BrokenResourceError: the peer has gone.
        """
        while not self._protocol.events:
            self._protocol.receive_data(await self._read())
            if self._protocol.handshake_exc is not None:
                await self.flush()
                raise GatewayProtocolError("a connection did not begin with a websocket handshake")
        events = self._protocol.events_received()
        request = events[0]
        assert isinstance(request, Request)
        self._protocol.send_response(self._protocol.accept(request))
        await self.flush()
        if self._protocol.state is not OPEN:
            raise GatewayProtocolError("a websocket handshake was refused")
        self._take(events[1:])

    async def receive(self) -> Message:
        """Return the next message, reading when none is left of the last read.

        Raises:
            GatewayProtocolError: the peer broke the websocket protocol, or sent too much at once.
            anyio.EndOfStream, anyio.BrokenResourceError: the peer has gone.
        """
        while not self._messages:
            await self._fill()
        return self._messages.popleft()

    async def receive_all(self) -> list[Message]:
        """Return all messages at hand, at least one.

        Raises:
            GatewayProtocolError, anyio.EndOfStream, anyio.BrokenResourceError: as
                :meth:`receive`.
        """
        while not self._messages:
            await self._fill()
        messages = list(self._messages)
        self._messages.clear()
        return messages

    def send_text(self, text: str) -> None:
        """Queue a text for :meth:`flush`; nothing is sent any more once a close frame was."""
        if self._protocol.state is OPEN:
            self._protocol.send_text(text.encode())

    def send_binary(self, data: bytes) -> None:
        """Queue a binary message."""
        if self._protocol.state is OPEN:
            self._protocol.send_binary(data)

    def send_ping(self, payload: bytes) -> None:
        """Queue a ping."""
        if self._protocol.state is OPEN:
            self._protocol.send_ping(payload)

    def send_close(self, code: int = 1001) -> None:
        """Queue a close frame (1001: the server is going away)."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(code)

    async def flush(self) -> None:
        """Write everything queued; on return it is in the hands of the operating system.

        Raises:
            anyio.BrokenResourceError, anyio.ClosedResourceError: the peer has gone.
        """
        chunks = self._protocol.data_to_send()
        data = b"".join(chunks)
        if data:
            self._count("websocket_bytes_sent", len(data))
            await self._stream.send(data)

    async def _fill(self) -> None:
        self._protocol.receive_data(await self._read())
        error = self._protocol.parser_exc
        self._take(self._protocol.events_received())
        if error is not None and not self._messages:
            raise GatewayProtocolError(f"a client broke the websocket protocol: {error}")

    async def _read(self) -> bytes:
        data = await self._stream.receive(READ_BYTES)
        self._count("websocket_bytes_received", len(data))
        return data

    def _take(self, events: list[Event]) -> None:
        for event in events:
            assert isinstance(event, Frame)
            control = _CONTROL.get(event.opcode)
            if control is not None:
                self._messages.append(Message(control, bytes(event.data)))
            elif event.opcode is Opcode.CONT:
                self._continue(event)
            else:
                kind = MessageKind.TEXT if event.opcode is Opcode.TEXT else MessageKind.BINARY
                if event.fin:
                    self._messages.append(Message(kind, bytes(event.data)))
                else:
                    self._partial = (kind, [bytes(event.data)])

    def _continue(self, frame: Frame) -> None:
        # The protocol object refuses a continuation of nothing.
        assert self._partial is not None
        kind, parts = self._partial
        parts.append(bytes(frame.data))
        if frame.fin:
            self._partial = None
            self._messages.append(Message(kind, b"".join(parts)))
