"""A client that goes to another gateway: on a network in memory, in virtual time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import anyio
import pytest

from nymproxy.channel.link import OPENINGS_SECONDS
from nymproxy.errors import ClientDisconnected, GatewayUnreachable
from nymproxy.mixnet.client.roaming import GIVE_UP_SECONDS, RoamingClient
from nymproxy.mixnet.client.shell import StatusBoard
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.mixnet.machine.gateway_moves import GatewayMoves
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.addresses import some_address
from tests.legacy.memory_clients import MemoryClient
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from nymproxy.address import NodeIdentity, NymAddress
    from nymproxy.mixnet.client.shell import StatusChanges
    from nymproxy.stream.stream import MixnetStream
    from nymproxy.testing import MemoryEndpoint

pytestmark = pytest.mark.anyio
PATIENCE_SECONDS = 4.0
HOME, *OTHERS = (some_address(f"{number}").gateway for number in range(4))


class Client(MemoryClient):
    """A client that says at which gateway it is, and tells of its status."""

    def __init__(self, endpoint: MemoryEndpoint, gateway: NodeIdentity) -> None:
        super().__init__(endpoint)
        self.gateway = gateway
        self._board = StatusBoard(ClientStatus(1.0, True, False, "ready"))

    @property
    def address(self) -> NymAddress:
        return replace(super().address, gateway=self.gateway)

    @property
    def status(self) -> ClientStatus:
        return self._board.current

    def status_changes(self) -> StatusChanges:
        return self._board.changes()

    def _show(self, *, is_ready: bool, is_closed: bool = False) -> None:
        self._board.show(ClientStatus(float(is_ready), is_ready, is_closed, "in memory"))

    def lose_link(self) -> None:
        self.endpoint.disconnect()
        self._show(is_ready=False)

    def regain_link(self) -> None:
        self.endpoint.reconnect()
        self._show(is_ready=True)

    def lose_gateway(self) -> None:
        self.endpoint.lose_gateway()
        self._show(is_ready=False, is_closed=True)

    async def aclose(self) -> None:
        await super().aclose()
        self._show(is_ready=False, is_closed=True)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self


class Scene:
    """A roaming client, all clients that it was, and gateways that are down."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.down: set[NodeIdentity] = set()
        self.hanging: set[NodeIdentity] = set()
        self.clients = [Client(network.endpoint(), HOME)]
        self.moves: GatewayMoves[NodeIdentity] = GatewayMoves(OTHERS, bytes)
        self.roaming = RoamingClient(
            self.clients[0], self._connect, self.moves, patience_seconds=PATIENCE_SECONDS
        )

    @property
    def client(self) -> Client:
        return self.clients[-1]

    async def _connect(self, gateway: NodeIdentity) -> Client:
        if gateway in self.hanging:
            await anyio.sleep_forever()
        await anyio.sleep(0.5)
        if gateway in self.down:
            raise GatewayUnreachable("the gateway does not answer")
        self.clients.append(Client(self.network.endpoint(), gateway))
        return self.client

    async def until_moved(self, count: int = 2) -> None:
        with anyio.fail_after(100):
            while len(self.clients) < count or not self.client.entered:  # noqa: ASYNC110
                await anyio.sleep(0.1)
            await anyio.sleep(0.1)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with MemoryNetwork(faults=MemoryFaults(delay_seconds=0.1)) as network:
        yield Scene(network)


@asynccontextmanager
async def echo_server(scene: Scene) -> AsyncIterator[NymAddress]:
    server = scene.network.endpoint("server")
    async with StreamEndpoint(server) as endpoint:
        listener = endpoint.listener()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, _echo, tasks)
            yield server.address
            tasks.cancel_scope.cancel()


async def _echo(stream: MixnetStream) -> None:
    async for data in stream:
        await stream.send(data)
    await stream.aclose()


async def ask(stream: MixnetStream, question: bytes) -> None:
    """Say something, and hear it back."""
    await stream.send(question)
    received = b""
    with anyio.fail_after(60):
        while len(received) < len(question):
            received += await stream.receive()
    assert received == question


@pytest.mark.parametrize("is_lost_for_good", [True, False])
async def test_streams_go_on_at_another_gateway(scene: Scene, is_lost_for_good: bool) -> None:
    async with (
        echo_server(scene) as to,
        scene.roaming as client,
        StreamEndpoint(client) as endpoint,
        await endpoint.open_stream(to, wait=True) as stream,
    ):
        await ask(stream, b"before")
        lost_at = anyio.current_time()
        (scene.client.lose_gateway if is_lost_for_good else scene.client.lose_link)()
        await ask(stream, bytes(30_000))
        assert anyio.current_time() - lost_at < 15
        assert scene.client.gateway == OTHERS[0]
        assert scene.clients[0].closed
        assert client.address == scene.client.address
        await ask(await endpoint.open_stream(to), b"a new stream")
        if not is_lost_for_good:
            assert client.outage_seconds >= PATIENCE_SECONDS


@asynccontextmanager
async def opened_as_the_link_is_lost(
    scene: Scene,
) -> AsyncIterator[tuple[MixnetStream, MixnetStream]]:
    """A stream that goes on, and one whose opening has left, and has no answer."""
    async with (
        echo_server(scene) as to,
        scene.roaming as client,
        StreamEndpoint(client) as endpoint,
    ):
        stream = await endpoint.open_stream(to, wait=True)
        opened = await endpoint.open_stream(to)
        await opened.send(b"first")
        await anyio.sleep(0.05)
        scene.client.lose_link()
        yield stream, opened


async def test_an_opening_without_an_answer_waits_for_a_gateway_that_restarts(
    scene: Scene,
) -> None:
    """It was cut at once: no other client can go on with it."""
    async with opened_as_the_link_is_lost(scene) as (stream, opened):
        await anyio.sleep(PATIENCE_SECONDS + OPENINGS_SECONDS - 0.5)
        scene.client.regain_link()
        assert await opened.receive() == b"first"
        await ask(stream, b"second")
        assert [client.gateway for client in scene.clients] == [HOME]


async def test_it_does_not_hold_the_others_up_for_long(scene: Scene) -> None:
    async with opened_as_the_link_is_lost(scene) as (stream, opened):
        lost_at = anyio.current_time()
        await ask(stream, bytes(30_000))
        assert anyio.current_time() - lost_at < 15
        assert scene.client.gateway == OTHERS[0]
        with pytest.raises(anyio.BrokenResourceError):
            await opened.receive()
        assert isinstance(opened.error, ClientDisconnected)


async def test_a_short_outage_moves_nobody(scene: Scene) -> None:
    async with scene.roaming:
        scene.client.lose_link()
        await anyio.sleep(PATIENCE_SECONDS - 0.5)
        scene.client.regain_link()
        await anyio.sleep(60)
        assert len(scene.clients) == 1


async def test_a_gateway_that_comes_back_meanwhile_is_kept(scene: Scene) -> None:
    async with scene.roaming as client:
        scene.client.lose_link()
        await anyio.sleep(PATIENCE_SECONDS + 0.2)
        scene.client.regain_link()
        await anyio.sleep(5)
        assert client.address.gateway == HOME
        assert scene.client.closed  # the one that is not needed any more


async def test_gateways_that_do_not_work_are_passed_over(scene: Scene) -> None:
    scene.down, scene.hanging = {OTHERS[0]}, {OTHERS[1]}
    async with scene.roaming as client:
        scene.client.lose_gateway()
        await anyio.sleep(1)
        assert not client.status.is_closed
        await scene.until_moved()
        assert client.address.gateway == OTHERS[2]
        assert client.status.is_ready


async def test_what_would_not_survive_a_move_waits_for_the_gateway(scene: Scene) -> None:
    async with scene.roaming as client:
        may_move = False
        moved = []
        client.on_moved(lambda: moved.append(client.address.gateway), lambda _: may_move)
        scene.client.lose_link()
        await anyio.sleep(30)
        assert len(scene.clients) == 1
        may_move = True
        await scene.until_moved()
        assert moved == [OTHERS[0]]


async def test_messages_that_wait_are_sent_by_the_next_client(scene: Scene) -> None:
    other = scene.network.endpoint("other")
    async with scene.roaming as client, anyio.create_task_group() as tasks:
        client.hold(other.address)
        scene.client.lose_gateway()
        tasks.start_soon(client.send, other.address, b"later")
        with anyio.fail_after(60):
            received = await anext(other.receive())
            assert received.payload == b"later"
            assert received.sender_tag == client.sender_tag_for(other.address)
            await other.send(scene.client.endpoint.address, b"hello")
            assert (await anext(client.receive())).payload == b"hello"
        client.let_go(other.address)


async def test_a_client_with_nowhere_to_go_has_ended(scene: Scene) -> None:
    scene.down = set(OTHERS)
    async with scene.roaming as client:
        scene.client.lose_gateway()
        with pytest.raises(ClientDisconnected):
            await client.send(scene.client.endpoint.address, b"never")
        with pytest.raises(ClientDisconnected):
            await anext(client.receive())
        assert anyio.current_time() >= GIVE_UP_SECONDS
        assert client.status.is_closed
        assert not client.is_connected


async def test_moves_are_few(scene: Scene) -> None:
    async with scene.roaming as client:
        for number in range(3):
            scene.client.lose_gateway()
            await scene.until_moved(number + 2)
        scene.client.lose_gateway()
        with pytest.raises(ClientDisconnected):  # all three that were drawn were left
            await anext(client.receive())


async def test_closing_ends_the_messages(scene: Scene) -> None:
    async with scene.roaming as client:
        await client.aclose()
        assert [each async for each in client.receive()] == []


async def test_a_client_that_cannot_be_entered_is_no_roaming_client(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Client) -> Client:
        raise GatewayUnreachable("not today")

    monkeypatch.setattr(Client, "__aenter__", fail)
    with pytest.raises(GatewayUnreachable):
        await scene.roaming.__aenter__()
