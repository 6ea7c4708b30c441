"""A TCP connection that is written at once where there is room, and on asyncio read by one
callback for its whole life."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream, SocketAttribute

from nymproxy._waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_READ_BYTES = 65536


class TcpStream(ByteStream):
    """A connected socket. The streams of anyio register and remove their reader at each read, and
    change tasks at each write: half of what a packet costs an idle client.

    Args:
        connected: taken over.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._is_closed = False
        self._reader = _make_reader(connected)

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """Connect to a host, trying all of its addresses.

        Raises:
            OSError: nobody answers.
        """
        stream = await anyio.connect_tcp(host, port)
        descriptor = os.dup(stream.extra(SocketAttribute.raw_socket).fileno())
        connected = socket.socket(fileno=descriptor)
        await anyio.aclose_forcefully(stream)  # which closes its own descriptor only
        return cls(connected)

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """See :class:`anyio.abc.ByteStream`, as for the other methods."""
        return {SocketAttribute.raw_socket: lambda: self._socket}

    async def receive(self, max_bytes: int = _READ_BYTES) -> bytes:
        """Return what has arrived, at least one byte."""
        if self._is_closed:
            raise anyio.ClosedResourceError
        try:
            data = await self._reader.read(max_bytes)
        except OSError as error:
            raise anyio.BrokenResourceError from error
        if not data:
            raise anyio.EndOfStream
        return data

    def send_nowait(self, data: bytes | memoryview) -> int:
        """Write what there is room for; return how many bytes that were.

        Raises:
            ClosedResourceError, BrokenResourceError: as :meth:`send`.
        """
        if self._is_closed:
            raise anyio.ClosedResourceError
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise anyio.BrokenResourceError from error

    async def send(self, item: bytes) -> None:
        """Write all of ``item``."""
        await anyio.lowlevel.checkpoint()
        rest = memoryview(item)
        while rest := rest[self.send_nowait(rest) :]:
            await anyio.wait_writable(self._socket)

    async def send_eof(self) -> None:
        """Write no more."""
        await anyio.lowlevel.checkpoint()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        """Close; whoever reads or writes meanwhile is told."""
        if not self._is_closed:
            self._is_closed = True
            self._reader.close()
            anyio.notify_closing(self._socket)
            self._socket.close()
        await anyio.lowlevel.checkpoint()


class _WaitingReader:
    """Waits for the socket at each read, on any event loop."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    async def read(self, max_bytes: int) -> bytes:
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                return self._socket.recv(max_bytes)
            except (BlockingIOError, InterruptedError):
                await anyio.wait_readable(self._socket)

    def close(self) -> None:
        """Do nothing: who closes the socket tells those that wait for it."""


class _CallbackReader:
    """Is called by asyncio when something has come, and reads it at once.

    It reads ahead of whoever takes it by one piece; until that is taken, it is not called.
    """

    def __init__(self, connected: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = connected
        self._loop = loop
        self._piece = b""
        self._has_ended = False
        self._error: OSError | None = None
        self._waiter: Waiter | None = None
        self._is_called = True
        loop.add_reader(connected, self._readable)

    async def read(self, max_bytes: int) -> bytes:
        if self._waiter is not None:
            raise anyio.BusyResourceError("reading from")
        if self._piece or self._has_ended:
            await anyio.lowlevel.checkpoint()
        else:
            self._waiter = Waiter(self._loop)
            try:
                await self._waiter
            finally:
                self._waiter = None
        piece, self._piece = self._piece[:max_bytes], self._piece[max_bytes:]
        if piece and not self._is_called and not self._has_ended:
            self._is_called = True
            self._loop.add_reader(self._socket, self._readable)
        if not piece and self._error is not None:
            raise self._error
        return piece

    def _readable(self) -> None:
        if self._piece:
            self._stop()
            return
        try:
            self._piece = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._error = error
        if not self._piece:
            self._has_ended = True
            self._stop()
        if self._waiter is not None:
            self._waiter.wake()

    def close(self) -> None:
        """Stop reading; whoever waits is told that the stream is closed."""
        self._stop()
        if self._waiter is not None:
            self._waiter.wake_soon(anyio.ClosedResourceError())

    def _stop(self) -> None:
        if self._is_called:
            self._is_called = False
            self._loop.remove_reader(self._socket)


def _make_reader(connected: socket.socket) -> _CallbackReader | _WaitingReader:
    try:
        return _CallbackReader(connected, asyncio.get_running_loop())
    except (RuntimeError, NotImplementedError):  # another loop, or one without callbacks
        return _WaitingReader(connected)
