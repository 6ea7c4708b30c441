"""What an application is told when something breaks: each failure through both sides at once.

A proxy has one promise: what an application sees is what the other side did. So a failure is judged
by what one connection saw of it: everything, an error, nothing at all, or, the worst, an orderly
end after something else than what was sent.
"""

from __future__ import annotations

import enum
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute

from nymproxy.testing.payload import payload_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream, TaskStatus

    from nymproxy.testing.workloads import Target
    from nymproxy_migrate.parity.model import Side

_RESET = (anyio.BrokenResourceError, ConnectionError)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
HALF = payload_bytes(1, 10_000)[:5_000]
ALTERED = payload_bytes(2, 60_000)
"""Some 40 packets."""
OPENING_SECONDS = 15.0
"""For a connection to be there, before anything is broken."""


class Outcome(enum.IntEnum):
    """What one end saw, from the worst to the best."""

    WRONG = 0
    SHORT = 1
    NOTHING = 2
    TOLD = 3
    COMPLETE = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """An outcome, and how long it took."""

    outcome: Outcome
    seconds: float

    def __str__(self) -> str:
        return {
            Outcome.WRONG: "wrong bytes",
            Outcome.SHORT: "cut silently",
            Outcome.NOTHING: f"hangs ({self.seconds:.0f} s)",
            Outcome.TOLD: f"error in {self.seconds:.0f} s",
            Outcome.COMPLETE: "complete",
        }[self.outcome]


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds each failure is watched.

    Attributes:
        aborts: one end breaks off.
        altered: packets are altered.
        restart: the server was restarted; 30 s are promised (docs/wire.md).
        gateway: the server's gateway is gone; 15 s are promised without mix delays, 25 with them.
    """

    aborts: float = 8.0
    altered: float = 10.0
    restart: float = 35.0
    gateway: float = 25.0


async def _nothing() -> None:
    """Break nothing."""


@dataclass(slots=True)
class _Upload:
    """What the upstream saw of an upload, once it has ended."""

    has_ended: anyio.Event = field(default_factory=anyio.Event)
    seen: Seen | None = None


@dataclass(slots=True)
class Upstream:
    """The service behind both sides; made by :func:`serve`.

    Attributes:
        patience: how long it watches.
        address: ``host:port``.
    """

    patience: Patience
    address: str = ""
    _uploads: list[_Upload] = field(default_factory=list)

    def expect_upload(self) -> tuple[bytes, _Upload]:
        """Return the mark of an upload to come, and what will be seen of it."""
        self._uploads.append(_Upload())
        return bytes([len(self._uploads) - 1]), self._uploads[-1]

    async def handle(self, stream: SocketStream) -> None:
        """Do what the first byte of a connection asks for."""
        with suppress(*_RESET, anyio.EndOfStream, anyio.ClosedResourceError):
            async with stream:
                asked = await stream.receive(1)
                if asked == b"h":
                    await stream.send(HALF)
                    await stream.receive(1)
                    await _reset(stream)
                elif asked == b"w":
                    await stream.send(ALTERED)
                    await stream.send_eof()
                    await stream.receive(1)
                elif asked == b"u":
                    await self._watch_upload(stream)
                else:
                    async for data in stream:
                        await stream.send(data)
                    await stream.send_eof()

    async def _watch_upload(self, stream: SocketStream) -> None:
        (mark,) = await stream.receive(1)
        upload = self._uploads[mark]
        await stream.send(b"!")
        upload.seen = await _watch(stream, HALF + b"more", self.patience.aborts)
        upload.has_ended.set()


@asynccontextmanager
async def serve(patience: Patience) -> AsyncIterator[Upstream]:
    """Serve, for the time of the block, what the exchanges talk to."""
    upstream = Upstream(patience)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    upstream.address = f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, upstream.handle)
        yield upstream
        tasks.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class Breakable:
    """A side that can be broken.

    Attributes:
        side: which one.
        target: where its client listens.
        upstream: where its server leads.
        restart_server: kills the server without warning, and starts it with the same keys.
    """

    side: Side
    target: Target
    upstream: Upstream
    restart_server: Callable[[], Awaitable[None]] = _nothing


@dataclass(frozen=True, slots=True)
class Troubles:
    """What the network of all sides can do to them.

    Attributes:
        alter_some: alters a few of the next packets behind those that open a connection.
        alter_none: ends that.
        remove_gateway: takes the servers' first gateway away for good.
    """

    alter_some: Callable[[], Awaitable[None]] = _nothing
    alter_none: Callable[[], Awaitable[None]] = _nothing
    remove_gateway: Callable[[], Awaitable[None]] = _nothing


async def _reset(stream: SocketStream) -> None:
    """End a connection with a reset, in place of an end of data."""
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    await stream.aclose()


async def _watch(stream: SocketStream, expected: bytes, seconds: float) -> Seen:
    """Read to the end, for a limited time, what should be these bytes."""
    started, received, outcome = time.monotonic(), b"", Outcome.NOTHING
    with anyio.move_on_after(seconds):
        try:
            while expected.startswith(received):
                received += await stream.receive()
            outcome = Outcome.WRONG
        except anyio.EndOfStream:
            outcome = Outcome.COMPLETE if received == expected else Outcome.SHORT
        except _RESET:
            outcome = Outcome.TOLD
    return Seen(outcome, time.monotonic() - started)


Exchange = Callable[["SocketStream", "_Breach", Breakable], Awaitable[Seen]]


class _Breach:
    """The point of an exchange at which something is broken: all connections wait there."""

    def __init__(self) -> None:
        self.is_reached = anyio.Event()
        self.is_broken = anyio.Event()

    async def wait(self) -> None:
        self.is_reached.set()
        await self.is_broken.wait()


async def measure(
    ways: Sequence[Breakable],
    troubles: Troubles,
    patience: Patience,
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> dict[Side, dict[str, Seen]]:
    """Break everything in turn, and return by side what was seen of each failure.

    Args:
        ways: the sides.
        troubles: of the network below them.
        patience: how long each failure is watched.
        task_status: is told when what is left is to wait.
    """
    found: dict[Side, dict[str, Seen]] = {way.side: {} for way in ways}

    async def each(
        failure: str,
        seconds: float,
        exchange: Exchange,
        breaking: Sequence[Callable[[], Awaitable[None]]] = (),
        ways: Sequence[Breakable] = ways,
    ) -> None:
        breaches = {way.side: _Breach() for way in ways}

        async def one(way: Breakable) -> None:
            breach = breaches[way.side]
            found[way.side][failure] = await _through(way, seconds, exchange, breach)
            breach.is_reached.set()

        async with anyio.create_task_group() as tasks:
            for way in ways:
                tasks.start_soon(one, way)
            for breach in breaches.values():
                await breach.is_reached.wait()
            for break_one in breaking:
                await break_one()
            for breach in breaches.values():
                breach.is_broken.set()

    await each("upstream_aborts", patience.aborts, partial(_upstream_aborts, patience))
    await each("app_aborts", patience.aborts, _app_aborts)
    for way in ways:
        await troubles.alter_some()
        await each("altered", patience.altered, partial(_altered, patience), ways=[way])
        await troubles.alter_none()
    task_status.started()
    restarts = [way.restart_server for way in ways]
    await each("restart", patience.restart, partial(_silent, patience), restarts)
    removal = [troubles.remove_gateway]
    await each("gateway", patience.gateway, partial(_goes_on, patience), removal)
    return found


async def _through(way: Breakable, seconds: float, exchange: Exchange, breach: _Breach) -> Seen:
    """Connect and do the exchange; before something is broken, its time is limited, too."""
    started = time.monotonic()
    outcome = Outcome.NOTHING
    with anyio.move_on_after(OPENING_SECONDS + seconds):
        try:
            async with await anyio.connect_tcp(way.target.host, way.target.port) as stream:
                return await exchange(stream, breach, way)
        except anyio.EndOfStream:
            outcome = Outcome.SHORT
        except _RESET:
            outcome = Outcome.TOLD
    return Seen(outcome, time.monotonic() - started)


async def _upstream_aborts(patience: Patience, stream: SocketStream, *_: object) -> Seen:
    await stream.send(b"h")
    received = 0
    while received < len(HALF):
        received += len(await stream.receive())
    await stream.send(b"x")
    return await _watch(stream, b"more", patience.aborts)


async def _app_aborts(stream: SocketStream, _: object, way: Breakable) -> Seen:
    mark, upload = way.upstream.expect_upload()
    await stream.send(b"u" + mark)
    await stream.receive(1)
    await stream.send(HALF)
    await _reset(stream)
    await upload.has_ended.wait()
    assert upload.seen is not None
    return upload.seen


async def _altered(patience: Patience, stream: SocketStream, *_: object) -> Seen:
    await stream.send(b"w")
    return await _watch(stream, ALTERED, patience.altered)


async def _silent(patience: Patience, stream: SocketStream, breach: _Breach, _: object) -> Seen:
    """Say something before the failure, and then wait for the other end."""
    await _echo_once(stream)
    await breach.wait()
    return await _watch(stream, b"more", patience.restart)


async def _goes_on(patience: Patience, stream: SocketStream, breach: _Breach, _: object) -> Seen:
    """Go on with a conversation after the failure."""
    await _echo_once(stream)
    await breach.wait()
    await stream.send(HALF)
    await stream.send_eof()
    return await _watch(stream, HALF, patience.gateway)


async def _echo_once(stream: SocketStream) -> None:
    """Open a conversation; twice, since only a stream that has shown its keys can move."""
    await stream.send(b"e")
    for _ in range(2):
        await stream.send(b"?")
        await stream.receive(1)
