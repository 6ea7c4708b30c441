"""One HTTP connection to a directory, against a server made of bytes."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute

from nymproxy.connection_options import ConnectionOptions
from nymproxy.mixnet.directory.http_connection import ConnectionLost, HttpConnection, NoConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

pytestmark = pytest.mark.anyio
OPTIONS = ConnectionOptions()
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve each connection these answers, one for each request, and then its end."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    asked: list[bytes] = []

    async def serve(stream: SocketStream) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await serve_whole(stream)

    async def serve_whole(stream: SocketStream) -> None:
        async with stream:
            for answer in answers:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += await stream.receive()
                asked.append(head)
                await stream.send(answer)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}", asked
        group.cancel_scope.cancel()


def answer(body: bytes, *headers: bytes) -> bytes:
    lines = (b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def body_of(connection: HttpConnection) -> bytes:
    body = b""
    while chunk := await connection.next_chunk():
        body += chunk
    return body


async def whole(connection: HttpConnection, url: str) -> bytes:
    await connection.request(url)
    return await body_of(connection)


async def test_requests_follow_each_other_on_one_connection() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    async with answering(early + answer(b"one"), answer(b"two", b"Connection: close")) as (
        url,
        asked,
    ):
        connection = await HttpConnection.open(url, OPTIONS, 20.0)
        assert (await connection.request(f"{url}/a?page=0")).status_code == 200
        assert not connection.take_again()  # the body is not read
        assert await body_of(connection) == b"one"
        assert connection.take_again()
        await connection.request(url.replace("//", "//user:p%40ss@"))
        assert await body_of(connection) == b"two"
        assert not connection.take_again()
        await connection.aclose()
    first, second = asked
    assert first.startswith(b"GET /a?page=0 HTTP/1.1\r\n")
    assert b"Authorization" not in first
    assert second.startswith(b"GET / HTTP/1.1\r\n")
    assert b"Authorization: Basic dXNlcjpwQHNz\r\n" in second
    assert b"user" not in second.split(b"Authorization")[0]


async def test_what_a_request_tells_the_directory() -> None:
    """The program's name, and nothing that differs between two who use it."""
    async with answering(answer(b"{}")) as (url, asked):
        connection = await HttpConnection.open(url, OPTIONS, 20.0)
        await whole(connection, f"{url}/a?page=0")
        await connection.aclose()
    host = url.removeprefix("http://")
    assert asked[0].decode() == (
        f"GET /a?page=0 HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
        "Accept-Encoding: gzip\r\nUser-Agent: nymproxy\r\n\r\n"
    )


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"SSH-2.0\r\n\r\n",
        b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 12_000 + b"\r\n",
        CHUNKED + b"1\r\n{\r\n0\r\n" + b"a:\r\n" * 12_000 + b"\r\n",
        CHUNKED + b"1;" + b"a" * 48_000 + b"\r\n{\r\n0\r\n\r\n",
    ],
    ids=[
        *("nothing", "cut off", "no HTTP", "a head without end", "a large head"),
        *("a large trailer", "a large head of a chunk"),
    ],
)
async def test_what_is_no_whole_answer_is_a_lost_connection(broken: bytes) -> None:
    async with answering(broken) as (url, _):
        connection = await HttpConnection.open(url, OPTIONS, 20.0)
        with pytest.raises(ConnectionLost) as lost:
            await whole(connection, url)
        await connection.aclose()
    assert "127.0.0.1" not in str(lost.value)


async def test_an_answer_without_a_length_lasts_until_the_end() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n\r\nall of it") as (url, _):
        connection = await HttpConnection.open(url, OPTIONS, 20.0)
        assert await whole(connection, url) == b"all of it"
        assert not connection.take_again()
        await connection.aclose()


async def test_nobody_answers() -> None:
    async with answering() as (url, _):
        pass
    with pytest.raises(NoConnection) as refused:
        await HttpConnection.open(url, OPTIONS, 20.0)
    assert "127.0.0.1" not in str(refused.value)


async def test_a_server_without_tls() -> None:
    options = ConnectionOptions(ssl_context=ssl.create_default_context())
    async with answering() as (url, _):
        with pytest.raises(NoConnection):
            await HttpConnection.open(url.replace("http:", "https:"), options, 20.0)
