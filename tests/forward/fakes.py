"""A pair of channels in memory with a bounded window, and helpers for TCP pairs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute, SocketStream

from nymproxy.errors import ResetCode, StreamDataLost, StreamReset
from nymproxy.forward.sockets import read_on_demand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class MemoryChannel:
    """One end. ``send`` waits while the peer has ``window`` unread bytes."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.peer: MemoryChannel = self
        self.unread = bytearray()
        self.at_eof = False
        self.eof_sent = False
        self.closed = False
        self.lost: StreamReset | StreamDataLost | None = None
        self.aborted_with: ResetCode | None = None
        self.most_unread = 0
        self._changed = anyio.Event()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _check(self) -> None:
        if self.lost is not None:
            raise anyio.BrokenResourceError from self.lost
        if self.closed:
            raise anyio.ClosedResourceError

    async def send(self, data: bytes) -> None:
        while data:
            self._check()
            room = self.window - len(self.peer.unread)
            if room > 0:
                self.peer.unread += data[:room]
                self.peer.most_unread = max(self.peer.most_unread, len(self.peer.unread))
                data = data[room:]
                self.peer._notify()
            else:
                await self._changed.wait()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while True:
            self._check()
            if self.unread:
                data = bytes(self.unread[:max_bytes])
                del self.unread[:max_bytes]
                self.peer._notify()
                return data
            if self.at_eof:
                raise anyio.EndOfStream
            await self._changed.wait()

    async def send_eof(self) -> None:
        self._check()
        self.eof_sent = True
        self.peer.at_eof = True
        self.peer._notify()

    async def drain(self) -> None:
        while self.peer.unread:
            self._check()
            await self._changed.wait()

    @property
    def error(self) -> StreamReset | StreamDataLost | None:
        return self.lost

    async def wait_closed(self) -> None:
        while not self.closed and self.lost is None:
            await self._changed.wait()

    async def aclose(self) -> None:
        self.closed = True
        self._notify()

    def abort(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        self.aborted_with = code
        self.peer.lose(StreamReset(reason, code))
        self.closed = True
        self._notify()

    def lose(self, error: StreamReset | StreamDataLost) -> None:
        self.lost = error
        self._notify()


def memory_channels(window: int = 256 * 1024) -> tuple[MemoryChannel, MemoryChannel]:
    left, right = MemoryChannel(window), MemoryChannel(window)
    left.peer, right.peer = right, left
    return left, right


@asynccontextmanager
async def tcp_pair() -> AsyncIterator[tuple[SocketStream, SocketStream]]:
    """A connected pair of real TCP sockets: the app's end and ours."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener:
        first = listener.listeners[0]
        port = first.extra(SocketAttribute.local_port)
        app = await anyio.connect_tcp("127.0.0.1", port)
        ours: SocketStream = await first.accept()  # type: ignore[attr-defined]
        read_on_demand(ours)
    async with app, ours:
        yield app, ours


async def receive_all(stream: SocketStream | MemoryChannel) -> bytes:
    received = bytearray()
    try:
        while True:
            received += await stream.receive(65536)
    except anyio.EndOfStream:
        return bytes(received)


async def send_until_it_stalls(stream: SocketStream | MemoryChannel) -> int:
    """Send zeros until nothing has moved for a while; return how many bytes were taken."""
    taken = 0
    while taken < 100_000_000:
        with anyio.move_on_after(0.3) as waited:
            await stream.send(bytes(65536))
            taken += 65536
        if waited.cancelled_caught:
            return taken
    raise AssertionError("nothing holds the sender back")
