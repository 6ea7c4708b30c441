"""One connection of a workload: what came of it, and an HTTP answer read to its end of data."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import h11

from nymproxy.testing.payload import PIECE_BYTES, Payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import SocketStream


@dataclass(slots=True)
class Exchange:
    """What one connection of a workload sees.

    Attributes:
        end_of_data_seconds: how long to wait for the end of data once the answer is complete;
            ``None``: until it comes.
    """

    end_of_data_seconds: float | None = None
    started: float = field(default_factory=time.perf_counter)
    first_byte_seconds: float | None = None
    payload_bytes: int = 0
    problem: str | None = None
    end_of_data: bool = False
    finished: float | None = None
    expected: Payload | None = None
    first_wrong_byte: int | None = None
    progress: list[tuple[float, int]] = field(default_factory=list)
    round_trips_seconds: list[float] = field(default_factory=list)
    on_half: Callable[[], None] | None = None
    half: int = 0

    def finish(self) -> None:
        """Note that the connection is over. Idempotent."""
        if self.finished is None:
            self.finished = time.perf_counter()

    def saw_bytes(self) -> None:
        """Note that something of the answer has come."""
        if self.first_byte_seconds is None:
            self.first_byte_seconds = time.perf_counter() - self.started

    def got(self, data: bytes) -> None:
        """Count payload of the answer, and compare it with the expected payload, if any."""
        if self.expected is not None and self.first_wrong_byte is None:
            right = self.expected.take(len(data))
            if data != right:
                pairs = enumerate(zip(data, right, strict=True))
                wrong = next(index for index, (got, want) in pairs if got != want)
                self.first_wrong_byte = self.payload_bytes + wrong
        self.payload_bytes += len(data)
        if self.on_half is not None and self.payload_bytes >= self.half:
            self.on_half()
            self.on_half = None
        self.progress.append((time.perf_counter() - self.started, self.payload_bytes))

    async def read_http_response(self, stream: SocketStream) -> tuple[int, str, bytes]:
        """Read a response to its end of data: status, SHA-256, and the first 4 KiB of the body."""
        protocol = h11.Connection(h11.CLIENT)
        protocol.send(h11.Request(method="GET", target="/", headers=[("host", "upstream")]))
        protocol.send(h11.EndOfMessage())
        digest, head, status = hashlib.sha256(), b"", 0
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                try:
                    data = await stream.receive(PIECE_BYTES)
                except anyio.EndOfStream:
                    self.end_of_data = True
                    protocol.receive_data(b"")
                    continue
                self.saw_bytes()
                protocol.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                digest.update(event.data)
                self.got(bytes(event.data))
                head = (head + event.data)[:4096] if len(head) < 4096 else head
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                break
        await self.read_end_of_data(stream)
        return status, digest.hexdigest(), head

    async def read_end_of_data(self, stream: SocketStream) -> None:
        """Wait for it, and for nothing else, behind a complete answer."""
        if self.end_of_data:
            return
        patience = self.end_of_data_seconds
        complete = time.perf_counter()
        with anyio.move_on_after(float("inf") if patience is None else patience):
            try:
                await stream.receive(1)
            except anyio.EndOfStream:
                self.end_of_data = True
            else:
                self.problem = "bytes after the end of the answer"
        if not self.end_of_data:
            self.finished = complete
