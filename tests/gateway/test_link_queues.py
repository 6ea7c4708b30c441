"""nymproxy.mixnet.gateway.link: pushed messages and packets to send, in bounded queues."""

from __future__ import annotations

from functools import partial

import anyio
import anyio.lowlevel
import pytest

from nymproxy.errors import ClientDisconnected, GatewayRefused
from nymproxy.mixnet.gateway import LinkState
from tests.gateway.fake_gateway import PACKET, FakeGateway
from tests.gateway.links import IDENTITY, Pushed, make_link, running, until


async def test_messages_between_handshake_and_register(gateway: FakeGateway) -> None:
    """The real gateway pushes stored messages under the new key before it says "register"."""
    async with gateway.serve() as url:
        async with running(make_link(gateway, url)):
            pass
        gateway.clients[IDENTITY.public_key].stored = [b"kept"]
        pushed = Pushed()
        async with running(make_link(gateway, url), pushed):  # without the key: registers anew
            assert await pushed.receive() == b"kept"


async def test_more_stored_messages_than_are_taken(gateway: FakeGateway) -> None:
    async with gateway.serve() as url:
        async with running(make_link(gateway, url)):
            pass
        stored = [bytes([number]) for number in range(20)]
        gateway.clients[IDENTITY.public_key].stored = list(stored)
        pushed = Pushed(3)
        async with running(make_link(gateway, url), pushed):
            await gateway.sessions[1].push(b"later")
            assert [await pushed.receive() for _ in range(21)] == [*stored, b"later"]


async def test_what_is_not_taken_is_not_read_and_not_lost(gateway: FakeGateway) -> None:
    pushed = Pushed(2)
    messages = [bytes([number]) * 30000 for number in range(200)]

    async def push_all() -> None:
        for message in messages:
            await gateway.sessions[0].push(message)

    async with (
        gateway.serve() as url,
        running(make_link(gateway, url), pushed),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(push_all)
        for message in messages:
            assert await pushed.receive() == message


async def test_connection_lost_while_nothing_is_taken(gateway: FakeGateway) -> None:
    """What the gateway handed over is handed on, though its connection is gone meanwhile."""
    pushed = Pushed(2)
    messages = [bytes([number]) for number in range(20)]
    async with gateway.serve() as url, running(make_link(gateway, url), pushed) as link:
        await gateway.sessions[0].push(*messages)
        while not pushed.is_full:
            await anyio.lowlevel.checkpoint()
        await gateway.sessions[0].reset()
        while len(gateway.sessions) == 1:  # a write is the first to notice
            with anyio.move_on_after(0.1):
                await link.send([PACKET])
        assert [await pushed.receive() for _ in messages] == messages


async def test_stored_messages_survive_a_failed_claim(gateway: FakeGateway) -> None:
    """The gateway has forgotten them by then, so they wait for the next connection."""
    pushed = Pushed()
    async with gateway.serve() as url, running(make_link(gateway, url), pushed) as link:
        client = gateway.clients[IDENTITY.public_key]
        client.stored = [b"first", b"second"]
        client.available = 0
        gateway.gives_free_bandwidth = False
        await gateway.sessions[0].reset()
        await until(link, lambda: isinstance(link.status.error, GatewayRefused))
        assert client.stored == []
        gateway.gives_free_bandwidth = True
        assert [await pushed.receive(), await pushed.receive()] == [b"first", b"second"]


async def test_send_can_be_cancelled_and_closed(gateway: FakeGateway) -> None:
    blocked = anyio.Event()

    async def sleep(_seconds: float) -> None:
        blocked.set()
        await anyio.sleep_forever()

    async with gateway.serve() as url, running(make_link(gateway, url, sleep=sleep)) as link:
        await gateway.sessions[0].reset()
        await blocked.wait()
        assert link.status.state is LinkState.RECONNECTING
        with anyio.move_on_after(0.01) as scope:
            await link.send([PACKET])
        assert scope.cancelled_caught
        async with anyio.create_task_group() as tasks:

            async def send() -> None:
                with pytest.raises(ClientDisconnected):
                    await link.send([PACKET])

            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            await link.aclose()
    with pytest.raises(ClientDisconnected):
        await link.send([PACKET])


async def test_many_senders_share_a_bounded_buffer(gateway: FakeGateway) -> None:
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        connection = link._connection
        assert connection is not None
        most = 0

        async def send() -> None:
            nonlocal most
            for _ in range(5):
                await link.send([PACKET] * 20)
                most = max(most, connection._websocket.buffered_bytes)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(partial(send))
        await gateway.until(1000)
    assert most < 200_000
