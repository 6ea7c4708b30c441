"""Connections to the outside, direct and through proxies, on both event loops."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, suppress
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.abc import SocketAttribute

from nymproxy._dial import ProxyFailed, dial
from nymproxy.connection_options import ConnectionOptions, ProxyUrl
from nymproxy.errors import ConfigurationError
from tests.proxy_servers import http_proxy, socks5_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send(data)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield listener.extra(SocketAttribute.local_port)
        group.cancel_scope.cancel()


async def check_echo(host: str, port: int, options: ConnectionOptions) -> None:
    with anyio.fail_after(30):
        async with await dial(host, port, options) as stream:
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"


async def test_without_a_proxy() -> None:
    async with echo() as port:
        await check_echo("127.0.0.1", port, ConnectionOptions())


async def test_through_proxies() -> None:
    async with echo() as port, http_proxy() as http, socks5_proxy() as socks5:
        for proxy in (http, socks5):
            await check_echo("127.0.0.1", port, ConnectionOptions(proxy=proxy.url))
            assert proxy.asked == [("127.0.0.1", port)]


async def test_names_are_looked_up_by_the_proxy() -> None:
    """A name that exists nowhere: whoever asked the system for it would fail, and be seen."""
    async with echo() as port, http_proxy() as http, socks5_proxy() as socks5:
        for proxy in (http, socks5):
            await check_echo("no-such-host.example", port, ConnectionOptions(proxy=proxy.url))
            assert proxy.asked == [("no-such-host.example", port)]


async def test_the_password_goes_to_the_proxy_and_nowhere_else() -> None:
    async with echo() as port, http_proxy() as proxy:
        options = ConnectionOptions(proxy=proxy.url.replace("//", "//user:s%3Acret@"))
        await check_echo("127.0.0.1", port, options)
        assert "Proxy-Authorization: Basic dXNlcjpzOmNyZXQ=" in proxy.heads[0]
        assert "cret" not in repr(options)


async def test_what_a_proxy_refuses(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with http_proxy(status="407 Go\x1b[2J away") as proxy:
            options = ConnectionOptions(proxy=proxy.url.replace("//", "//user:secret@"))
            with pytest.raises(ProxyFailed, match="does not connect \\(code 407\\)") as caught:
                await dial("127.0.0.1", 9, options)
    assert "secret" not in str(caught.value) + caplog.text
    assert "\x1b" not in str(caught.value)


async def test_a_proxy_that_is_not_there() -> None:
    async with http_proxy() as proxy:
        gone = ConnectionOptions(proxy=proxy.url)
    with pytest.raises(ProxyFailed, match="does not answer"):
        await dial("127.0.0.1", 9, gone)


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\x05\x02", b"\x05\xff", b"\x04\x00", b"\x05\x00\x05\x05\x00\x01",
        b"\x05\x00\x05\x00\x00\x09\x01", b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x05\x00\x05\x00\x00\x03\xff",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_whatever_a_proxy_answers_is_a_connection_error(scheme: str, answer: bytes) -> None:
    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        port = listener.extra(SocketAttribute.local_port)
        options = ConnectionOptions(proxy=f"{scheme}://127.0.0.1:{port}")
        with anyio.fail_after(30):
            with suppress(ProxyFailed):  # some of them say yes
                await (await dial("host.example", 80, options)).aclose()
        group.cancel_scope.cancel()


@asynccontextmanager
async def answering(*parts: bytes) -> AsyncIterator[ConnectionOptions]:
    """A proxy that says these, each when the part before it was read, and then what it hears."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            stream.extra(SocketAttribute.raw_socket).setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            await stream.receive()
            for part in parts:
                await stream.send(part)
                await anyio.wait_all_tasks_blocked()
            async for data in stream:
                await stream.send(data)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        port = listener.extra(SocketAttribute.local_port)
        yield ConnectionOptions(proxy=f"http://127.0.0.1:{port}")
        group.cancel_scope.cancel()


async def test_a_proxy_may_answer_in_pieces() -> None:
    """The second was taken for the gateway's first words, and half a status line for a status."""
    answer = b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n"
    parts = [answer[:32], answer[32:60], answer[60:-2], answer[-2:]]
    async with answering(*parts) as options:
        await check_echo("2001:db8::1", 9, options)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 " + b"7" * 4_000 + b" no\r\n\r\n", "does not connect"),
        (b"HTTP/1.1 103 Early\r\n\r\n" * 10_000, "does not connect"),
        (b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 20_000 + b"\r\n", "does not connect"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols", "speaks before"),
    ],
    ids=["long status", "interim", "large head", "in the target's name"],
)
async def test_what_a_proxy_says_is_bounded(answer: bytes, said: str) -> None:
    async with answering(answer) as options:
        with anyio.fail_after(30), pytest.raises(ProxyFailed, match=said) as failed:
            await dial("host.example", 80, options)
    assert len(str(failed.value)) < 100


@pytest.mark.parametrize(
    "url",
    [
        "", "127.0.0.1:80", "ftp://h:1", "socks4://h:1", "http://h", "http://:1", "http://h:0",
        "http://h:99999", "http://[", "http://secret@", "https://h:1", "http://h:1/path",
    ],
)  # fmt: skip
def test_what_is_no_proxy(url: str) -> None:
    with pytest.raises(ConfigurationError, match="socks5://HOST:PORT") as caught:
        ConnectionOptions(proxy=url)
    assert "secret" not in str(caught.value)


def test_proxy_urls_are_read() -> None:
    proxy = ProxyUrl.parse("socks5://a%40b:p%3A@[::1]:1080/")
    assert (proxy.host, proxy.port) == ("::1", 1080)
    assert (proxy.username, proxy.password) == ("a@b", "p:")
    assert str(proxy) == "socks5://[::1]:1080"
    assert "p:" not in repr(proxy)


def test_there_are_three_modes_of_tls() -> None:
    with pytest.raises(ConfigurationError, match="always, prefer, never"):
        ConnectionOptions(tls="sometimes")  # type: ignore[arg-type]
