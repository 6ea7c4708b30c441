"""SIGTERM: sessions go on for the grace period, and are reset, never ended, when it is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from nymproxy.legacy.client import NymProxyClient
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.proxies import echo, proxies, read_all, running_server, until, upstream
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

GRACE_SECONDS = 30.0
WIRES = pytest.mark.parametrize("wire", ["legacy", "stream"])


@pytest.fixture
async def network() -> AsyncIterator[MemoryNetwork]:
    async with MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network:
        yield network


async def drips(stream: SocketStream) -> None:
    """An answer that takes a while: told when to go on."""
    await stream.send(b"begun ")
    async for data in stream:
        await stream.send(data)
        break
    await stream.send_eof()


@WIRES
async def test_a_server_that_stops_serves_to_the_end_what_ends_in_time(
    network: MemoryNetwork, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nymproxy.legacy")
    async with upstream(drips) as address, running_server(network, address) as server:
        client = NymProxyClient(
            server.nym_address(), listen_port=0, connector=MemoryConnector(network), wire=wire
        )
        async with (
            client,
            await anyio.connect_tcp(*client.local_address) as app,
            await anyio.connect_tcp(*client.local_address) as stays,
            anyio.create_task_group() as tasks,
        ):
            for each in (app, stays):
                await each.send(b"")
                assert await each.receive() == b"begun "
            tasks.start_soon(server.disconnect, GRACE_SECONDS)
            await anyio.wait_all_tasks_blocked()
            await app.send(b"the rest")
            await app.send_eof()
            with anyio.fail_after(2 * GRACE_SECONDS):
                assert await read_all(app) == b"the rest"
                with pytest.raises(anyio.BrokenResourceError):
                    await read_all(stays)
    assert "Stopping: 1 sessions were served to the end, 1 are cut" in caplog.messages


@WIRES
async def test_a_client_that_stops_serves_to_the_end_what_ends_in_time(
    network: MemoryNetwork, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nymproxy.legacy")
    async with (
        proxies(network, echo, wire=wire) as both,
        await both.connect() as app,
        await both.connect() as stays,
        anyio.create_task_group() as tasks,
    ):
        for each in (app, stays):
            await each.send(b"hello")
            assert await each.receive() == b"hello"
        tasks.start_soon(both.client.disconnect, GRACE_SECONDS)
        await anyio.wait_all_tasks_blocked()
        await app.send(b"the rest")
        await app.send_eof()
        with anyio.fail_after(2 * GRACE_SECONDS):
            assert await read_all(app) == b"the rest"
            with pytest.raises(anyio.BrokenResourceError):
                await read_all(stays)
        await until(lambda: not both.server.session_map())
    assert "Stopping: 1 connections were served to the end, 1 are cut" in caplog.messages


@WIRES
async def test_an_app_that_goes_before_the_first_answer_leaves_nothing_behind(
    network: MemoryNetwork, wire: Any
) -> None:
    """Connect, say something, reset: the server hears of it, whatever has arrived by then."""
    async with proxies(network, wire=wire, identity_mode="shared") as both:
        for _ in range(10):
            app = await both.connect()
            await app.send(b"x")
            await until(lambda: both.client.session_count > 0)
            await anyio.aclose_forcefully(app)
        await until(lambda: not both.client.session_count)
        await until(lambda: not both.server.session_map(), seconds=8)


@WIRES
async def test_without_a_server_the_app_is_told_by_a_reset(
    network: MemoryNetwork, wire: Any
) -> None:
    """Also when it has ended its own direction: silence is no end."""
    nobody = network.endpoint("nobody").address
    client = NymProxyClient(
        nobody,
        listen_port=0,
        connector=MemoryConnector(network),
        wire=wire,
        close_timeout=20,
        connect_timeout=30,
    )
    async with (
        client,
        await anyio.connect_tcp(*client.local_address) as ended,
        await anyio.connect_tcp(*client.local_address) as waits,
    ):
        await ended.send(b"hello")
        await ended.send_eof()
        await waits.send(b"hello")
        for app in (ended, waits):
            with anyio.fail_after(60), pytest.raises(anyio.BrokenResourceError):
                await read_all(app)
