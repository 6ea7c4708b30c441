"""Several forwards with one identity: connected once, as long as one of them runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from nymproxy.legacy.client import NymProxyClient
from nymproxy.operating.groups import IdentityGroups
from nymproxy.testing import MemoryNetwork
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.proxies import echo, read_all, running_server, until, upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.legacy.lasting import IdentityGroup
    from nymproxy.legacy.server import NymProxyServer


@asynccontextmanager
async def running(server: NymProxyServer, group: IdentityGroup) -> AsyncIterator[NymProxyClient]:
    client = NymProxyClient(
        server.nym_address(), listen_port=0, group=group, wire="stream", identity_mode="shared"
    )
    async with client:
        yield client


async def carried(client: NymProxyClient, text: bytes) -> bytes:
    async with await anyio.connect_tcp(*client.local_address) as app:
        await app.send(text)
        await app.send_eof()
        return await read_all(app)


async def test_forwards_of_a_group_have_one_client_while_one_of_them_runs() -> None:
    async with (
        MemoryNetwork(seed=1) as network,
        upstream(echo) as address,
        running_server(network, address) as server,
        anyio.create_task_group() as tasks,
    ):
        groups, connector = IdentityGroups(), MemoryConnector(network)
        await tasks.start(groups.run)
        group = groups.group("web", "settings", lambda _: connector)
        assert groups.group("web", "settings", lambda _: connector) is group
        assert groups.group("web", "others", lambda _: connector) is not group
        with anyio.fail_after(20):
            async with running(server, group) as first:
                async with running(server, group) as second:
                    assert await carried(first, b"one") == b"one"
                    assert await carried(second, b"two") == b"two"
                assert len(connector.clients) == 1
                assert await carried(first, b"still") == b"still"
                assert not connector.clients[0].closed
            await until(lambda: connector.clients[0].closed)
            async with running(server, group) as again:
                assert await carried(again, b"again") == b"again"
            assert len(connector.clients) == 2
        tasks.cancel_scope.cancel()


async def test_a_group_that_was_asked_for_before_it_runs_is_connected_then() -> None:
    async with (
        MemoryNetwork(seed=1) as network,
        upstream(echo) as address,
        running_server(network, address) as server,
        anyio.create_task_group() as tasks,
    ):
        groups, connector = IdentityGroups(), MemoryConnector(network)
        group = groups.group("web", None, lambda _: connector)
        await tasks.start(groups.run)
        with anyio.fail_after(20):
            async with running(server, group) as client:
                assert await carried(client, b"hello") == b"hello"
        tasks.cancel_scope.cancel()
