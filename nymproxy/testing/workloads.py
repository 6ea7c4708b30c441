"""Workloads for a TCP port, and what came of them: the same for every proxy pair under test.

A workload plays the application: it connects to ``host:port``, where a proxy client listens whose
server carries to :mod:`nymproxy.testing.upstream`, moves bytes, checks every one of them, and waits
for the end of data.
"""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import anyio
import h11

from nymproxy.testing._exchange import Exchange
from nymproxy.testing.payload import PIECE_BYTES, Payload, payload_digest
from nymproxy.testing.upstream import GREETING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

BURST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Target:
    """Where a workload connects to, and how long it may take.

    Attributes:
        host: of the proxy client.
        port: of the proxy client.
        timeout_seconds: for the whole workload.
        end_of_data_seconds: how long to wait for the end of data once the answer is complete, for
            peers that cannot tell it; its absence is then no problem. ``None`` insists on it.
    """

    host: str
    port: int
    timeout_seconds: float = 60.0
    end_of_data_seconds: float | None = None

    @classmethod
    def listening_at(cls, local_address: str, timeout_seconds: float = 60.0) -> Self:
        """Return the target of a proxy client that says it listens at ``host:port``."""
        host, _, port = local_address.rpartition(":")
        return cls(host.strip("[]"), int(port), timeout_seconds)


@dataclass(frozen=True, slots=True)
class WorkloadResult:
    """What one workload saw.

    Attributes:
        name: the workload.
        ok: every byte was right, and nothing was missing.
        problem: what was wrong, if anything.
        payload_bytes: payload moved, both directions together.
        first_byte_seconds: from the connection's start to the first byte of the answer, of the
            slowest connection; ``None`` for uploads.
        seconds: from the first connection's start to the last one's end; a wait for an end of data
            that did not come, and need not, is left out.
        connections: how many connections the workload made.
        ends_of_data: how many of them saw the answer's end of data.
        first_wrong_byte: offset in the answer of the first byte that is not the right one, of any
            connection; a byte too few is no wrong byte.
        progress: of the first connection: seconds since its start, and payload received by then.
        round_trips_seconds: of workloads that ask and wait, in order.
    """

    name: str
    ok: bool
    problem: str | None
    payload_bytes: int
    first_byte_seconds: float | None
    seconds: float
    connections: int
    ends_of_data: int
    first_wrong_byte: int | None = None
    progress: tuple[tuple[float, int], ...] = ()
    round_trips_seconds: tuple[float, ...] = ()


@asynccontextmanager
async def _connected(target: Target) -> AsyncIterator[SocketStream]:
    async with await anyio.connect_tcp(target.host, target.port) as stream:
        yield stream


def _request(method: str, path: str, body_length: int | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: upstream", "Connection: close"]
    if body_length is not None:
        lines.append(f"Content-Length: {body_length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _download_once(
    target: Target, exchange: Exchange, seed: int, length: int, *, half_close: bool = False
) -> None:
    async with _connected(target) as stream:
        await stream.send(_request("GET", f"/payload/{seed}/{length}"))
        exchange.expected = Payload(seed)
        if half_close:
            await stream.send_eof()
        status, digest, _ = await exchange.read_http_response(stream)
    if status != 200:
        exchange.problem = f"status {status}"
    elif exchange.payload_bytes != length:
        exchange.problem = f"{exchange.payload_bytes} bytes of {length}"
    elif digest != payload_digest(seed, length):
        exchange.problem = "another SHA-256"


async def _upload_once(target: Target, exchange: Exchange, seed: int, length: int) -> None:
    async with _connected(target) as stream, anyio.create_task_group() as tasks:

        async def send_body() -> None:
            await stream.send(_request("POST", "/digest", length))
            payload, rest = Payload(seed), length
            while rest:
                piece = payload.take(min(rest, PIECE_BYTES))
                await stream.send(piece)
                rest -= len(piece)

        tasks.start_soon(send_body)
        status, _, body = await exchange.read_http_response(stream)
    exchange.payload_bytes, exchange.progress = length, []
    exchange.first_byte_seconds = None  # the answer begins when the upload has ended
    expected = {"length": length, "sha256": payload_digest(seed, length)}
    if status != 200:
        exchange.problem = f"status {status}"
    elif json.loads(body) != expected:
        exchange.problem = "the upstream got other bytes"


async def _echo_once(target: Target, exchange: Exchange, seed: int, length: int) -> None:
    async with _connected(target) as stream:
        await stream.send(_request("POST", "/echo", length) + Payload(seed).take(length))
        status, digest, _ = await exchange.read_http_response(stream)
    if status != 200:
        exchange.problem = f"status {status}"
    elif digest != payload_digest(seed, length):
        exchange.problem = "another SHA-256"


async def _bursts_once(
    target: Target, exchange: Exchange, seed: int, bursts: int, writes: int, length: int
) -> None:
    """Write small pieces without a pause, wait, and again; everything comes back once."""
    total = bursts * writes * length

    async def send_bursts(stream: SocketStream) -> None:
        await stream.send(_request("POST", "/echo", total))
        payload = Payload(seed)
        for _ in range(bursts):
            for _ in range(writes):
                await stream.send(payload.take(length))
            await anyio.sleep(BURST_PAUSE_SECONDS)

    async with _connected(target) as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(send_bursts, stream)
        status, digest, _ = await exchange.read_http_response(stream)
        tasks.cancel_scope.cancel()
    if status != 200:
        exchange.problem = f"status {status}"
    elif digest != payload_digest(seed, total):
        exchange.problem = "another SHA-256"


async def _round_trips_once(
    target: Target, exchange: Exchange, seed: int, count: int, length: int
) -> None:
    """Ask ``count`` times on one connection, each time when the last answer is complete."""
    protocol = h11.Connection(h11.CLIENT)
    protocol.send(h11.Request(method="GET", target="/", headers=[("host", "upstream")]))
    protocol.send(h11.EndOfMessage())
    payload, exchange.expected = Payload(seed), Payload(seed)
    async with _connected(target) as stream:

        async def read_until(total: int) -> bool:
            while exchange.payload_bytes < total:
                event = protocol.next_event()
                if event is h11.NEED_DATA:
                    protocol.receive_data(await stream.receive(PIECE_BYTES))
                    exchange.saw_bytes()
                elif isinstance(event, h11.Data):
                    exchange.got(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
                    return False
            return True

        await stream.send(_request("POST", "/echo", count * length))
        for number in range(1, count + 1):
            asked = time.perf_counter()
            await stream.send(payload.take(length))
            if not await read_until(number * length):
                exchange.problem = f"the answer ended after {number - 1} of {count} round trips"
                return
            exchange.round_trips_seconds.append(time.perf_counter() - asked)
        # What follows the last answer is the end of the response, and the end of data.
        while isinstance(event := protocol.next_event(), h11.Data) or event is h11.NEED_DATA:
            if event is h11.NEED_DATA:
                protocol.receive_data(await stream.receive(PIECE_BYTES))
            else:
                exchange.problem = "bytes after the end of the answer"
        await exchange.read_end_of_data(stream)
    if exchange.first_wrong_byte is not None:
        exchange.problem = "another payload came back"


async def _greeting_once(target: Target, exchange: Exchange) -> None:
    async with _connected(target) as stream:
        seen = b""
        while len(seen) < len(GREETING):
            seen += await stream.receive()
            exchange.saw_bytes()
        await stream.send(b"HELO app\r\n")
        expected = GREETING + b"250 HELO app\r\n"
        while len(seen) < len(expected):
            seen += await stream.receive()
        await exchange.read_end_of_data(stream)
    exchange.payload_bytes = len(seen)
    if seen != expected:
        exchange.problem = "another dialogue"


async def _run(
    name: str, target: Target, *parts: Callable[[Exchange], Awaitable[None]]
) -> WorkloadResult:
    """Run the parts at once, each on a connection of its own, and sum up."""
    exchanges = [Exchange(target.end_of_data_seconds) for _ in parts]

    async def guarded(part: Callable[[Exchange], Awaitable[None]], exchange: Exchange) -> None:
        try:
            await part(exchange)
        except* (OSError, anyio.EndOfStream, anyio.BrokenResourceError) as group:
            exchange.problem = f"the connection failed ({type(group.exceptions[0]).__name__})"
        except* h11.RemoteProtocolError:
            exchange.problem = "the answer is cut off"
        finally:
            exchange.finish()

    started = time.perf_counter()
    with anyio.move_on_after(target.timeout_seconds) as scope:
        async with anyio.create_task_group() as tasks:
            for part, exchange in zip(parts, exchanges, strict=True):
                tasks.start_soon(guarded, part, exchange)
    problems = [exchange.problem for exchange in exchanges if exchange.problem]
    if scope.cancelled_caught:
        problems.insert(0, f"not done within {target.timeout_seconds:g} s")
    first_bytes = [exchange.first_byte_seconds for exchange in exchanges]
    return WorkloadResult(
        name=name,
        ok=not problems,
        problem=problems[0] if problems else None,
        payload_bytes=sum(exchange.payload_bytes for exchange in exchanges),
        first_byte_seconds=max((value for value in first_bytes if value is not None), default=None),
        seconds=max(one.finished or started for one in exchanges) - started,
        connections=len(exchanges),
        ends_of_data=sum(exchange.end_of_data for exchange in exchanges),
        first_wrong_byte=min(
            (one.first_wrong_byte for one in exchanges if one.first_wrong_byte is not None),
            default=None,
        ),
        progress=tuple(exchanges[0].progress) if exchanges else (),
        round_trips_seconds=tuple(exchanges[0].round_trips_seconds) if exchanges else (),
    )


async def first_byte(target: Target) -> WorkloadResult:
    """One small request: how soon does the answer begin?"""
    return await _run("first byte", target, lambda one: _download_once(target, one, 1, 64))


async def download(
    target: Target, length: int, seed: int = 2, *, on_half: Callable[[], None] | None = None
) -> WorkloadResult:
    """One HTTP download; ``on_half`` is called when half of it has come."""

    async def part(one: Exchange) -> None:
        one.on_half, one.half = on_half, length // 2
        await _download_once(target, one, seed, length)

    return await _run("download", target, part)


async def upload(target: Target, length: int, seed: int = 3) -> WorkloadResult:
    """One HTTP upload; the upstream answers with what it got."""
    return await _run("upload", target, lambda one: _upload_once(target, one, seed, length))


async def echo(target: Target, length: int = 64, seed: int = 5) -> WorkloadResult:
    """One small payload there and back."""
    return await _run("echo", target, lambda one: _echo_once(target, one, seed, length))


async def bursts(
    target: Target, count: int = 5, writes: int = 20, length: int = 30, seed: int = 7
) -> WorkloadResult:
    """``count`` times ``writes`` small writes at once, echoed on one connection."""
    return await _run(
        "bursts", target, lambda one: _bursts_once(target, one, seed, count, writes, length)
    )


async def round_trips(
    target: Target, count: int, length: int = 64, seed: int = 6
) -> WorkloadResult:
    """``count`` small payloads there and back on one connection, one after the other."""
    return await _run(
        "round trips", target, lambda one: _round_trips_once(target, one, seed, count, length)
    )


async def connections_at_once(
    target: Target, count: int, length: int, seed: int = 100
) -> WorkloadResult:
    """``count`` connections at the same moment, each with a payload of its own."""

    def part(seed: int) -> Callable[[Exchange], Awaitable[None]]:
        return lambda one: _download_once(target, one, seed, length)

    return await _run(f"{count} at once", target, *(part(seed + index) for index in range(count)))


async def greeting(target: Target) -> WorkloadResult:
    """A dialogue in which the server speaks first (the target must lead to the greeter)."""
    return await _run("server speaks first", target, lambda one: _greeting_once(target, one))


async def half_close(target: Target, length: int = 20_000) -> WorkloadResult:
    """A request whose end of data comes before the answer."""
    return await _run(
        "half-close", target, lambda one: _download_once(target, one, 4, length, half_close=True)
    )
