"""Carries bytes between a TCP socket and a channel, both ways, until both directions have ended.

What the app may conclude from its socket stays true on the other side: an end of stream is passed
on as one, and a session that broke resets the socket, because an orderly close would make
truncated data look complete. So does a process that is killed.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy.errors import ResetCode, StreamIdleTimeout
from nymproxy.forward.sockets import close_in_order, reset_stream, reset_unless_closed

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream

    from nymproxy.errors import NymError

logger = logging.getLogger("nymproxy.forward")

READ_BYTES = 64 * 1024
"""Most that is read from the socket before the channel has accepted it: the only buffer here."""
_CLEANUP_SECONDS = 5.0
"""Bound of everything done after the end, so that a proxy that stops does so in ten seconds: the
channel may take as long again to tell its peer that it was aborted."""

STALLED_SECONDS = 120.0
"""Once the channel is over, its last bytes go into a socket that takes some in so long."""
_LAST_BYTES_SECONDS = 1.0
"""What came before a failure of the channel may take so long to go into the socket."""
_SHUTTING_DOWN = (ResetCode.SHUTTING_DOWN, "the proxy is shutting down")


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
        sent: bytes that were read from the socket before, and are in the channel.
        on_first_bytes: called when the first bytes have gone through, in either direction.
    """

    def __init__(
        self,
        socket: ByteStream,
        channel: ByteChannel,
        *,
        read_bytes: int = READ_BYTES,
        sent: int = 0,
        on_first_bytes: Callable[[], None] | None = None,
    ) -> None:
        self._socket = socket
        self._channel = channel
        self._read_bytes = read_bytes
        self._on_first_bytes = on_first_bytes
        self._scope = anyio.CancelScope()
        self._watching = anyio.CancelScope()
        self._socket_ended = anyio.Event()
        self._stopped_with: tuple[ResetCode, str] | None = None
        self._failure: tuple[ForwardEnd, Exception] | None = None
        self.bytes_to_channel = sent
        self.bytes_to_socket = 0
        self.last_active_at = anyio.current_time()
        """When bytes were accepted last, in either direction."""

    async def run(self) -> ForwardResult:
        """Forward until both directions have ended, or one has failed."""
        end = ForwardEnd.CANCELLED
        reset_unless_closed(self._socket)
        if self.bytes_to_channel:
            self._moved()
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._watch_channel)
                    tasks.start_soon(self._channel_to_socket)
                    await self._socket_to_channel()
                    await self._socket_ended.wait()
                    # Not the group: with the task that it cancelled, anyio keeps all that this one
                    # has, until the garbage collector comes.
                    self._watching.cancel()
            if self._failure is not None:
                end = self._failure[0]
            else:
                end = ForwardEnd.STOPPED if self._stopped_with else ForwardEnd.FINISHED
        finally:
            with anyio.move_on_after(_CLEANUP_SECONDS, shield=True):
                await self._close(end)
        return ForwardResult(
            end,
            self.bytes_to_channel,
            self.bytes_to_socket,
            self._failure[1] if self._failure else None,
        )

    def stop(
        self,
        code: ResetCode = _SHUTTING_DOWN[0],
        reason: str = _SHUTTING_DOWN[1],
    ) -> None:
        """End both directions soon; :meth:`run` returns when the peer has been told why."""
        self._stopped_with = code, reason
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
            self._moved()
        try:
            await self._channel.send_eof()
            await self._channel.drain()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            self._fail(ForwardEnd.CHANNEL_FAILED, error)

    async def _channel_to_socket(self) -> None:
        await self._fill_socket()
        self._socket_ended.set()

    async def _fill_socket(self) -> None:
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
            self._moved()
        try:
            await self._socket.send_eof()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
            # On trio the shutdown of a socket whose peer has reset it is a bare OSError.
            self._fail(ForwardEnd.SOCKET_FAILED, error)

    def _moved(self) -> None:
        self.last_active_at = anyio.current_time()
        if self._on_first_bytes is not None:
            self._on_first_bytes()
            self._on_first_bytes = None

    async def _watch_channel(self) -> None:
        """Let no direction wait for the socket for ever when the channel is over or has failed."""
        with self._watching:
            await self._channel.wait_closed()
            error = anyio.BrokenResourceError()
            if self._channel.error is not None:
                await anyio.sleep(_LAST_BYTES_SECONDS)
                error.__cause__ = self._channel.error
                self._fail(ForwardEnd.CHANNEL_FAILED, error)
                return
            written = -1
            while written != self.bytes_to_socket:
                written = self.bytes_to_socket
                await anyio.sleep(STALLED_SECONDS)
            error.__cause__ = StreamIdleTimeout(
                f"the TCP side took nothing for {STALLED_SECONDS:g} s"
            )
            self._fail(ForwardEnd.SOCKET_FAILED, error)

    def _fail(self, end: ForwardEnd, error: Exception) -> None:
        if self._failure is None:
            self._failure = end, error
        self._scope.cancel()

    async def _close(self, end: ForwardEnd) -> None:
        if end is ForwardEnd.FINISHED:
            await close_in_order(self._socket)
            await self._channel.aclose()
            return
        # The socket first: the app must not wait for our peer to hear of it.
        await reset_stream(self._socket)
        if end is ForwardEnd.CHANNEL_FAILED:
            await self._channel.aclose()
        elif end is ForwardEnd.SOCKET_FAILED:
            self._channel.abort(ResetCode.CANCELLED, "the TCP connection broke")
        else:
            self._channel.abort(*(self._stopped_with or _SHUTTING_DOWN))


async def forward(
    socket: ByteStream, channel: ByteChannel, *, read_bytes: int = READ_BYTES
) -> ForwardResult:
    """Join a socket and a channel until both directions have ended; closes both.

    A failure of either is not raised: it is the ``end`` of the result, with its error.
    """
    return await Forwarding(socket, channel, read_bytes=read_bytes).run()
