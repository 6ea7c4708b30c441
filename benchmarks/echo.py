"""W1: echo round trips in an open loop, on one warm connection.

Requests leave on a schedule of absolute times, and each time counts from the instant at which its
request was due. A stall is so charged to every request that it delayed.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import h11

from nymproxy.testing.payload import PIECE_BYTES, Payload, payload_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import SocketStream

    from nymproxy.testing.workloads import Target

ANSWER_SECONDS = 30.0
"""How long after the last request answers may come."""
WARM_UP_REQUESTS = 6
HEAD_START_SECONDS = 0.1
"""Between connecting and the first request."""


@dataclass(slots=True)
class EchoRun:
    """What one connection saw.

    Attributes:
        seconds: round trips in order, from the scheduled instant, without the warm-up.
        late_seconds: by how much the harness itself missed its schedule at worst.
        expected: requests without the warm-up.
        problem: what was wrong.
    """

    expected: int
    seconds: list[float] = field(default_factory=list)
    late_seconds: float = 0.0
    problem: str | None = None

    @property
    def sent(self) -> int:
        """Requests with the warm-up, which costs as much."""
        return self.expected + WARM_UP_REQUESTS

    @property
    def lost(self) -> int:
        """Requests without a whole answer."""
        return self.expected - len(self.seconds)


class _Answers:
    """Counts echoed bytes; request number *i* is answered with byte (i + 1) * size."""

    def __init__(self, size: int, due: Callable[[int], float]) -> None:
        self._size = size
        self._due = due
        self._count = 0
        self.digest = hashlib.sha256()
        self.seconds: list[float] = []

    def take(self, data: bytes) -> None:
        self.digest.update(data)
        self._count += len(data)
        now = time.perf_counter()
        while self._count >= (len(self.seconds) + 1) * self._size:
            self.seconds.append(now - self._due(len(self.seconds)))


def _request(length: int) -> bytes:
    lines = ("POST /echo HTTP/1.1", "Host: upstream", f"Content-Length: {length}", "", "")
    return "\r\n".join(lines).encode()


async def _read(stream: SocketStream, answers: _Answers, run: EchoRun) -> None:
    protocol = h11.Connection(h11.CLIENT)
    protocol.send(h11.Request(method="POST", target="/echo", headers=[("host", "upstream")]))
    protocol.send(h11.EndOfMessage())
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            try:
                protocol.receive_data(await stream.receive(PIECE_BYTES))
            except anyio.EndOfStream:
                protocol.receive_data(b"")
        elif isinstance(event, h11.Data):
            answers.take(bytes(event.data))
        elif isinstance(event, h11.Response):
            if event.status_code != 200:
                run.problem = f"status {event.status_code}"
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return


async def _exchange(stream: SocketStream, run: EchoRun, seed: int, size: int, rate: float) -> None:
    start = time.perf_counter() + HEAD_START_SECONDS
    total = run.sent

    def due(index: int) -> float:
        return start + index / rate

    async def send() -> None:
        payload = Payload(seed)
        await stream.send(_request(total * size))
        for index in range(total):
            await anyio.sleep(max(0.0, due(index) - time.perf_counter()))
            if index >= WARM_UP_REQUESTS:
                run.late_seconds = max(run.late_seconds, time.perf_counter() - due(index))
            await stream.send(payload.take(size))

    answers = _Answers(size, due)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await _read(stream, answers, run)
    run.seconds = answers.seconds[WARM_UP_REQUESTS:]
    if run.problem is None and answers.digest.hexdigest() != payload_digest(seed, total * size):
        run.problem = "another SHA-256"


async def echo(target: Target, *, seed: int, size: int, rate: float, requests: int) -> EchoRun:
    """Send ``requests`` of ``size`` bytes at ``rate`` a second, after a few that do not count."""
    run = EchoRun(requests)
    limit = run.sent / rate + ANSWER_SECONDS
    with anyio.move_on_after(limit) as scope:
        try:
            async with await anyio.connect_tcp(target.host, target.port) as stream:
                await _exchange(stream, run, seed, size, rate)
        except* (OSError, anyio.BrokenResourceError, h11.RemoteProtocolError) as group:
            run.problem = f"the connection failed ({type(group.exceptions[0]).__name__})"
    if scope.cancelled_caught:
        run.problem = f"not done within {limit:g} s"
    return run
