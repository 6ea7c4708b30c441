"""The TCP service behind a proxy server in demos, comparisons and tests.

Two ports: an HTTP server, and a greeter that speaks first. Both close their side when they are done
and then wait for the peer's end of data, so that the record says whether it came. Run it in a
process of its own with ``python -m nymproxy.testing.upstream``: one JSON line when it is ready.

HTTP paths: ``GET /payload/SEED/LENGTH`` sends that payload, ``POST /digest`` answers with length
and SHA-256 of the body, ``POST /echo`` sends the body back as it comes, ``GET /statistics`` gives
the record. Every response carries ``Connection: close``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream

from nymproxy.testing.payload import PIECE_BYTES, Payload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("nymproxy.testing")

END_OF_DATA_TIMEOUT_SECONDS = 30.0
GREETING = b"220 nymproxy greeter ready\r\n"

_ENDED = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


@dataclass(slots=True)
class UpstreamRecord:
    """What the upstream saw since it started.

    Attributes:
        connections: accepted connections, without those that only asked for the statistics.
        ends_of_data: connections whose peer ended its side in order.
        resets: connections that broke, or whose peer did not end its side in time.
        bytes_received: payload bytes received.
        bytes_sent: payload bytes sent.
    """

    connections: int = 0
    ends_of_data: int = 0
    resets: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running upstream: its two addresses (``host:port``) and its live record."""

    http: str
    greeter: str
    record: UpstreamRecord


class _HttpExchange:
    """One request and its response on one connection."""

    def __init__(self, stream: SocketStream, record: UpstreamRecord) -> None:
        self._stream = stream
        self._record = record
        self._protocol = h11.Connection(h11.SERVER)
        self.asked_for_statistics = False

    async def run(self) -> None:
        request = await self._next_event()
        if not isinstance(request, h11.Request):
            return
        path = request.target.decode("ascii", "replace")
        if request.method == b"POST" and path == "/echo":
            await self._echo()
        elif request.method == b"POST" and path == "/digest":
            await self._digest()
        elif path.startswith("/payload/"):
            await self._payload(path)
        elif path == "/statistics":
            self.asked_for_statistics = True
            self._record.connections -= 1
            await self._respond(200, json.dumps(asdict(self._record)).encode())
        else:
            await self._respond(404, b"{}")

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                try:
                    self._protocol.receive_data(await self._stream.receive(PIECE_BYTES))
                except anyio.EndOfStream:
                    self._protocol.receive_data(b"")
                continue
            assert not isinstance(event, type) or event is h11.PAUSED
            return event

    async def _body(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next_event(), h11.Data):
            self._record.bytes_received += len(event.data)
            yield bytes(event.data)

    async def _start(self, status: int, length: int | None) -> None:
        headers = [("content-type", "application/octet-stream"), ("connection", "close")]
        if length is not None:
            headers.append(("content-length", str(length)))
        await self._send(h11.Response(status_code=status, headers=headers))

    async def _send(self, event: h11.Event) -> None:
        data = self._protocol.send(event)
        if data:
            await self._stream.send(data)

    async def _send_body(self, data: bytes) -> None:
        await self._send(h11.Data(data=data))
        self._record.bytes_sent += len(data)

    async def _respond(self, status: int, body: bytes) -> None:
        await self._start(status, len(body))
        await self._send_body(body)
        await self._send(h11.EndOfMessage())

    async def _payload(self, path: str) -> None:
        try:
            seed, length = (int(part) for part in path.removeprefix("/payload/").split("/"))
        except ValueError:
            await self._respond(404, b"{}")
            return
        await self._start(200, length)
        payload = Payload(seed)
        while length > 0:
            piece = payload.take(min(length, PIECE_BYTES))
            await self._send_body(piece)
            length -= len(piece)
        await self._send(h11.EndOfMessage())

    async def _digest(self) -> None:
        digest = hashlib.sha256()
        length = 0
        async for piece in self._body():
            digest.update(piece)
            length += len(piece)
        answer = {"length": length, "sha256": digest.hexdigest()}
        await self._respond(200, json.dumps(answer).encode())

    async def _echo(self) -> None:
        await self._start(200, None)
        async for piece in self._body():
            await self._send_body(piece)
        await self._send(h11.EndOfMessage())


async def _greet(stream: SocketStream, record: UpstreamRecord) -> None:
    await stream.send(GREETING)
    record.bytes_sent += len(GREETING)
    line = b""
    while not line.endswith(b"\n") and len(line) < 1024:
        line += await stream.receive(1024)
    record.bytes_received += len(line)
    answer = b"250 " + line
    await stream.send(answer)
    record.bytes_sent += len(answer)


async def _finish(stream: SocketStream, record: UpstreamRecord) -> None:
    """End our side, then wait for the peer's end and record how it came."""
    await stream.send_eof()
    with anyio.move_on_after(END_OF_DATA_TIMEOUT_SECONDS):
        try:
            while True:
                await stream.receive()
        except anyio.EndOfStream:
            record.ends_of_data += 1
            return
    record.resets += 1


@asynccontextmanager
async def serve_upstream(host: str = "127.0.0.1") -> AsyncIterator[Upstream]:
    """Serve both ports for the time of the block."""
    record = UpstreamRecord()

    async def http(stream: SocketStream) -> None:
        async with stream:
            record.connections += 1
            exchange = _HttpExchange(stream, record)
            try:
                await exchange.run()
                if not exchange.asked_for_statistics:
                    await _finish(stream, record)
            except (*_ENDED, h11.ProtocolError) as error:
                record.resets += 1
                logger.info("a connection ended badly: %s", type(error).__name__)

    async def greeter(stream: SocketStream) -> None:
        async with stream:
            record.connections += 1
            try:
                await _greet(stream, record)
                await _finish(stream, record)
            except _ENDED as error:
                record.resets += 1
                logger.info("a connection ended badly: %s", type(error).__name__)

    async with (
        await anyio.create_tcp_listener(local_host=host, local_port=0) as http_listener,
        await anyio.create_tcp_listener(local_host=host, local_port=0) as greeter_listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(http_listener.serve, http)
        tasks.start_soon(greeter_listener.serve, greeter)
        ports = [
            listener.extra(SocketAttribute.local_port)
            for listener in (http_listener, greeter_listener)
        ]
        yield Upstream(f"{host}:{ports[0]}", f"{host}:{ports[1]}", record)
        tasks.cancel_scope.cancel()


async def _main() -> None:
    async with serve_upstream() as upstream:
        ready = {"event": "ready", "http": upstream.http, "greeter": upstream.greeter}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m nymproxy.testing.upstream",
        description="Two TCP services on free ports of 127.0.0.1, for proxies to lead to. Prints "
        "one JSON line that names them, and serves until it is ended: 'http' answers with bytes "
        "that their length and seed determine, 'greeter' speaks first and then echoes.",
    ).parse_args()
    anyio.run(_main)
