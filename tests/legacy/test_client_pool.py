"""The pool, over clients in memory, on a virtual clock."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from nymproxy.errors import (
    ClientDisconnected,
    ConfigurationError,
    GatewayUnreachable,
    UsageError,
)
from nymproxy.legacy.client_pool import ClientPool
from nymproxy.testing import MemoryNetwork
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def network() -> AsyncIterator[MemoryNetwork]:
    async with MemoryNetwork() as network:
        yield network


async def test_the_names_of_the_old_module(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network)
    pool = ClientPool(2, connector)
    assert pool.get_pool_reserve() == 2
    assert await pool.get_client_count() == 0
    assert await pool.get_mixnet_client() is None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.start)
        await anyio.sleep(1)
        assert await pool.get_client_count() == 2
        taken = await pool.get_mixnet_client()
        assert taken is not None
        assert taken.client in connector.clients[:2]
        await anyio.sleep(1)
        assert await pool.get_client_count() == 2
        await pool.disconnect_pool()
        assert await pool.get_client_count() == 0
        assert [client for client in connector.clients if not client.closed] == [taken.client]
        await taken.disconnect()  # and with it start() returns
    assert len(connector.clients) == 3
    assert all(client.closed for client in connector.clients)


async def test_start_with_specified_gateway(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network)
    pool = ClientPool(1, connector)
    async with anyio.create_task_group() as tasks:
        await tasks.start(pool.start_with_specified_gateway, network.gateway)
        async with await pool.acquire():
            pass
        await pool.disconnect_pool()
    assert set(connector.gateways) == {network.gateway}


async def test_a_taken_client_is_disconnected_by_its_block(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network)
    async with ClientPool(0, connector) as pool:
        async with await pool.acquire() as client:
            assert client.status.is_ready
            assert connector.clients[0].entered
        assert connector.clients[0].closed
    assert len(connector.clients) == 1


async def test_leaving_the_pool_disconnects_everything(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network)
    async with ClientPool(2, connector) as pool:
        await pool.acquire()
        await anyio.sleep(1)
    assert len(connector.clients) == 3
    assert all(client.closed for client in connector.clients)


async def test_an_error_in_the_block_comes_out_as_it_is(network: MemoryNetwork) -> None:
    with pytest.raises(ZeroDivisionError):
        async with ClientPool(1, MemoryConnector(network)):
            raise ZeroDivisionError


async def test_d26_retries_with_a_growing_jittered_backoff(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    connector = MemoryConnector(network, failures=8)
    with caplog.at_level(logging.WARNING):
        async with ClientPool(1, connector) as pool:
            await anyio.sleep(400)
            assert await pool.get_client_count() == 1
    pauses = [
        later - earlier
        for earlier, later in zip(connector.attempts, connector.attempts[1:], strict=False)
    ]
    assert pauses[0] == 1
    for number, pause in enumerate(pauses):
        assert min(2**number, 60) / 2 <= pause <= min(2**number, 60)
    assert pauses[-1] >= 30
    assert caplog.text.count("Error creating client: the gateway does not answer") == 8


async def test_d26_cancel_during_connect_and_during_the_pause(network: MemoryNetwork) -> None:
    factories = MemoryConnector(network, seconds=1e6), MemoryConnector(network, failures=1e6)
    for connector in factories:
        pool = ClientPool(1, connector)
        async with anyio.create_task_group() as tasks:
            await tasks.start(pool.start)
            await anyio.sleep(20)
            with anyio.fail_after(1):
                await pool.disconnect_pool()
        assert connector.connecting == 0


async def test_d26_a_client_that_is_being_connected_at_the_stop_does_not_leak(
    network: MemoryNetwork,
) -> None:
    connector = MemoryConnector(network, seconds=5)
    pool = ClientPool(3, connector)
    async with anyio.create_task_group() as tasks:
        await tasks.start(pool.start)
        await anyio.sleep(1)
        await pool.disconnect_pool()
    assert connector.cancelled == 3
    assert connector.clients == []


async def test_d26_a_stale_client_is_not_handed_out(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network)
    async with ClientPool(2, connector) as pool:
        await anyio.sleep(1)
        connector.clients[0].endpoint.disconnect()
        async with await pool.acquire() as client:
            assert client is connector.clients[1]
        await anyio.sleep(1)
        assert connector.clients[0].closed
        assert await pool.get_client_count() == 2


async def test_d26_the_oldest_client_goes_first(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network, seconds=1)
    async with ClientPool(3, connector, max_concurrent_connects=1) as pool:
        await anyio.sleep(10)
        for number in range(3):
            assert (await pool.acquire()).client is connector.clients[number]


async def test_d26_clients_are_replaced_at_max_age(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network)
    async with ClientPool(1, connector, max_age_seconds=100) as pool:
        await anyio.sleep(99)
        assert len(connector.clients) == 1
        await anyio.sleep(2)
        assert connector.clients[0].closed
        assert (await pool.acquire()).client is connector.clients[1]


async def test_d36_set_up_is_bounded_and_connections_queue(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network, seconds=1)
    order: list[int] = []
    async with ClientPool(2, connector) as pool, anyio.create_task_group() as tasks:

        async def take(number: int) -> None:
            await pool.acquire()
            order.append(number)

        for number in range(20):
            tasks.start_soon(take, number)
            await anyio.sleep(0.001)
    assert connector.most_connecting == 4
    assert all(abs(order.index(number) - number) < 4 for number in range(20))


async def test_d25_those_who_wait_are_told_when_connecting_keeps_failing(
    network: MemoryNetwork,
) -> None:
    connector = MemoryConnector(network, failures=1e6)
    async with ClientPool(0, connector) as pool:
        with pytest.raises(GatewayUnreachable), anyio.fail_after(5):
            await pool.acquire()
        with pytest.raises(GatewayUnreachable), anyio.fail_after(0.01):
            await pool.acquire()  # at once, and without another attempt
        assert len(connector.attempts) == 3
        connector.failures = 0
        await anyio.sleep(10)
        async with await pool.acquire() as client:
            assert client.status.is_ready


async def test_a_single_failure_is_retried_for_those_who_wait(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network, failures=1)
    async with ClientPool(0, connector) as pool, await pool.acquire() as client:
        assert client.status.is_ready
    assert len(connector.attempts) == 2


async def test_a_cancelled_wait_passes_its_client_on(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network, seconds=1)
    async with ClientPool(0, connector) as pool:
        with anyio.move_on_after(0.5):
            await pool.acquire()
        await anyio.sleep(1)
        assert await pool.get_client_count() == 1
        assert (await pool.acquire()).client is connector.clients[0]


async def test_stopping_tells_those_who_wait(network: MemoryNetwork) -> None:
    pool = ClientPool(0, MemoryConnector(network, seconds=1e6))
    async with anyio.create_task_group() as tasks:
        await tasks.start(pool.start)
        tasks.start_soon(_stop_later, pool)
        with pytest.raises(ClientDisconnected):
            await pool.acquire()


async def _stop_later(pool: ClientPool) -> None:
    await anyio.sleep(1)
    await pool.disconnect_pool()


async def test_misuse(network: MemoryNetwork) -> None:
    with pytest.raises(ConfigurationError):
        ClientPool(-1, MemoryConnector(network))
    with pytest.raises(ConfigurationError):
        ClientPool(1, MemoryConnector(network), max_concurrent_connects=0)
    pool = ClientPool(1, MemoryConnector(network))
    with pytest.raises(UsageError, match="start the pool"):
        await pool.acquire()
    async with pool:
        with pytest.raises(UsageError, match="running already"):
            await pool.start()


@pytest.mark.parametrize("now", [9.0, 10.0, 11.0])
def test_d26_a_pause_always_has_an_end(now: float) -> None:
    """While a pause holds connecting back, the loop sleeps to its end and not for ever."""
    pool = ClientPool(1, MemoryConnector(MemoryNetwork()))
    pool._retry_at = 10.0
    waits = pool._connects_wanted(now) == 0
    assert waits == (now < 10.0)
    assert not waits or pool._seconds_to_next_change(now) == 10.0 - now


async def test_waiting_for_the_reserve_makes_it_no_larger(network: MemoryNetwork) -> None:
    """Each client costs as much as all it will ever carry: one more is half as much again."""
    connector = MemoryConnector(network)
    async with ClientPool(2, connector) as pool:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(pool.wait_ready)
        await pool.wait_ready()  # is ready
        await anyio.sleep(10)
        assert await pool.get_client_count() == 2
        assert len(connector.clients) == 2


async def test_what_is_never_ready_is_not_waited_for(network: MemoryNetwork) -> None:
    async with ClientPool(0, MemoryConnector(network)) as pool:
        with pytest.raises(UsageError):
            await pool.wait_ready()
    with pytest.raises(UsageError):
        await ClientPool(1, MemoryConnector(network)).wait_ready()


async def test_a_queue_says_so_once_in_a_while(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty connections at once: four identities are made at a time, the others wait."""
    connector = MemoryConnector(network, seconds=1)
    async with ClientPool(0, connector) as pool, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(pool.acquire)
        await anyio.sleep(0.5)
        assert len(connector.attempts) == 4
    said = [record for record in caplog.records if "wait for an identity" in record.getMessage()]
    assert len(said) == 1
    assert "each, 5 now, of which 4 are made at a time" in said[0].getMessage()
    assert len(connector.clients) == 20


async def test_a_single_connection_that_waits_for_long_is_told_of(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the identities there are take a whole core, the next one is not made for seconds."""
    connector = MemoryConnector(network, seconds=12)
    async with ClientPool(0, connector) as pool:
        await pool.acquire()
    [said] = [record for record in caplog.records if "wait for an identity" in record.getMessage()]
    assert "each, 1 now, one for 5 s by now" in said.getMessage()


async def test_the_reserve_is_filled_after_the_first_answer(network: MemoryNetwork) -> None:
    """Connecting the next one at once took the processor from the connection that was opened."""
    connector = MemoryConnector(network)
    async with ClientPool(2, connector) as pool:
        await anyio.sleep(1)
        async with await pool.acquire():
            await anyio.sleep(0.2)
            assert len(connector.attempts) == 2
            await anyio.sleep(0.1)
            assert len(connector.attempts) == 3


async def test_an_empty_reserve_is_filled_at_once(network: MemoryNetwork) -> None:
    connector = MemoryConnector(network)
    async with ClientPool(2, connector) as pool:
        await anyio.sleep(1)
        async with await pool.acquire(), await pool.acquire():
            await anyio.sleep(0.01)
            assert len(connector.attempts) == 4
