"""Carries bytes between a TCP socket and a channel, both ways, until both directions have ended.

What the app may conclude from its socket stays true on the other side: an end of stream is passed
on as one, and a session that broke resets the socket, because an orderly close would make
truncated data look complete.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy.errors import ResetCode
from nymproxy.forward.sockets import reset_stream

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from nymproxy.errors import NymError

logger = logging.getLogger("nymproxy.forward")

READ_BYTES = 64 * 1024
"""Most that is read from the socket before the channel has accepted it: the only buffer here."""
_CLEANUP_SECONDS = 5.0
"""Bound of everything done after the end, so that a proxy that stops does so in ten seconds: the
channel may take as long again to tell its peer that it was aborted."""

_LAST_BYTES_SECONDS = 1.0
"""What came before a failure of the channel may take so long to go into the socket."""


class ByteChannel(Protocol):
    """What a forwarder needs of a channel: a byte stream that can also be aborted.

    ``send`` returns when the channel has accepted the bytes, which is the back-pressure. All
    methods raise as an anyio byte stream does.
    """

    async def send(self, data: bytes) -> None:
        """Accept bytes, waiting for room."""
        ...

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return the next bytes."""
        ...

    async def send_eof(self) -> None:
        """End our direction after all that was sent."""
        ...

    async def drain(self) -> None:
        """Wait until all that was sent has been acknowledged."""
        ...

    async def aclose(self) -> None:
        """End both directions."""
        ...

    @property
    def error(self) -> NymError | None:
        """Why the channel failed, if it did."""
        ...

    async def wait_closed(self) -> None:
        """Wait until the channel is over, or has failed."""
        ...

    def abort(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        """End both directions at once and tell the peer as well as the protocol can."""
        ...


class ForwardEnd(enum.Enum):
    """Why a forwarding ended."""

    FINISHED = "finished"
    """Both directions reached their end, and everything sent was acknowledged."""
    SOCKET_FAILED = "socket-failed"
    """The socket broke: the app or the upstream went away."""
    CHANNEL_FAILED = "channel-failed"
    """The channel was reset or lost; the socket was reset."""
    STOPPED = "stopped"
    """We were asked to stop; the channel was told, the socket was reset."""
    CANCELLED = "cancelled"
    """We were cancelled; the channel was aborted, the socket was reset."""


@dataclass(frozen=True, slots=True)
class ForwardResult:
    """What a finished forwarding did.

    Attributes:
        end: why it ended.
        bytes_to_channel: bytes read from the socket and accepted by the channel.
        bytes_to_socket: bytes read from the channel and accepted by the socket.
        error: the exception behind a failure, with its cause.
    """

    end: ForwardEnd
    bytes_to_channel: int
    bytes_to_socket: int
    error: Exception | None = None

    def __str__(self) -> str:
        text = f"{self.end.value}, {self.bytes_to_channel} bytes out, {self.bytes_to_socket} in"
        reason = self.error and (self.error.__cause__ or self.error)
        return f"{text} ({type(reason).__name__}: {reason})" if reason else text


class Forwarding:
    """One socket joined to one channel. Both are closed at the end, however it comes.

    Args:
        socket: the TCP stream; anything that is an anyio byte stream works.
        channel: the channel.
        read_bytes: the largest piece read from the socket at once.
        flush_when_stopped: :meth:`stop` ends the channel after what was read from the socket,
            where the protocol has no way to tell an abort; otherwise it aborts it.
    """

    def __init__(
        self,
        socket: ByteStream,
        channel: ByteChannel,
        *,
        read_bytes: int = READ_BYTES,
        flush_when_stopped: bool = False,
    ) -> None:
        self._socket = socket
        self._channel = channel
        self._read_bytes = read_bytes
        self._flush_when_stopped = flush_when_stopped
        self._scope = anyio.CancelScope()
        self._stopped = False
        self._failure: tuple[ForwardEnd, Exception] | None = None
        self.bytes_to_channel = 0
        self.bytes_to_socket = 0

    async def run(self) -> ForwardResult:
        """Forward until both directions have ended, or one has failed."""
        end = ForwardEnd.CANCELLED
        try:
            with self._scope:
                async with anyio.create_task_group() as watch:
                    watch.start_soon(self._watch_channel)
                    async with anyio.create_task_group() as directions:
                        directions.start_soon(self._socket_to_channel)
                        directions.start_soon(self._channel_to_socket)
                    watch.cancel_scope.cancel()
            if self._failure is not None:
                end = self._failure[0]
            else:
                end = ForwardEnd.STOPPED if self._stopped else ForwardEnd.FINISHED
        finally:
            with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
                await self._close(end)
        return ForwardResult(
            end,
            self.bytes_to_channel,
            self.bytes_to_socket,
            self._failure[1] if self._failure else None,
        )

    def stop(self) -> None:
        """End both directions soon; :meth:`run` returns when the peer has been told."""
        self._stopped = True
        self._scope.cancel()

    async def _socket_to_channel(self) -> None:
        while True:
            try:
                data = await self._socket.receive(self._read_bytes)
            except anyio.EndOfStream:
                break
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                self._fail(ForwardEnd.SOCKET_FAILED, error)
                return
            try:
                await self._channel.send(data)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                self._fail(ForwardEnd.CHANNEL_FAILED, error)
                return
            self.bytes_to_channel += len(data)
        try:
            await self._channel.send_eof()
            await self._channel.drain()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._fail(ForwardEnd.CHANNEL_FAILED, error)

    async def _channel_to_socket(self) -> None:
        while True:
            try:
                data = await self._channel.receive(self._read_bytes)
            except anyio.EndOfStream:
                break
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                self._fail(ForwardEnd.CHANNEL_FAILED, error)
                return
            try:
                await self._socket.send(data)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                self._fail(ForwardEnd.SOCKET_FAILED, error)
                return
            self.bytes_to_socket += len(data)
        try:
            await self._socket.send_eof()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            # On trio the shutdown of a socket whose peer has reset it is a bare OSError.
            self._fail(ForwardEnd.SOCKET_FAILED, error)

    async def _watch_channel(self) -> None:
        """Notice a failure while both directions wait for the socket, which may be for ever."""
        await self._channel.wait_closed()
        if self._channel.error is not None:
            await anyio.sleep(_LAST_BYTES_SECONDS)
            error = anyio.BrokenResourceError()
            error.__cause__ = self._channel.error
            self._fail(ForwardEnd.CHANNEL_FAILED, error)

    def _fail(self, end: ForwardEnd, error: Exception) -> None:
        if self._failure is None:
            self._failure = end, error
        self._scope.cancel()

    async def _close(self, end: ForwardEnd) -> None:
        if end is ForwardEnd.FINISHED:
            await self._socket.aclose()
            await self._channel.aclose()
            return
        # The socket first: the app must not wait for our peer to hear of it.
        await reset_stream(self._socket)
        flushes = end is ForwardEnd.STOPPED and self._flush_when_stopped
        if end is ForwardEnd.CHANNEL_FAILED or flushes:
            await self._channel.aclose()
        elif end is ForwardEnd.SOCKET_FAILED:
            self._channel.abort(ResetCode.CANCELLED, "the TCP connection broke")
        else:
            self._channel.abort(ResetCode.SHUTTING_DOWN, "the proxy is shutting down")


async def forward(
    socket: ByteStream, channel: ByteChannel, *, read_bytes: int = READ_BYTES
) -> ForwardResult:
    """Join a socket and a channel until both directions have ended; closes both.

    A failure of either is not raised: it is the ``end`` of the result, with its error.
    """
    return await Forwarding(socket, channel, read_bytes=read_bytes).run()
