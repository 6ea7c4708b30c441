"""HTTP over streams, against a small HTTP server on h11 behind the listener."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio
import h11
import httpx
import pytest
import trustme

from nymproxy.stream.httpx_transport import StreamHTTPTransport
from nymproxy.stream.tls import accept_tls
from tests.stream.support import Pair, connected_pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import ByteStream

    from nymproxy.stream.stream import MixnetStream

LONG_BODY = bytes(range(256)) * 2000


async def next_event(connection: h11.Connection, stream: ByteStream) -> h11.Event | None:
    """Return the next event, or None when the client is gone."""
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event if isinstance(event, h11.Event) else None
        try:
            connection.receive_data(await stream.receive())
        except anyio.EndOfStream:
            connection.receive_data(b"")


async def answer_request(connection: h11.Connection, stream: ByteStream) -> bool:
    """Answer one request: its method, path, host and body; False when there is none."""
    request = await next_event(connection, stream)
    if not isinstance(request, h11.Request):
        return False
    body = b""
    while isinstance(event := await next_event(connection, stream), h11.Data):
        body += bytes(event.data)
    host = dict(request.headers.raw_items()).get(b"Host", b"")
    answer = b" ".join([request.method, request.target, host, b"%d" % len(body)])
    if request.target == b"/long":
        answer = LONG_BODY
    headers = [("Content-Length", str(len(answer)))]
    if request.target == b"/close":
        headers.append(("Connection", "close"))
    out = [
        connection.send(h11.Response(status_code=200, headers=headers)),
        connection.send(h11.Data(answer)),
        connection.send(h11.EndOfMessage()),
    ]
    await stream.send(b"".join(part for part in out if part))
    return True


class Server:
    """Serves streams; counts them."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._context = context

    async def handle(self, stream: MixnetStream) -> None:
        self.connections += 1
        async with stream:
            if self._context is None:
                await self.serve(stream)
                return
            try:
                await self.serve(await accept_tls(stream, self._context))
            except (anyio.BrokenResourceError, ssl.SSLError):
                return

    async def serve(self, stream: ByteStream) -> None:
        connection = h11.Connection(h11.SERVER)
        while await answer_request(connection, stream):
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()


async def test_requests_share_a_stream() -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        server = Server()
        task_group.start_soon(pair.listener.serve, server.handle)
        transport = StreamHTTPTransport(pair.dialer, pair.acceptor.address)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            response = await http.get("/path?query=1")
            assert response.text == "GET /path?query=1 service 0"
            response = await http.post("/upload", content=LONG_BODY)
            assert response.text == f"POST /upload service {len(LONG_BODY)}"
            assert (await http.get("/long")).content == LONG_BODY
            assert server.connections == 1
        task_group.cancel_scope.cancel()


async def test_a_body_can_be_streamed_both_ways() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 10_000

    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        task_group.start_soon(pair.listener.serve, Server().handle)
        transport = StreamHTTPTransport(pair.dialer, pair.acceptor.address)
        async with httpx.AsyncClient(transport=transport) as http:
            response = await http.put("http://service:8080/", content=parts())
            assert response.text == "PUT / service:8080 100000"
            async with http.stream("GET", "http://service/long") as streamed:
                got = b"".join([part async for part in streamed.aiter_bytes()])
            assert got == LONG_BODY
        task_group.cancel_scope.cancel()


async def test_a_connection_that_the_server_closed_is_replaced() -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        server = Server()
        task_group.start_soon(pair.listener.serve, server.handle)
        transport = StreamHTTPTransport(pair.dialer, pair.acceptor.address)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            for number in range(3):
                assert (await http.get("/close")).status_code == 200
                assert server.connections == number + 1
        task_group.cancel_scope.cancel()


async def test_many_requests_at_once_use_many_streams() -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        server = Server()
        task_group.start_soon(pair.listener.serve, server.handle)
        transport = StreamHTTPTransport(pair.dialer, pair.acceptor.address, max_connections=3)
        answers: list[str] = []
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:

            async def get(number: int) -> None:
                answers.append((await http.get(f"/{number}")).text)

            async with anyio.create_task_group() as asking:
                for number in range(8):
                    asking.start_soon(get, number)
        assert sorted(answers) == [f"GET /{number} service 0" for number in range(8)]
        assert server.connections <= 3
        task_group.cancel_scope.cancel()


async def test_https_checks_the_name() -> None:
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("service.example").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        task_group.start_soon(pair.listener.serve, Server(server_context).handle)
        transport = StreamHTTPTransport(
            pair.dialer, pair.acceptor.address, ssl_context=client_context
        )
        async with httpx.AsyncClient(transport=transport) as http:
            response = await http.get("https://service.example/secret")
            assert response.text == "GET /secret service.example 0"
            with pytest.raises(httpx.ConnectError):
                await http.get("https://other.example/")
        task_group.cancel_scope.cancel()


async def refuse(pair: Pair) -> None:
    (await pair.listener.accept()).abort()


async def test_failures_are_those_of_httpx() -> None:
    async with connected_pair() as pair, anyio.create_task_group() as task_group:
        transport = StreamHTTPTransport(pair.dialer, pair.acceptor.address)
        async with httpx.AsyncClient(transport=transport, timeout=0.1) as http:
            with pytest.raises(httpx.ReadTimeout) as timeout:
                await http.get("http://service/")
            assert timeout.value.request.url == "http://service/"
            with pytest.raises(httpx.UnsupportedProtocol):
                await http.get("gopher://service/")
            await refuse(pair)  # the one that timed out
            task_group.start_soon(refuse, pair)
            with pytest.raises(httpx.NetworkError):
                await http.get("http://service/", timeout=30)
            await pair.links[0].aclose()
            with pytest.raises(httpx.ConnectError):
                await http.get("http://service/")
