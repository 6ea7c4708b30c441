"""Channels to the first of several servers that works, in virtual time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.channel.failover import open_to_first, watched
from nymproxy.channel.mux import ChannelMux
from nymproxy.channel.servers import ANSWER_SECONDS, FIRST_PAUSE_SECONDS, Servers
from nymproxy.errors import PhaseTimeout, UnknownGateway
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions
from nymproxy.testing import MemoryNetwork
from tests.legacy.addresses import some_address
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup, TaskStatus

    from nymproxy.address import NymAddress
    from nymproxy.channel.channel import Channel
    from nymproxy.testing import MemoryEndpoint

pytestmark = pytest.mark.anyio
PROTOCOL = StreamProtocol(StreamOptions())


async def _serve(endpoint: MemoryEndpoint, *, accepts: bool, task_status: TaskStatus[None]) -> None:
    async with ChannelMux(endpoint, [PROTOCOL], grace_seconds=0) as mux:
        acceptor = mux.listen(PROTOCOL)
        if not accepts:
            await acceptor.aclose()
        task_status.started()
        await anyio.sleep_forever()


class Scene:
    """A client, and servers that are there or not."""

    def __init__(self, network: MemoryNetwork, mux: ChannelMux, tasks: TaskGroup) -> None:
        self.network = network
        self.mux = mux
        self._tasks = tasks

    def dead(self, name: str) -> NymAddress:
        """A server whose gateway takes everything, and which says nothing."""
        return self.network.endpoint(name).address

    async def start(self, address: NymAddress, *, accepts: bool = True) -> None:
        """Start a server that was dead."""
        endpoint = self.network.find(address)
        assert endpoint is not None
        await self._tasks.start(partial(_serve, endpoint, accepts=accepts))

    async def server(self, name: str) -> NymAddress:
        """A server that runs."""
        address = self.dead(name)
        await self.start(address)
        return address

    async def open(self, servers: Servers, *, wait: bool = False) -> tuple[Channel, NymAddress]:
        return await open_to_first(self.mux, lambda _: PROTOCOL, servers, wait=wait)

    async def next_server(self, servers: Servers) -> NymAddress:
        """Where a connection goes that lasts a little longer than an answer may take."""
        channel, server = await self.open(servers)
        async with watched(channel, server, servers):
            await anyio.sleep(ANSWER_SECONDS + 1)
        channel.abort()
        return server


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with (
        MemoryNetwork() as network,
        ChannelMux(network.endpoint("client"), [PROTOCOL], grace_seconds=0) as mux,
        anyio.create_task_group() as tasks,
    ):
        yield Scene(network, mux, tasks)
        tasks.cancel_scope.cancel()


async def test_new_connections_pass_over_a_server_that_is_silent_until_it_is_back(
    scene: Scene,
) -> None:
    first, second = scene.dead("first"), await scene.server("second")
    servers = Servers([first, second])
    assert await scene.next_server(servers) == first  # this one finds out
    assert await scene.next_server(servers) == second
    await scene.start(first)
    assert await scene.next_server(servers) == second
    await anyio.sleep(FIRST_PAUSE_SECONDS)
    assert await scene.next_server(servers) == first
    assert not servers.is_doubtful(first)


async def test_a_server_that_failed_before_has_to_answer_before_a_connection_is_its(
    scene: Scene,
) -> None:
    servers = Servers([scene.dead("first"), second := await scene.server("second")])
    servers.failed(servers.addresses[0], anyio.current_time())
    await anyio.sleep(FIRST_PAUSE_SECONDS)
    started_at = anyio.current_time()
    _, server = await scene.open(servers)
    assert server == second
    assert ANSWER_SECONDS <= anyio.current_time() - started_at < ANSWER_SECONDS + 1


async def test_first_bytes_go_to_no_server_that_has_to_answer_before_it_has(scene: Scene) -> None:
    """Or two servers might do what they ask for."""
    first, second = scene.dead("first"), await scene.server("second")
    servers = Servers([first, second])
    for server in servers.addresses:
        servers.failed(server, anyio.current_time())
    await anyio.sleep(FIRST_PAUSE_SECONDS)
    channel, server = await open_to_first(scene.mux, lambda _: PROTOCOL, servers, first=b"pay")
    await channel.drain()
    assert server == second
    told = {each.recipient for each in scene.network.messages() if b"pay" in each.payload}
    assert told == {"second"}
    channel.abort()


async def test_a_server_that_answers_late_is_a_good_one(scene: Scene) -> None:
    servers = Servers([scene.dead("first"), await scene.server("second")])
    channel, first = await scene.open(servers)
    async with watched(channel, first, servers):
        await anyio.sleep(ANSWER_SECONDS + 1)
        assert servers.is_doubtful(first)
        await scene.start(first)
        with anyio.fail_after(60):
            await channel.wait_established()
        await anyio.sleep(0.1)
    assert not servers.is_doubtful(first)


async def test_a_server_that_refuses_is_passed_over(scene: Scene) -> None:
    first, second = scene.dead("first"), await scene.server("second")
    await scene.start(first, accepts=False)
    servers = Servers([first, second])
    assert await scene.next_server(servers) == first
    assert await scene.next_server(servers) == second


async def test_a_server_whose_gateway_is_gone_costs_no_connection(scene: Scene) -> None:
    gone = some_address()
    servers = Servers([gone, second := await scene.server("second")])
    assert (await scene.open(servers))[1] == second
    with pytest.raises(UnknownGateway):
        await scene.open(Servers([gone]))


async def test_without_a_server_the_last_error_tells(scene: Scene) -> None:
    with pytest.raises(PhaseTimeout):
        await scene.open(Servers([scene.dead("first"), scene.dead("second")]), wait=True)


async def test_what_ends_on_this_side_is_no_fault_of_a_server(scene: Scene) -> None:
    servers = Servers([scene.dead("first"), scene.dead("second")])
    channel, first = await scene.open(servers)
    async with watched(channel, first, servers):
        endpoint = scene.network.find(channel.local_address)
        assert endpoint is not None
        endpoint.lose_gateway()
        await channel.wait_closed()
        await anyio.sleep(0.1)
    assert not servers.is_doubtful(first)


async def test_one_server_is_not_watched(scene: Scene) -> None:
    servers = Servers([scene.dead("first")])
    assert [await scene.next_server(servers) for _ in range(2)] == [*servers.addresses] * 2


async def test_what_the_connection_raises_comes_out(scene: Scene) -> None:
    servers = Servers([scene.dead("first"), scene.dead("second")])
    channel, first = await scene.open(servers)
    with pytest.raises(ZeroDivisionError):
        async with watched(channel, first, servers):
            raise ZeroDivisionError


async def test_a_channel_that_fails_before_its_first_bytes_is_nobodys(scene: Scene) -> None:
    """Nor one whose opening is cancelled then: it stayed open with nobody to end it."""
    servers = Servers([await scene.server("first")])
    with anyio.CancelScope() as scope:
        servers.answered = lambda address: scope.cancel()  # type: ignore[method-assign]
        await open_to_first(scene.mux, lambda _: PROTOCOL, servers, first=b"x", wait=True)
    await anyio.sleep(60)
    assert not scene.mux._table.channels
