"""nymproxy.mixnet.gateway.link: connections that end or fall silent, and the ones after them."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from nymproxy.errors import GatewayUnreachable
from nymproxy.mixnet.gateway import GatewayListener, PhaseLimits
from nymproxy.mixnet.gateway.responses import ErrorResponse
from tests.gateway.fake_gateway import PACKET, FakeGateway, FakeTime
from tests.gateway.links import Pushed, make_link, running, say_nothing, until
from tests.legacy.virtual_time import virtual_clock


@pytest.mark.parametrize("how", ["reset", "close", "undecryptable", "error", "unparsable", "clear"])
async def test_reconnects(gateway: FakeGateway, time: FakeTime, how: str) -> None:
    """Whatever ends a connection, packets flow again on the next one, and pushes too."""
    pushed = Pushed()
    async with gateway.serve() as url, running(make_link(gateway, url), pushed) as link:
        key = link.shared_key
        session = gateway.sessions[0]
        await link.send([PACKET])
        await gateway.until(1)
        match how:
            case "reset":
                await session.reset()
            case "close":
                await session.websocket.aclose()
            case "undecryptable":
                await session.websocket.send(b"\x01\x01" + b"x" * 60)
            case "clear":
                await session.websocket.send(b"\x01\x00" + b"x" * 60)
            case "error":
                await session.answer(ErrorResponse("Provided binary request was malformed"))
            case _:
                await session.websocket.send("{")
        second = await gateway.until_sessions(2)
        await until(link, lambda: link.is_connected)
        assert link.shared_key == key
        await link.send([PACKET])
        await gateway.until(2)
        await second.push(b"hello again")
        assert await pushed.receive() == b"hello again"
    assert 1.0 <= time.sleeps[0] <= 2.0
    assert "authenticateV2" in second.texts[1]


@pytest.mark.parametrize("anyio_backend", [virtual_clock()])
async def test_silent_connection_is_replaced(gateway: FakeGateway) -> None:
    """No FIN ever comes from a dead peer: an unanswered ping ends the connection."""
    limits = PhaseLimits(idle=20, pong=20)
    link = make_link(gateway, "", limits=limits, clock=anyio.current_time)
    async with gateway.serve() as url:
        link.listener = GatewayListener(gateway.node, url)
        async with running(link):
            session = gateway.sessions[0]
            # It answers pings as long as it reads.
            await anyio.sleep(100)
            assert len(gateway.sessions) == 1
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(session.websocket.stream, "receive", say_nothing)
                await gateway.until_sessions(2)
            await until(link, lambda: link.is_connected)
            await link.send([PACKET])
            await gateway.until(1)


async def test_send_waits_for_the_next_connection(gateway: FakeGateway) -> None:
    async with gateway.serve() as url, running(make_link(gateway, url)) as link:
        await gateway.sessions[0].reset()
        await until(link, lambda: not link.is_connected)
        with anyio.fail_after(30):
            await link.send([PACKET])
        await gateway.until(1)


async def test_keeps_trying_an_unreachable_gateway(gateway: FakeGateway, time: FakeTime) -> None:
    async with gateway.serve() as url:
        link = make_link(gateway, url)
        await link.connect()
    port = int(url.rpartition(":")[2])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link.run, Pushed().take)
        await until(link, lambda: len(time.sleeps) > 15)
        assert isinstance(link.status.error, GatewayUnreachable)
        async with gateway.serve(port=port):
            await until(link, lambda: link.is_connected)
            await link.send([PACKET])
            await gateway.until(1)
            await link.aclose()


async def test_silence_means_nothing_while_nothing_is_taken(
    gateway: FakeGateway, time: FakeTime
) -> None:
    """The gateway may have answered long ago: a link that does not read does not call it dead."""
    pushed = Pushed(1)
    async with gateway.serve() as url, running(make_link(gateway, url), pushed) as link:
        await gateway.sessions[0].push(b"taken", b"waits")
        while not pushed.is_full:
            await anyio.lowlevel.checkpoint()
        time.advance(3600)
        assert link._connection is not None
        link._connection._deadline.wake_before(0.0)
        await anyio.wait_all_tasks_blocked()
        assert link.is_connected
        assert [await pushed.receive(), await pushed.receive()] == [b"taken", b"waits"]
        await link.send([PACKET])
        await gateway.until(1)
        assert len(gateway.sessions) == 1
