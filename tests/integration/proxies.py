"""Both proxies on an embedded mixnet, with the upstream behind them, in one event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from nymproxy import NodeIdentity, NymProxyClient, NymProxyServer
from nymproxy.testing.upstream import Upstream, serve_upstream
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.legacy import Wire


@dataclass(frozen=True, slots=True)
class Pair:
    """A running pair: where the app connects to, and what the upstream saw."""

    target: Target
    upstream: Upstream
    server: NymProxyServer
    client: NymProxyClient


@asynccontextmanager
async def proxy_server(
    env: str, upstream: str, gateway: NodeIdentity | None = None
) -> AsyncIterator[NymProxyServer]:
    """A server for both protocols, with an address of its own."""
    server = await NymProxyServer.create(upstream, None, env, gateway, profile="bare")
    async with anyio.create_task_group() as tasks:
        await tasks.start(server.run)
        yield server
        await server.disconnect()


@asynccontextmanager
async def proxy_client(
    env: str, server: NymProxyServer, wire: Wire, gateway: NodeIdentity | None = None
) -> AsyncIterator[NymProxyClient]:
    """A client of ``server``, on a free port."""
    client = NymProxyClient(
        server.nym_address(),
        listen_port=0,
        env=env,
        default_client_amount=1,
        wire=wire,
        profile="bare",
        gateway=gateway,
    )
    async with client:
        yield client


@asynccontextmanager
async def pair(
    env: str,
    wire: Wire,
    *,
    client_gateway: NodeIdentity | None = None,
    server_gateway: NodeIdentity | None = None,
    timeout_seconds: float = 45.0,
) -> AsyncIterator[Pair]:
    """The upstream, a server in front of it, and a client of one wire."""
    async with (
        serve_upstream() as upstream,
        proxy_server(env, upstream.http, server_gateway) as server,
        proxy_client(env, server, wire, client_gateway) as client,
    ):
        yield Pair(Target(*client.local_address, timeout_seconds), upstream, server, client)
