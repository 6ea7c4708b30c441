"""The client's end of a websocket, over any anyio byte stream.

The protocol itself (RFC 6455) is the sans-IO layer of the ``websockets`` package, without any
extension; this module moves its bytes, bounds its buffers and gives every wait an end.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.protocol import State

from nymproxy._signal import Signal
from nymproxy._tcp_stream import TcpStream
from nymproxy.errors import GatewayProtocolError, GatewayUnreachable
from nymproxy.mixnet.gateway.handshake import printable
from nymproxy.mixnet.gateway.websocket_messages import Incoming, opening_request

if TYPE_CHECKING:
    from anyio.abc import ByteStream
    from websockets.uri import WebSocketURI

    from nymproxy.mixnet.gateway.websocket_messages import WebSocketEvent

MAX_MESSAGE_BYTES = 128 * 1024
"""Longest message accepted. Frames end at 33184 bytes; the rest is room for credentials in JSON."""

MAX_BUFFERED_BYTES = 128 * 1024
"""How much may wait to be written before senders have to wait."""

CLOSE_SECONDS = 1.0
"""How long a close waits for the peer to answer."""

STALLED_SECONDS = 30.0
"""How long one write may make no progress before the connection counts as lost."""

_READ_BYTES = 65536
_MAX_OPENING_BYTES = 32 * 1024
"""Of the answer to our opening handshake: a megabyte of header lines takes half a second."""

_FLOODED_BYTES = MAX_BUFFERED_BYTES + 4 * 1024 * 1024
"""No honest use gets here: only pongs that the peer asks for and does not read."""

# The package logs whole messages at DEBUG level. They are ciphertext at best, so never.
_logger = logging.getLogger("nymproxy.gateway.websocket")
_logger.setLevel(logging.WARNING)


class WebSocketStream:
    """One websocket connection.

    Made by :meth:`connect`. One task may receive while any number send.
    Without :meth:`run_writer`, the sending task writes itself, and a cancelled ``send`` leaves the
    connection broken; with it, messages are written whole whatever happens to their senders.
    """

    def __init__(self, stream: ByteStream, protocol: ClientProtocol) -> None:
        self._stream = stream
        self._protocol = protocol
        self._incoming = Incoming(protocol)
        self._outgoing: list[bytes] = []
        self._buffered = 0
        self._has_writer = False
        self._outgoing_changed = Signal()
        self._room = Signal()
        self._writing = False
        self._receiving = False
        self._closed = False
        self._lost: BaseException | None = None
        self._ended = anyio.Event()

    @classmethod
    async def connect(
        cls, stream: ByteStream, uri: WebSocketURI, *, max_message_bytes: int = MAX_MESSAGE_BYTES
    ) -> WebSocketStream:
        """Make the client's opening handshake. The caller sets the time limit.

        Raises:
            GatewayUnreachable: the peer is no websocket server, or went away.
        """
        protocol = ClientProtocol(uri, max_size=max_message_bytes, logger=_logger)
        websocket = cls(stream, protocol)
        protocol.send_request(opening_request(protocol))
        await websocket._open()
        return websocket

    async def _open(self) -> None:
        left = _MAX_OPENING_BYTES
        try:
            self._collect()
            await self._flush()
            while self._protocol.state is State.CONNECTING and not self._protocol.handshake_exc:
                if not left:
                    raise GatewayUnreachable("the other side is no websocket server (it says much)")
                left -= await self._read_once(left)
        except (anyio.EndOfStream, anyio.BrokenResourceError, GatewayProtocolError) as error:
            raise GatewayUnreachable("the connection ended while it was being opened") from error
        problem = self._protocol.handshake_exc
        if problem is not None:
            is_said = isinstance(problem, InvalidHandshake)
            detail = f" ({printable(str(problem), limit=200)})" if is_said else ""
            # Not from the problem, which has the whole answer with it.
            raise GatewayUnreachable(f"the other side is no websocket server{detail}")

    # Receiving.

    async def receive_event(self) -> WebSocketEvent:
        """Return the next message, ping or pong.

        Raises:
            EndOfStream: the peer closed.
            BrokenResourceError: the connection was lost.
            ClosedResourceError: we closed it.
            BusyResourceError: another task is receiving.
            GatewayProtocolError: the peer broke the websocket protocol or a size limit.
        """
        if self._receiving:
            raise anyio.BusyResourceError("receiving from")
        self._receiving = True
        try:
            events = self._incoming.events
            if events:
                await anyio.lowlevel.checkpoint_if_cancelled()
            while not events:
                self._check_readable()
                await self._read_once()
            return events.popleft()
        finally:
            self._receiving = False

    @property
    def is_receiving(self) -> bool:
        """True while a task waits for what comes."""
        return self._receiving

    def take_event(self) -> WebSocketEvent | None:
        """Return the next event if it has already arrived."""
        events = self._incoming.events
        return events.popleft() if events else None

    async def receive(self) -> str | bytes:
        """Return the next message, passing over pings and pongs; raises as receive_event does."""
        while True:
            event = await self.receive_event()
            if isinstance(event, (str, bytes)):
                return event

    def _check_readable(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        if self._protocol.parser_exc is not None and not isinstance(
            self._protocol.parser_exc, EOFError
        ):
            raise GatewayProtocolError(
                f"the websocket peer broke the protocol: {type(self._protocol.parser_exc).__name__}"
            ) from self._protocol.parser_exc
        if self._protocol.close_rcvd is not None:
            raise anyio.EndOfStream
        if self._lost is not None:
            raise anyio.BrokenResourceError from self._lost
        if self._protocol.state in (State.CLOSING, State.CLOSED):
            raise anyio.EndOfStream

    async def _read_once(self, max_bytes: int = _READ_BYTES) -> int:
        """Move what the network has into the protocol, and what it answers back out; returns how
        many bytes there were."""
        came = b""
        try:
            if self._incoming.is_behind:
                await anyio.lowlevel.checkpoint()
            else:
                came = await self._stream.receive(max_bytes)
        except anyio.EndOfStream:
            self._protocol.receive_eof()
            self._ended.set()
        except (OSError, anyio.BrokenResourceError) as error:
            self._lose(error)
            raise anyio.BrokenResourceError from error
        except anyio.ClosedResourceError:
            self._closed = True
            raise
        self._incoming.parse(came)
        self._collect()
        if self._buffered > _FLOODED_BYTES:
            self._lose(GatewayProtocolError("the websocket peer asks for pongs it does not read"))
        if self._outgoing:
            # A peer that is gone takes no answer, but what it said before still counts.
            with contextlib.suppress(anyio.BrokenResourceError):
                await self._write_or_wake()
        return len(came)

    # Sending.

    async def send(self, *messages: str | bytes) -> None:
        """Send messages, strings as text and bytes as binary frames, in one write.

        Waits first while more than :data:`MAX_BUFFERED_BYTES` are unwritten, so the buffer holds
        at most that and one call's messages. With a running writer it returns when the messages
        are in the buffer, else when they are written.
        Where the socket takes them at once it does not even look whether it was cancelled: that
        look goes through all scopes of the task, for each packet.

        Raises:
            EndOfStream: the peer closed.
            BrokenResourceError: the connection was lost.
            ClosedResourceError: we closed it.
        """
        while self._buffered > MAX_BUFFERED_BYTES:
            self._check_writable()
            await self._room.wait()
        self._check_writable()
        for message in messages:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
        self._collect()
        await self._write_or_wake()

    async def ping(self, payload: bytes = b"") -> None:
        """Send a ping; the answer comes as a :class:`Pong`. Raises as :meth:`send` does."""
        self._check_writable()
        self._protocol.send_ping(payload)
        self._collect()
        await self._write_or_wake()

    @property
    def is_writable(self) -> bool:
        """False once nothing can be sent any more."""
        return not self._closed and self._lost is None and self._protocol.state is State.OPEN

    @property
    def buffered_bytes(self) -> int:
        """What was accepted and is not yet written."""
        return self._buffered

    async def run_writer(self) -> None:
        """Write what is sent, until the connection ends. One task runs this at a time.

        Raises:
            BrokenResourceError: the connection was lost while writing, or made no progress.
        """
        self._has_writer = True
        try:
            await self._flush()
            while not self._closed and self._lost is None:
                await self._outgoing_changed.wait()
                await self._flush()
        finally:
            self._has_writer = False

    def _check_writable(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        if self._lost is not None:
            raise anyio.BrokenResourceError from self._lost
        if self._protocol.state is not State.OPEN:
            raise anyio.EndOfStream

    def _collect(self) -> None:
        """Take over what the protocol wants written. Its mark for "half-close" is empty bytes."""
        for data in self._protocol.data_to_send():
            if data:
                self._outgoing.append(data)
                self._buffered += len(data)

    async def _write_or_wake(self) -> None:
        if not self._outgoing:
            return
        if isinstance(self._stream, TcpStream) and not self._writing and self._lost is None:
            self._write_at_once(self._stream)
        if not self._outgoing:
            return
        if self._has_writer:
            self._outgoing_changed.set()
        else:
            await self._flush()

    def _write_at_once(self, stream: TcpStream) -> None:
        """Write what the socket has room for now."""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        try:
            written = stream.send_nowait(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._lose(error)
            raise anyio.BrokenResourceError from error
        self._buffered -= written
        if written < len(data):
            self._outgoing.append(data[written:])

    async def _flush(self) -> None:
        """Write until nothing is left; when another task does so already, leave it to that one."""
        if self._writing:
            return
        self._writing = True
        try:
            while self._outgoing and self._lost is None:
                data = b"".join(self._outgoing)
                self._outgoing.clear()
                await self._write(data)
                self._buffered -= len(data)
                self._room.set()
        finally:
            self._writing = False

    async def _write(self, data: bytes) -> None:
        try:
            with anyio.fail_after(STALLED_SECONDS):
                await self._stream.send(data)
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._lose(error)
            raise anyio.BrokenResourceError from error
        except BaseException as error:
            # Cancelled half way: nobody knows how much of a frame was written.
            self._lose(error)
            raise

    def _lose(self, error: BaseException) -> None:
        if self._lost is None:
            self._lost = error
        self._ended.set()
        self._room.set()
        self._outgoing_changed.set()

    # Closing.

    async def aclose(self) -> None:
        """Close: tell the peer, wait a moment for its answer, then close the stream. Idempotent.

        Also passes in a cancelled scope; the wait is bounded by :data:`CLOSE_SECONDS`.
        """
        if self._closed:
            await anyio.lowlevel.checkpoint()
            return
        if self._lost is None and self._protocol.state in (State.OPEN, State.CLOSING):
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._say_goodbye()
        self._closed = True
        self._lose(anyio.ClosedResourceError())
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await self._stream.aclose()
            return
        await anyio.aclose_forcefully(self._stream)

    async def _say_goodbye(self) -> None:
        try:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close()
            self._collect()
            await self._write_or_wake()
            while self._lost is None and (self._outgoing or self._writing):
                await self._room.wait()
            if self._receiving:
                await self._ended.wait()
            while not self._ended.is_set():
                await self._read_once()
                self._incoming.events.clear()  # nobody takes them any more
        except (NotImplementedError, OSError):
            return  # the peer is already gone
        except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()
