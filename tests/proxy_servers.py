"""Two small proxies on loopback, which keep what they were asked."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream, SocketStream

LOST = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


@dataclass
class RunningProxy:
    """A proxy.

    Attributes:
        url: of the proxy.
        asked: the hosts and ports that it was asked for.
        heads: what HTTP clients sent.
        carried: the bytes of each connection's client, which whoever watches the line sees.
    """

    url: str
    asked: list[tuple[str, int]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    carried: list[bytearray] = field(default_factory=list)


@asynccontextmanager
async def http_proxy(*, status: str = "200 Connection established") -> AsyncIterator[RunningProxy]:
    """Serve CONNECT."""

    async def greet(stream: SocketStream, proxy: RunningProxy) -> tuple[str, int]:
        head = (await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", 65536)).decode()
        proxy.heads.append(head)
        method, authority, _ = head.split("\r\n")[0].split(" ")
        assert method == "CONNECT"
        host, _, port = authority.rpartition(":")
        return host.strip("[]"), int(port)

    async def accept(stream: SocketStream) -> bool:
        await stream.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
        return status.startswith("200")

    async with _serve("http", greet, accept) as proxy:
        yield proxy


@asynccontextmanager
async def socks5_proxy() -> AsyncIterator[RunningProxy]:
    """Serve SOCKS5 without authentication."""

    async def greet(stream: SocketStream, proxy: RunningProxy) -> tuple[str, int]:
        received = BufferedByteReceiveStream(stream)
        _, methods = await received.receive_exactly(2)
        await received.receive_exactly(methods)
        await stream.send(b"\x05\x00")
        kind = (await received.receive_exactly(4))[3]
        if kind == 3:
            (length,) = await received.receive_exactly(1)
            host = (await received.receive_exactly(length)).decode()
        else:
            assert kind == 1
            host = ".".join(str(byte) for byte in await received.receive_exactly(4))
        return host, int.from_bytes(await received.receive_exactly(2), "big")

    async def accept(stream: SocketStream) -> bool:
        await stream.send(b"\x05\x00\x00\x01" + bytes(6))
        return True

    async with _serve("socks5", greet, accept) as proxy:
        yield proxy


@asynccontextmanager
async def _serve(
    scheme: str,
    greet: Callable[[SocketStream, RunningProxy], Awaitable[tuple[str, int]]],
    accept: Callable[[SocketStream], Awaitable[bool]],
) -> AsyncIterator[RunningProxy]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy = RunningProxy(f"{scheme}://127.0.0.1:{listener.extra(SocketAttribute.local_port)}")

    async def converse(stream: SocketStream) -> None:
        try:
            async with stream:
                target = await greet(stream, proxy)
                proxy.asked.append(target)
                if await accept(stream):
                    host = "127.0.0.1" if target[0].endswith(".example") else target[0]
                    async with await anyio.connect_tcp(host, target[1]) as upstream:
                        carried = bytearray()
                        proxy.carried.append(carried)
                        await join(stream, upstream, carried)
        except LOST:
            return

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, converse)
        yield proxy
        group.cancel_scope.cancel()


async def join(client: ByteStream, upstream: ByteStream, carried: bytearray) -> None:
    """Pass bytes on both ways until one side ends, and keep what the client says."""
    async with anyio.create_task_group() as group:

        async def copy(source: ByteReceiveStream, target: ByteSendStream, seen: bytearray) -> None:
            with suppress(*LOST):
                async for data in source:
                    seen += data
                    await target.send(data)
            group.cancel_scope.cancel()

        group.start_soon(copy, client, upstream, carried)
        group.start_soon(copy, upstream, client, bytearray())
