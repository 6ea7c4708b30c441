"""Several clients as one transport, on a mixnet in memory."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import ClientDisconnected
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.client.group import ClientGroup
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.stream.traits import StreamOptions
from nymproxy.testing import MemoryNetwork
from tests.legacy.memory_clients import MemoryClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.address import NymAddress
    from nymproxy.mixnet.transport import MessageTransport, Received
    from nymproxy.stream.stream import MixnetStream

pytestmark = pytest.mark.anyio
SEALED = StreamOptions(seals=True)


class Scene:
    """A group of two, and the network."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        memory = MemoryAccount()
        self.clients = [
            MemoryClient(network.endpoint(f"server-{number}", memory=memory)) for number in (1, 2)
        ]
        self.group = ClientGroup(self.clients)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with MemoryNetwork() as network:
        scene = Scene(network)
        async with scene.group:
            yield scene
        assert all(client.closed for client in scene.clients)


@asynccontextmanager
async def echoing(group: ClientGroup) -> AsyncIterator[None]:
    """A listener at all addresses of a group, whose streams are echoed."""
    async with StreamEndpoint(group, options=SEALED) as endpoint:
        listener = endpoint.listener()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, _echo, tasks)
            yield
            tasks.cancel_scope.cancel()


async def _echo(stream: MixnetStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


async def next_message(transport: MessageTransport) -> Received:
    """Wait for a message."""
    with anyio.fail_after(20):
        return await anext(transport.receive())


async def ask(scene: Scene, name: str, to: NymAddress, *, seals: bool = True) -> bytes:
    """Dial an address by a client of its own, and return what comes back."""
    transport = scene.network.endpoint(name)
    options = StreamOptions(seals=seals)
    async with (
        StreamEndpoint(transport, options=options) as endpoint,
        await endpoint.open_stream(to) as stream,
    ):
        await stream.send(name.encode())
        await stream.send_eof()
        return b"".join([data async for data in stream])


@pytest.mark.parametrize("seals", [True, False])
async def test_streams_come_in_at_every_address(scene: Scene, seals: bool) -> None:
    assert scene.group.addresses == tuple(each.address for each in scene.clients)
    async with echoing(scene.group):
        with anyio.fail_after(20):
            for number, address in enumerate(scene.group.addresses):
                name = f"dialer-{number}"
                assert await ask(scene, name, address, seals=seals) == name.encode()


async def test_answers_go_through_the_client_that_was_written_to(scene: Scene) -> None:
    dialer = scene.network.endpoint("dialer")
    to = scene.clients[1].address
    await dialer.send(to, b"question", surbs=20)
    received = await next_message(scene.group)
    tag = received.sender_tag
    assert tag is not None
    assert scene.group.knows(tag)
    assert scene.group.address_for(tag) == to
    assert not scene.clients[0].knows(tag)
    assert scene.group.reply_surbs_in_hand(tag) == scene.clients[1].reply_surbs_in_hand(tag) > 0
    scene.group.hold(tag)
    await scene.group.send(tag, b"answer")
    scene.group.let_go(tag)
    received = await next_message(dialer)
    assert received.payload == b"answer"


async def test_what_is_dialed_is_dialed_by_the_first(scene: Scene) -> None:
    other = scene.network.endpoint("other")
    assert scene.group.sender_tag_for(other.address) == scene.clients[0].sender_tag_for(
        other.address
    )
    assert scene.group.packet_rate == scene.clients[0].packet_rate
    assert not scene.group.is_restored
    scene.group.discard_lane(7)
    await scene.group.send(other.address, b"hello")
    received = await next_message(other)
    assert received.sender_tag == scene.clients[0].sender_tag_for(other.address)


async def test_the_others_go_on_without_one_that_is_lost(scene: Scene) -> None:
    async with echoing(scene.group):
        scene.clients[0].endpoint.lose_gateway()
        assert scene.group.is_connected
        assert scene.group.status.is_ready
        with anyio.fail_after(20):
            assert await ask(scene, "dialer", scene.clients[1].address) == b"dialer"


async def test_each_client_tells_how_long_it_has_had_its_gateway(scene: Scene) -> None:
    first, second = scene.group.addresses
    scene.clients[1].endpoint.disconnect()
    assert scene.group.connected_seconds_at(first) == math.inf
    assert scene.group.connected_seconds_at(second) == 0.0
    scene.clients[1].endpoint.reconnect()
    assert 0.0 <= scene.group.connected_seconds_at(second) < math.inf


async def test_it_ends_with_the_last_one(scene: Scene) -> None:
    for client in scene.clients:
        client.endpoint.lose_gateway()
    with anyio.fail_after(20), pytest.raises(ClientDisconnected):
        async for _ in scene.group.receive():
            pass
    assert not scene.group.is_connected


async def test_closing_it_ends_the_messages(scene: Scene) -> None:
    await scene.group.aclose()
    with anyio.fail_after(20):
        assert [each async for each in scene.group.receive()] == []
