"""nymproxy.mixnet.gateway.websocket and the localnet's end, over streams in memory."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode

from nymproxy.errors import ConfigurationError, GatewayProtocolError, GatewayUnreachable
from nymproxy.mixnet.gateway import websocket as websocket_module
from nymproxy.mixnet.gateway.connection import parse_websocket_url
from nymproxy.mixnet.gateway.websocket import MAX_BUFFERED_BYTES, WebSocketStream
from nymproxy.mixnet.gateway.websocket_messages import Ping, Pong, opening_request
from tests.gateway.server_end import ServerEnd
from tests.gateway.streams import MemoryByteStream, memory_streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

URI = parse_websocket_url("ws://gateway.example:9000")


@asynccontextmanager
async def connected(
    *, max_message_bytes: int = 1000, buffered_sends: int = 1000
) -> AsyncIterator[tuple[WebSocketStream, ServerEnd, MemoryByteStream, MemoryByteStream]]:
    """Client and server websocket, and the streams below them."""
    near, far = memory_streams(buffered_sends)
    servers: list[ServerEnd] = []

    async def accept() -> None:
        servers.append(await ServerEnd.accept(far))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(accept)
        client = await WebSocketStream.connect(near, URI, max_message_bytes=max_message_bytes)
    yield client, servers[0], near, far
    await near.aclose()
    await far.aclose()


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "CLOSE_SECONDS", 0.1)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


async def test_messages_both_ways() -> None:
    async with connected() as (client, server, _near, far):
        far.piece = 3
        await client.send("text ä", b"\x00binary", "", b"")
        assert [await server.receive() for _ in range(4)] == ["text ä", b"\x00binary", "", b""]
        await server.send("back")
        assert await client.receive() == "back"


async def test_one_write_for_many_messages() -> None:
    async with connected() as (client, _server, near, _far):
        before = len(near.sent)
        await client.send(*[b"x" * 100] * 50)
        assert len(near.sent) == before + 1


async def test_fragments() -> None:
    async with connected() as (client, _server, _near, far):
        await far.send(
            frame(Opcode.TEXT, b"\xc3", fin=False)
            + frame(Opcode.PING, b"in between")
            + frame(Opcode.CONT, b"", fin=False) * 1000
            + frame(Opcode.CONT, b"\xa4")
            + frame(Opcode.BINARY, b"a", fin=False)
            + frame(Opcode.CONT, b"b")
        )
        assert await client.receive_event() == Ping(b"in between")
        assert await client.receive() == "ä"
        assert await client.receive() == b"ab"


async def test_ping_and_pong() -> None:
    async with connected() as (client, server, _near, _far):
        await server.ping(b"12345678")
        assert await client.receive_event() == Ping(b"12345678")
        assert await server.receive_event() == Pong(b"12345678")
        await client.ping()
        await client.send("after")
        assert await server.receive() == "after"
        await server.send("done")
        assert await client.receive() == "done"


@pytest.mark.parametrize(
    "data",
    [
        frame(Opcode.BINARY, b"x" * 1001),
        frame(Opcode.BINARY, b"x" * 600, fin=False) + frame(Opcode.CONT, b"x" * 600),
        frame(Opcode.TEXT, b"\xff"),
        frame(Opcode.TEXT, b"\xff", fin=False) + frame(Opcode.CONT, b""),
        frame(Opcode.CONT, b"without a start"),
        frame(Opcode.BINARY, b"masked", mask=True),
        b"\xf2\x00",
    ],
    ids=[
        "too-long",
        "too-long-in-pieces",
        "no-utf-8",
        "no-utf-8-in-pieces",
        "continuation-first",
        "masked",
        "reserved-bits",
    ],
)
async def test_violations(data: bytes) -> None:
    """What arrived before still counts; then the error; nothing more can be sent."""
    async with connected() as (client, server, _near, far):
        await far.send(frame(Opcode.TEXT, b"good") + data)
        assert await client.receive() == "good"
        with pytest.raises(GatewayProtocolError, match="broke the protocol"):
            await client.receive()
        with pytest.raises(GatewayProtocolError):
            await client.receive()
        with pytest.raises(anyio.EndOfStream):
            await client.send("more")
        with pytest.raises(anyio.EndOfStream):
            await server.receive()


async def test_we_close() -> None:
    async with connected() as (client, server, _near, _far), anyio.create_task_group() as tasks:

        async def read_and_close() -> None:
            assert await server.receive() == "last words"
            with pytest.raises(anyio.EndOfStream):
                await server.receive()
            await server.aclose()

        await client.send("last words")
        with anyio.fail_after(30):
            tasks.start_soon(read_and_close)
            await client.aclose()
        assert client._protocol.close_code == 1005
        with pytest.raises(anyio.ClosedResourceError):
            await client.receive()
        with pytest.raises(anyio.ClosedResourceError):
            await client.send("x")
        await client.aclose()


async def test_the_server_closes() -> None:
    async with connected() as (client, server, _near, _far), anyio.create_task_group() as tasks:
        await server.send("last words")
        tasks.start_soon(server.aclose)
        assert await client.receive() == "last words"
        with pytest.raises(anyio.EndOfStream):
            await client.receive()
        with pytest.raises(anyio.EndOfStream):
            await client.send("too late")
        await client.aclose()


async def test_close_wakes_a_reader_and_a_sender() -> None:
    async with connected(buffered_sends=2) as (client, _server, _near, _far):

        async def read() -> None:
            with pytest.raises((anyio.ClosedResourceError, anyio.EndOfStream)):
                await client.receive()

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                tasks.start_soon(expect_broken, partial(client.send, b"x" * 900), 1000)
                await anyio.wait_all_tasks_blocked()
                await client.aclose()


async def test_close_in_a_cancelled_scope() -> None:
    async with connected() as (client, server, _near, _far):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.aclose()
        with pytest.raises(anyio.EndOfStream):
            await server.receive()


async def test_silent_peer_does_not_hold_up_a_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "CLOSE_SECONDS", 0.02)
    async with connected() as (client, _server, _near, _far):
        with anyio.fail_after(30):
            await client.aclose()


async def test_lost_connection() -> None:
    async with connected() as (client, server, _near, far):
        await far.aclose()
        with pytest.raises(anyio.EndOfStream):
            await client.receive()
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await client.send("x")
        with pytest.raises(anyio.ClosedResourceError):
            await server.receive()
        await client.aclose()


async def test_two_readers() -> None:
    async with connected() as (client, server, _near, _far), anyio.create_task_group() as tasks:
        tasks.start_soon(client.receive)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(anyio.BusyResourceError):
            await client.receive()
        await server.send("enough")


async def test_cancelled_receive_loses_nothing() -> None:
    async with connected() as (client, server, near, _far):
        near.piece = 1
        with anyio.move_on_after(0.01):
            await client.receive()
        await server.send("whole")
        assert await client.receive() == "whole"


async def test_cancelled_write_breaks_the_connection() -> None:
    """Half a frame may be out: going on would put the peer out of step."""
    async with connected(buffered_sends=0) as (client, _server, _near, _far):
        with anyio.move_on_after(0.01) as scope:
            await client.send("stuck")
        assert scope.cancelled_caught
        with pytest.raises(anyio.BrokenResourceError):
            await client.send("next")


async def test_cancelled_send_with_a_writer_is_harmless() -> None:
    async with (
        connected(buffered_sends=0, max_message_bytes=10**6) as (client, server, _near, _far),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(client.run_writer)
        await anyio.wait_all_tasks_blocked()
        await client.send(b"a" * (MAX_BUFFERED_BYTES + 1))  # taken at once, written later
        with anyio.move_on_after(0.01) as scope:
            await client.send(b"never taken")
        assert scope.cancelled_caught
        assert await server.receive() == b"a" * (MAX_BUFFERED_BYTES + 1)
        await client.send(b"b")
        assert await server.receive() == b"b"
        tasks.cancel_scope.cancel()


async def test_senders_wait_while_the_buffer_is_full() -> None:
    async with connected(buffered_sends=0, max_message_bytes=10**6) as (client, server, _, _far):
        taken = 0

        async def send() -> None:
            nonlocal taken
            for _ in range(20):
                await client.send(b"x" * 50_000)
                taken += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.run_writer)
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert client.buffered_bytes <= MAX_BUFFERED_BYTES + 51_000
            assert taken < 5
            for _ in range(20):
                assert len(await server.receive()) == 50_000
            assert taken == 20
            tasks.cancel_scope.cancel()


async def test_stalled_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        connected(buffered_sends=0) as (client, _server, _near, _far),
        anyio.create_task_group() as tasks,
    ):
        # Not before: opening writes, too, and a loaded machine takes its time.
        monkeypatch.setattr(websocket_module, "STALLED_SECONDS", 0.02)
        tasks.start_soon(expect_broken, client.run_writer)
        await anyio.wait_all_tasks_blocked()
        await client.send(b"x")


async def expect_broken(function: Callable[[], Awaitable[object]], times: int = 1) -> None:
    """Call until it finds the connection broken, at most so often."""
    with pytest.raises((anyio.BrokenResourceError, anyio.ClosedResourceError)):
        await repeat(function, times)


async def repeat(function: Callable[[], Awaitable[object]], times: int) -> None:
    for _ in range(times):
        await function()


async def test_ping_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pongs that the peer does not read may not pile up without bound."""
    monkeypatch.setattr(websocket_module, "_FLOODED_BYTES", 1000)
    pings = frame(Opcode.PING, b"p" * 100) * 2
    async with (
        connected(buffered_sends=0) as (client, _server, near, far),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(expect_broken, client.run_writer)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(expect_broken, partial(far.send, pings), 1000)
        await expect_broken(client.receive_event, 1000)
        assert client.buffered_bytes < 2000
        await near.aclose()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"\x00" * 100,
        b"x" * 100_000,
        b"",
    ],
)
async def test_no_websocket_server(answer: bytes) -> None:
    near, far = memory_streams()
    if answer:
        await far.send(answer)
    await far.send_eof()
    with pytest.raises(GatewayUnreachable):
        await WebSocketStream.connect(near, URI)
    await near.aclose()
    await far.aclose()


async def test_handshake_as_the_real_client_makes_it() -> None:
    """Byte for byte, as recorded from nym-proxy-server 1.21.6, but for its random key."""
    async with connected() as (client, _server, near, far):
        assert near.sent[0].decode() == (
            "GET / HTTP/1.1\r\nHost: gateway.example:9000\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {client._protocol.key}\r\n\r\n"
        )
        assert far.sent[0].startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("url", "host"),
    [("wss://gateway.example:443", "gateway.example:443"), ("ws://[::1]:9000", "[::1]:9000")],
)
def test_the_port_of_a_host_is_always_said(url: str, host: str) -> None:
    assert opening_request(ClientProtocol(parse_websocket_url(url))).headers["Host"] == host


async def test_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with connected() as (client, server, _near, _far):
            await client.send("secret", b"secret")
            await server.receive()
            await client.aclose()
    assert "secret" not in caplog.text


def test_urls() -> None:
    uri = parse_websocket_url("wss://[2001:db8::1]/path")
    assert (uri.secure, uri.host, uri.port, uri.resource_name) == (
        True,
        "2001:db8::1",
        443,
        "/path",
    )
    for url in ("http://x", "ws://x:port", "ws://x:99999", "ws://x#y", "ws://user@x", "x", ""):
        with pytest.raises(ConfigurationError, match="is no websocket URL"):
            parse_websocket_url(url)
