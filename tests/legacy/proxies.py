"""A proxy client and a proxy server on real sockets, with a mixnet in memory between them."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.forward.endpoint import TcpEndpoint
from nymproxy.forward.listener import StreamListener
from nymproxy.legacy.client import NymProxyClient
from nymproxy.legacy.server import NymProxyServer
from tests.legacy.memory_clients import MemoryConnector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

    from nymproxy.testing import MemoryNetwork

READ_BYTES = 65536


async def read_all(stream: SocketStream) -> bytes:
    """Everything until the end of the stream."""
    received = bytearray()
    while True:
        try:
            received += await stream.receive(READ_BYTES)
        except anyio.EndOfStream:
            return bytes(received)


async def echo(stream: SocketStream) -> None:
    """An upstream that sends everything back, and then ends."""
    async for data in stream:
        await stream.send(data)
    await stream.send_eof()


@asynccontextmanager
async def upstream(handler: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A TCP service; gives its ``host:port``. A connection that breaks ends its handler only."""
    listener = await StreamListener.bind(TcpEndpoint("127.0.0.1", 0))

    async def handle(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await handler(stream)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle, tasks)
        try:
            yield str(listener.local_endpoint)
        finally:
            with anyio.CancelScope(shield=True):
                await listener.aclose()
        tasks.cancel_scope.cancel()


async def until(is_so: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait for something that has no event of its own."""
    with anyio.fail_after(seconds):
        while not is_so():  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def free_port() -> int:
    """A port where nobody listens."""
    listener = await StreamListener.bind(TcpEndpoint("127.0.0.1", 0))
    await listener.aclose()
    return listener.local_endpoint.port


@asynccontextmanager
async def running_server(
    network: MemoryNetwork, upstream_address: str, **options: Any
) -> AsyncIterator[NymProxyServer]:
    """A proxy server under the name ``server``."""
    server = await NymProxyServer.create(
        upstream_address,
        None,
        connector=MemoryConnector(network, name="server"),
        **options,
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(server.run)
        yield server
        await server.disconnect()


@dataclass
class Proxies:
    """Both ends, and the clients that the proxy client has made."""

    client: NymProxyClient
    server: NymProxyServer
    connector: MemoryConnector

    async def connect(self) -> SocketStream:
        """An app's connection."""
        return await anyio.connect_tcp(*self.client.local_address)


@asynccontextmanager
async def proxies(
    network: MemoryNetwork,
    handler: Callable[[SocketStream], Awaitable[None]] | str = echo,
    *,
    server: dict[str, Any] | None = None,
    connector: MemoryConnector | None = None,
    **options: Any,
) -> AsyncIterator[Proxies]:
    """Both proxies, running, with an upstream (or the address of one that is not ours)."""
    connector = connector or MemoryConnector(network)
    if isinstance(handler, str):
        async with _both(network, handler, server or {}, connector, options) as both:
            yield both
    else:
        async with (
            upstream(handler) as address,
            _both(network, address, server or {}, connector, options) as both,
        ):
            yield both


@asynccontextmanager
async def _both(
    network: MemoryNetwork,
    upstream_address: str,
    server_options: dict[str, Any],
    connector: MemoryConnector,
    options: dict[str, Any],
) -> AsyncIterator[Proxies]:
    async with running_server(network, upstream_address, **server_options) as server:
        options = {"wire": "legacy", **options}
        client = NymProxyClient(server.nym_address(), listen_port=0, connector=connector, **options)
        async with client:
            yield Proxies(client, server, connector)
