"""What an application is told when something breaks: each failure through both sides at once.

A proxy has one promise: what an application sees is what the other side did. So a failure is judged
by what one connection saw of it: everything, an error, nothing at all, or, the worst, an orderly
end after something else than what was sent.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio.abc import SocketAttribute

from nymproxy.testing.payload import payload_bytes
from nymproxy_migrate.parity.outcomes import OPENING_SECONDS, Outcome, Seen, patient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream, TaskStatus

    from nymproxy.testing.workloads import Target
    from nymproxy_migrate.parity.model import Side
    from nymproxy_migrate.parity.outcomes import Patience

_T = TypeVar("_T")
_RESET = (anyio.BrokenResourceError, ConnectionError)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
HALF = payload_bytes(1, 10_000)[:5_000]
ALTERED = payload_bytes(2, 200_000)
"""Some 130 packets."""
_TURN_SECONDS = 0.5
"""A process that does not get its turn for so long stood still."""


async def _nothing() -> None:
    """Break nothing."""


@dataclass(slots=True)
class _Upload:
    """What the upstream saw of an upload, once it has ended."""

    has_ended: anyio.Event = field(default_factory=anyio.Event)
    outcome: Outcome = Outcome.NOTHING


@dataclass(slots=True)
class Upstream:
    """The service behind both sides; made by :func:`serve`.

    Attributes:
        address: ``host:port``.
    """

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
                    await stream.send(b"!")
                    await stream.receive(1)
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
        upload.outcome = await _outcome(stream, HALF + b"more")
        upload.has_ended.set()


@asynccontextmanager
async def serve() -> AsyncIterator[Upstream]:
    """Serve, for the time of the block, what the exchanges talk to."""
    upstream = Upstream()
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
        alter_some: alters some of the next packets to clients.
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


async def _within(seconds: float, work: Coroutine[object, object, _T]) -> _T | None:
    """Return what comes of some work, or None after so much time in which this process ran.

    One that stood still finds every deadline passed, and all that came meanwhile: it reads first.
    """
    result = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_count_down, seconds, tasks.cancel_scope)
        result = await work
        tasks.cancel_scope.cancel()
    return result


async def _count_down(seconds: float, scope: anyio.CancelScope) -> None:
    while seconds > 0:
        began, turn = time.monotonic(), min(seconds, _TURN_SECONDS)
        await anyio.sleep(turn)
        seconds -= min(time.monotonic() - began, 2 * turn)
    scope.cancel()


async def _outcome(stream: SocketStream, expected: bytes) -> Outcome:
    """Read to the end what should be these bytes."""
    received = b""
    try:
        while expected.startswith(received):
            received += await stream.receive()
    except anyio.EndOfStream:
        return Outcome.COMPLETE if received == expected else Outcome.SHORT
    except _RESET:
        return Outcome.TOLD
    return Outcome.WRONG


Rest = Callable[[], Awaitable[Outcome]]
Exchange = Callable[["SocketStream", Breakable], Awaitable[Rest]]
"""Opens a conversation, and returns what goes on with it once something is broken."""


class _Breach:
    """The point of an exchange at which something is broken: all connections wait there."""

    def __init__(self) -> None:
        self.is_reached = anyio.Event()
        self.is_broken = anyio.Event()


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

    await each("upstream_aborts", patience.aborts, _upstream_aborts)
    await each("app_aborts", patience.aborts, _app_aborts)
    for way in ways:
        await each("altered", patience.altered, _altered, [troubles.alter_some], [way])
        await troubles.alter_none()
    task_status.started()
    restarts = [way.restart_server for way in ways]
    await each("restart", patience.restart, _silent, restarts)
    await each("gateway", patience.gateway, _goes_on, [troubles.remove_gateway])
    return found


async def _through(way: Breakable, seconds: float, exchange: Exchange, breach: _Breach) -> Seen:
    """Open a conversation, wait until something is broken, and watch what comes of it."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        rest = await _within(OPENING_SECONDS, _opened(way, exchange, stack))
        opening_seconds = time.monotonic() - began
        breach.is_reached.set()
        if rest is None:
            return Seen(None, opening_seconds)
        await breach.is_broken.wait()
        began = time.monotonic()
        outcome = await _within(patient(seconds, opening_seconds), _ended(rest))
        if outcome is None:
            outcome = Outcome.NOTHING
        return Seen(outcome, time.monotonic() - began, opening_seconds)


async def _opened(way: Breakable, exchange: Exchange, stack: AsyncExitStack) -> Rest | None:
    with suppress(anyio.EndOfStream, *_RESET):
        stream = await anyio.connect_tcp(way.target.host, way.target.port)
        return await exchange(await stack.enter_async_context(stream), way)
    return None


async def _ended(rest: Rest) -> Outcome:
    try:
        return await rest()
    except _RESET:
        return Outcome.TOLD


async def _upstream_aborts(stream: SocketStream, _: object) -> Rest:
    await stream.send(b"h")
    received = 0
    while received < len(HALF):
        received += len(await stream.receive())

    async def rest() -> Outcome:
        await stream.send(b"x")
        return await _outcome(stream, b"more")

    return rest


async def _app_aborts(stream: SocketStream, way: Breakable) -> Rest:
    mark, upload = way.upstream.expect_upload()
    await stream.send(b"u" + mark)
    await stream.receive(1)

    async def rest() -> Outcome:
        await stream.send(HALF)
        await _reset(stream)
        await upload.has_ended.wait()
        return upload.outcome

    return rest


async def _altered(stream: SocketStream, _: object) -> Rest:
    await stream.send(b"w")
    await stream.receive(1)

    async def rest() -> Outcome:
        await stream.send(b"x")
        return await _outcome(stream, ALTERED)

    return rest


async def _silent(stream: SocketStream, _: object) -> Rest:
    """Wait for the other end after the failure."""
    await _echo_once(stream)
    return partial(_outcome, stream, b"more")


async def _goes_on(stream: SocketStream, _: object) -> Rest:
    """Go on with the conversation after the failure."""
    await _echo_once(stream)

    async def rest() -> Outcome:
        await stream.send(HALF)
        await stream.send_eof()
        return await _outcome(stream, HALF)

    return rest


async def _echo_once(stream: SocketStream) -> None:
    """Open a conversation; twice, since only a stream that has shown its keys can move."""
    await stream.send(b"e")
    for _ in range(2):
        await stream.send(b"?")
        await stream.receive(1)
