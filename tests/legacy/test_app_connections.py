"""The TCP connections of a proxy client: silent ones, probes, and the limit."""

from __future__ import annotations

import gc
import logging
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trio.testing

from nymproxy._limited_log import LimitedLog
from nymproxy.errors import ConfigurationError
from nymproxy.legacy.app_connections import (
    MAX_SILENT_IDENTITIES,
    SILENT_IDENTITIES_PER_SECOND,
    AppConnections,
    SilentTurns,
)
from nymproxy.legacy.client import NymProxyClient
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.addresses import some_address
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.proxies import proxies, read_all, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream


@pytest.fixture
async def network() -> AsyncIterator[MemoryNetwork]:
    async with MemoryNetwork(faults=MemoryFaults(delay_seconds=0.002)) as network:
        yield network


async def test_a_probe_costs_neither_identity_nor_upstream_connection(
    network: MemoryNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nymproxy.legacy.client.FIRST_BYTES_SECONDS", 5.0)  # a loaded machine's
    async with proxies(network, default_client_amount=1) as both:
        before = len(both.connector.clients)
        for _ in range(20):
            probe = await both.connect()
            await probe.aclose()
        await until(lambda: len(both.client._connections) == 0)
        assert len(both.connector.clients) == before
        assert network.messages() == []
        async with await both.connect() as app:
            await app.send(b"hello")
            assert await app.receive() == b"hello"


async def test_what_an_app_has_said_when_its_stream_is_opened_goes_with_the_opening(
    network: MemoryNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nymproxy.legacy.client.FIRST_BYTES_SECONDS", 60.0)  # a loaded machine's
    async with proxies(network, wire="stream", identity_mode="shared") as both:
        for question in (b"hello", b"and again"):
            async with await both.connect() as app:
                await app.send(question)
                assert await app.receive() == question
        brought = [
            StreamFrame.decode(each.payload).message_type
            for each in network.messages()
            if each.sender != "server" and b"and again" in each.payload
        ]
        assert brought == [MessageType.OFFER]
        await until(lambda: both.client.session_count == 0)
        assert both.client.totals.bytes_to_peer == len(b"hello" + b"and again")


async def test_an_app_that_leaves_while_it_waits_for_an_identity_costs_none(
    network: MemoryNetwork,
) -> None:
    connector = MemoryConnector(network, seconds=0.3)
    async with proxies(network, default_client_amount=0, connector=connector) as both:
        app = await both.connect()
        await until(lambda: connector.connecting == 1)
        await app.aclose()
        await until(lambda: len(both.client._connections) == 0)
        assert not both.server.session_map()


async def test_who_speaks_goes_before_those_who_are_silent(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network, seconds=0.5)  # a loaded machine is slow
    async with proxies(network, default_client_amount=0, connector=connector) as both:
        silent = [await both.connect() for _ in range(24)]
        await until(lambda: connector.connecting == 4)
        async with await both.connect() as app:
            await app.send(b"hello")
            assert await app.receive() == b"hello"
        assert len(connector.clients) < 20  # four at a time: it would have been the 25th
        for stream in silent:
            await stream.aclose()


async def test_silent_connections_share_a_few_identities(network: MemoryNetwork) -> None:
    async with proxies(network, default_client_amount=0) as both:
        silent = [await both.connect() for _ in range(MAX_SILENT_IDENTITIES + 8)]
        await until(lambda: both.client.session_count == MAX_SILENT_IDENTITIES)
        await anyio.wait_all_tasks_blocked()
        assert both.client.session_count == MAX_SILENT_IDENTITIES
        await silent[-1].send(b"hello")
        assert await silent[-1].receive() == b"hello"
        await silent[0].send(b"hello")  # and its turn goes to another
        assert await silent[0].receive() == b"hello"
        await until(lambda: both.client.session_count == MAX_SILENT_IDENTITIES + 2)
        for stream in silent:
            await stream.aclose()


async def speaking(both_connect: SocketStream) -> SocketStream:
    await both_connect.send(b"hello")
    assert await both_connect.receive() == b"hello"
    return both_connect


async def test_at_the_limit_the_longest_silent_one_goes(network: MemoryNetwork) -> None:
    async with proxies(network, max_connections=2) as both:
        silent = await both.connect()
        first = await speaking(await both.connect())
        second = await speaking(await both.connect())
        with pytest.raises(anyio.BrokenResourceError), anyio.fail_after(20):
            await read_all(silent)
        third = await both.connect()  # none is silent now: it waits
        await third.send(b"hello")
        with anyio.move_on_after(0.1) as waited:
            await third.receive()
        assert waited.cancelled_caught
        await first.aclose()
        with anyio.fail_after(20):
            assert await third.receive() == b"hello"
        for stream in (silent, second, third):
            await stream.aclose()


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_a_configuration_error(limit: int) -> None:
    with pytest.raises(ConfigurationError):
        NymProxyClient(some_address(), max_connections=limit, connector=MemoryConnector)  # type: ignore[arg-type]


class CancellingIdentities:
    """Gives a lease to a connection that is made to go at that very moment."""

    def __init__(self, proxy: NymProxyClient) -> None:
        self.released = 0
        self._connections = proxy._connections._connections

    async def take(self, *, is_patient: bool = False) -> CancellingIdentities:
        for connection in self._connections.values():
            connection.scope.cancel()
        return self

    def release(self) -> None:
        self.released += 1


async def test_a_connection_that_goes_gives_the_identity_back_that_it_has_just_got(
    network: MemoryNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxies(network) as both, await both.connect():
        await until(lambda: both.client.session_count == 1)
        identities = CancellingIdentities(both.client)
        monkeypatch.setattr(both.client, "_identities", identities)
        async with await both.connect():
            await until(lambda: identities.released)
        monkeypatch.undo()
    assert identities.released == 1


async def test_a_drain_counts_what_was_accepted_before_and_comes_to_the_list_later() -> None:
    connections = AppConnections(8, LimitedLog(logging.getLogger("test")))
    near, far = anyio.create_memory_object_stream[bytes](1)
    with near, far:
        first = connections.add(near)  # type: ignore[arg-type]
        connections.remove(first)
        second = connections.add(near)  # type: ignore[arg-type]
        counted: list[tuple[int, int]] = []

        async def drain() -> None:
            counted.append(await connections.drain(0.2))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain)
            await anyio.wait_all_tasks_blocked()
            for _ in range(2):
                connections.add(near)  # type: ignore[arg-type]
            connections.remove(second)
    assert counted == [(1, 2)]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_connection_that_is_over_does_not_wait_for_the_garbage_collector(
    network: MemoryNetwork,
) -> None:
    """On Python 3.13 the cancellation of a scope of trio 0.35 keeps the frames of who cancelled it,
    and so what they hold, until there is a collection."""
    async with proxies(network, default_client_amount=1) as both:
        gc.disable()
        try:
            async with await both.connect() as app:
                await app.send(b"hello")
                assert await app.receive() == b"hello"
                (connection,) = both.client._connections._connections.values()
                left = weakref.ref(connection)
                del connection
            await until(lambda: left() is None)
        finally:
            gc.enable()


class Turns:
    """Silent connections that wait for a turn, in virtual time."""

    def __init__(self) -> None:
        self.turns = SilentTurns()
        self.taken: list[float] = []
        """When turns were taken, in seconds from the start."""

    async def wait(self, *, holds: bool = False) -> None:
        owner: Any = object()
        try:
            await self.turns.take(owner)
            self.taken.append(anyio.current_time())
            if holds:
                await anyio.sleep_forever()
        finally:
            self.turns.give_back(owner)
            self.turns.give_back(owner)


PER_SECOND = SILENT_IDENTITIES_PER_SECOND


def in_virtual_time(main: Callable[[Turns], Awaitable[None]]) -> list[float]:
    """Return when turns were taken."""
    turns = Turns()
    trio.run(main, turns, clock=trio.testing.MockClock(autojump_threshold=0))
    return turns.taken


def test_silent_connections_get_identities_at_a_limited_rate() -> None:
    """When apps connect faster, and each goes for another one, as many were made as could be."""

    async def flood(turns: Turns) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MAX_SILENT_IDENTITIES + 2 * PER_SECOND):
                tasks.start_soon(turns.wait)

    taken = in_virtual_time(flood)
    assert len(taken) == MAX_SILENT_IDENTITIES + 2 * PER_SECOND
    assert sum(at < 0.01 for at in taken) == MAX_SILENT_IDENTITIES + 1
    assert taken[-1] == pytest.approx(2.0, abs=0.1)


def test_those_who_went_before_their_turn_have_used_none_up() -> None:
    async def flood(turns: Turns) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MAX_SILENT_IDENTITIES):
                tasks.start_soon(turns.wait)
        for _ in range(100):
            with anyio.move_on_after(0.01):
                await turns.wait(holds=True)
        await anyio.sleep(10.0)
        with anyio.fail_after(0.001):
            await turns.wait()

    assert len(in_virtual_time(flood)) < MAX_SILENT_IDENTITIES + 1.5 * PER_SECOND


def test_who_waits_for_a_turn_is_woken_when_it_has_come() -> None:
    """Hundreds were woken for each connection that came or went."""

    async def flood(turns: Turns) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(MAX_SILENT_IDENTITIES + 200):
                tasks.start_soon(partial(turns.wait, holds=True))
            await anyio.sleep(5.0)
            waiting = turns.turns._limiter.statistics()
            assert (waiting.borrowed_tokens, waiting.tasks_waiting) == (MAX_SILENT_IDENTITIES, 200)
            tasks.cancel_scope.cancel()

    assert len(in_virtual_time(flood)) == MAX_SILENT_IDENTITIES
