"""A stream as asyncio's ``StreamReader`` and ``StreamWriter``, for code written against those.

::

    async with asyncio_streams(stream) as (reader, writer):
        writer.write(b"hello\\n")
        print(await reader.readline())

The only module of the library that imports asyncio; it works on that backend only.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.errors import StreamRefused, StreamReset
from nymproxy.stream.stream import StreamAttribute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.errors import NymError
    from nymproxy.stream.stream import MixnetStream

__all__ = ("asyncio_streams", "connection_error")

DEFAULT_LIMIT_BYTES = 64 * 1024
CLOSE_TIMEOUT_SECONDS = 10.0


def connection_error(error: NymError | None) -> ConnectionError:
    """Return the built-in error for what ended a stream.

    ``ConnectionRefusedError`` where nobody accepted, ``ConnectionResetError`` where the peer (or
    we) aborted, ``ConnectionAbortedError`` for everything else.
    """
    if isinstance(error, StreamRefused):
        return ConnectionRefusedError(str(error))
    if isinstance(error, StreamReset):
        return ConnectionResetError(str(error))
    return ConnectionAbortedError(str(error) if error is not None else "the stream has ended")


@asynccontextmanager
async def asyncio_streams(
    stream: MixnetStream, *, limit: int = DEFAULT_LIMIT_BYTES
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a stream asyncio's interface for the length of the block, then close it.

    Reads and ``drain`` raise the built-in connection errors (:func:`connection_error`).
    ``writer.get_extra_info`` knows ``"peername"`` (address or tag) and ``"stream"``. Leaving the
    block by an exception aborts the stream.

    Args:
        stream: used by nobody else meanwhile.
        limit: of the reader's buffer, and so of a line; twice as much stops reading.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = _StreamTransport(stream, protocol)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    protocol.connection_made(transport)
    failure: Exception | None = None
    try:
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(transport.read_all)
            task_group.start_soon(transport.write_all)
            try:
                yield reader, writer
            except Exception as error:
                failure = error  # raised below, outside of the task group that would wrap it
            else:
                transport.close()
                with anyio.move_on_after(CLOSE_TIMEOUT_SECONDS):
                    await transport.finished.wait()
            task_group.cancel_scope.cancel()
    finally:
        transport.abort()
    if failure is not None:
        raise failure


class _StreamTransport(asyncio.Transport):
    """The transport under the writer. Two tasks move the bytes: one for each direction."""

    def __init__(self, stream: MixnetStream, protocol: asyncio.StreamReaderProtocol) -> None:
        super().__init__({"peername": stream.extra(StreamAttribute.peer, None), "stream": stream})
        self.finished = asyncio.Event()
        self._stream = stream
        self._protocol = protocol
        self._buffer = bytearray()
        self._work = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._eof = self._closing = self._protocol_paused = False
        self._high, self._low = DEFAULT_LIMIT_BYTES, DEFAULT_LIMIT_BYTES // 4

    # The two tasks.

    async def read_all(self) -> None:
        """Feed the protocol until the peer's direction ends."""
        try:
            while not self._closing:
                await self._may_read.wait()
                self._protocol.data_received(await self._stream.receive())
        except anyio.EndOfStream:
            self._protocol.eof_received()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._lose(None if self._closing else connection_error(self._stream.error))

    async def write_all(self) -> None:
        """Send what the writer buffers, then the end, then close."""
        try:
            while self._buffer or not (self._eof or self._closing):
                await self._work.wait()
                self._work.clear()
                while self._buffer:
                    part = bytes(self._buffer)
                    self._buffer.clear()
                    await self._stream.send(part)
                    self._resume_protocol()
            await self._stream.send_eof()
            while not self._closing:
                self._work.clear()
                await self._work.wait()
            await self._stream.aclose()
            self._lose(None)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._buffer.clear()
            self._lose(connection_error(self._stream.error))

    def _lose(self, error: ConnectionError | None) -> None:
        if not self.finished.is_set():
            self.finished.set()
            self._closing = True
            self._work.set()
            self._may_read.set()
            self._protocol.connection_lost(error)

    def _resume_protocol(self) -> None:
        if self._protocol_paused and len(self._buffer) <= self._low:
            self._protocol_paused = False
            self._protocol.resume_writing()

    # What asyncio calls.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Buffer bytes; above the high-water mark the protocol is paused."""
        if self._eof:
            raise RuntimeError("cannot write after write_eof()")
        if self.finished.is_set() or not data:
            return
        self._buffer += data
        self._work.set()
        if len(self._buffer) > self._high and not self._protocol_paused:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """Streams can be half-closed."""
        return True

    def write_eof(self) -> None:
        """End our direction after what is buffered."""
        self._eof = True
        self._work.set()

    def close(self) -> None:
        """Close after what is buffered has been sent."""
        self._closing = True
        self._work.set()

    def abort(self) -> None:
        """Close at once."""
        self._buffer.clear()
        if not self.finished.is_set():
            self._stream.abort()
            self._lose(None)

    def is_closing(self) -> bool:
        """True after ``close``, ``abort``, or a failure."""
        return self._closing

    def pause_reading(self) -> None:
        """Stop receiving, so that the window of the stream fills up."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Go on."""
        self._may_read.set()

    def is_reading(self) -> bool:
        """True unless paused or closing."""
        return self._may_read.is_set() and not self._closing

    def get_write_buffer_size(self) -> int:
        """Bytes that have not been handed to the stream."""
        return len(self._buffer)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and the high-water mark."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks; as in asyncio, ``low`` defaults to a quarter of ``high``."""
        if high is None:
            high = DEFAULT_LIMIT_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not 0 <= low <= high:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Refused: ``StreamWriter.start_tls`` would need it; see ``nymproxy.stream.tls``."""
        raise NotImplementedError("use nymproxy.stream.tls.connect_tls for TLS over a stream")

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol between us and the reader."""
        return self._protocol
