"""A small HTTP server for the directory and the counters: h11 on anyio streams, GET only."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import h11

if TYPE_CHECKING:
    from anyio.abc import ByteStream

logger = logging.getLogger("nymproxy.localnet")

BASE_PATH = "/api"
COUNTERS_PATH = "/counters"
IDLE_SECONDS = 60.0
CONNECTION_LIMIT = 1024
_READ_BYTES = 16 * 1024

Provider = Callable[[str], Awaitable[object | None]]
"""Returns the JSON-ready body of a path, ``None`` where there is nothing."""


class JsonServer:
    """Answers GET requests with JSON, over connections that are kept alive."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._connections = 0

    async def handle(self, stream: ByteStream) -> None:
        """Serve one TCP connection."""
        async with stream:
            if self._connections >= CONNECTION_LIMIT:
                return
            self._connections += 1
            try:
                await self._serve(stream, h11.Connection(h11.SERVER))
            except h11.RemoteProtocolError as error:
                logger.info("a client of the directory broke HTTP: %s", error)
            except (anyio.EndOfStream, anyio.BrokenResourceError, TimeoutError):
                pass
            finally:
                self._connections -= 1

    async def _serve(self, stream: ByteStream, connection: h11.Connection) -> None:
        while connection.our_state is h11.IDLE:
            request = await self._next_request(stream, connection)
            if request is None:
                return
            status, body = await self._answer(request)
            await _respond(stream, connection, status, body)
            if connection.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                connection.start_next_cycle()

    async def _next_request(
        self, stream: ByteStream, connection: h11.Connection
    ) -> h11.Request | None:
        """Read one request and its body, which is ignored; ``None`` at the end."""
        request: h11.Request | None = None
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                with anyio.fail_after(IDLE_SECONDS):
                    try:
                        connection.receive_data(await stream.receive(_READ_BYTES))
                    except anyio.EndOfStream:
                        connection.receive_data(b"")
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage):
                return request
            elif isinstance(event, h11.ConnectionClosed):
                return None

    async def _answer(self, request: h11.Request) -> tuple[int, object]:
        if request.method != b"GET":
            return 405, {"message": "only GET is answered here"}
        try:
            path = urlsplit(request.target.decode("ascii")).path
        except ValueError:
            return 400, {"message": "the target is no path"}
        body = await self._provider(path)
        return (404, {"message": "nothing is here"}) if body is None else (200, body)


async def _respond(
    stream: ByteStream, connection: h11.Connection, status: int, body: object
) -> None:
    data = json.dumps(body, separators=(",", ":")).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data)))]
    output = b"".join(
        connection.send(event) or b""
        for event in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=data),
            h11.EndOfMessage(),
        )
    )
    await stream.send(output)
