"""What happens to the connections of clients: they stall, swallow, and are cut."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from nymproxy import _base58
from nymproxy.localnet import FaultAction, FaultEvent, FaultPlan, Localnet, LocalnetConfig
from nymproxy.localnet.counters import Direction
from tests.localnet.client import Client, connected, eventually, websocket_to
from tests.localnet.lone_gateway import LoneGateway, registered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GONE = (anyio.EndOfStream, anyio.BrokenResourceError)


@asynccontextmanager
async def admitted(gateway: LoneGateway) -> AsyncIterator[Client]:
    client = await registered(gateway)
    async with websocket_to(gateway.info) as websocket:
        await client.authenticate(websocket, int(gateway.now))
        yield client


def disturb(gateway: LoneGateway, action: FaultAction, seconds: float, peer: str) -> None:
    gateway.node.disturb_clients(action, lambda name: name == peer, seconds)


async def test_a_stall_loses_nothing(gateway: LoneGateway) -> None:
    async with admitted(gateway) as client:
        disturb(gateway, FaultAction.STALL, 0.2, "client")
        await anyio.lowlevel.checkpoint()  # The stall begins in a task of the gateway.
        started = anyio.current_time()
        gateway.deliver(client, b"late", acked=True)
        await client.websocket.send('{"type":"claimFreeTestnetBandwidth"}')
        assert await client.message() == b"late"
        await client.response()
        assert anyio.current_time() - started > 0.15


async def test_a_swallowing_link_takes_everything_and_is_cut(gateway: LoneGateway) -> None:
    async with admitted(gateway) as client, admitted(gateway) as other:
        disturb(gateway, FaultAction.SWALLOW, 0.2, _base58.encode(client.address))
        await anyio.lowlevel.checkpoint()
        gateway.deliver(client, b"lost", acked=True)
        gateway.deliver(other, b"not lost", acked=True)
        assert gateway.counters.packets(Direction.ACKS_RELEASED) == 2
        await client.websocket.send('{"type":"claimFreeTestnetBandwidth"}')
        with anyio.fail_after(30), pytest.raises(GONE):
            await client.message()
        assert client.pushed == []
        assert client.texts == []
        assert await other.message() == b"not lost"
        await eventually(lambda: len(gateway.node.connected_clients) == 1)


async def test_new_connections_fare_alike_while_it_lasts(gateway: LoneGateway) -> None:
    disturb(gateway, FaultAction.SWALLOW, 0.3, "client")
    await anyio.lowlevel.checkpoint()
    with pytest.raises(Exception, match="ended while it was being opened"):
        async with websocket_to(gateway.info):
            pass
    async with admitted(gateway):
        pass


async def test_a_cut_is_a_reset(gateway: LoneGateway) -> None:
    async with admitted(gateway) as client, admitted(gateway) as other:
        name = _base58.encode(client.address)
        assert gateway.node.disconnect(lambda peer: peer == name) == 1
        with pytest.raises(anyio.BrokenResourceError):
            await client.message()
        gateway.deliver(other, b"still there")
        assert await other.message() == b"still there"


async def test_a_plan_disturbs_the_clients_of_a_gateway() -> None:
    plan = FaultPlan(
        events=(
            FaultEvent(
                at_seconds=0.1,
                action=FaultAction.SWALLOW,
                node="gateway-0",
                peer="client",
                seconds=0.1,
            ),
        )
    )
    async with (
        Localnet(LocalnetConfig(seed=1)) as localnet,
        connected(localnet, 0) as alice,
        connected(localnet, 1) as bob,
    ):
        await localnet.set_faults(plan)
        with anyio.fail_after(30), pytest.raises(GONE):
            await alice.response()
        await localnet.stall("gateway-1", 0.2)
        started = anyio.current_time()
        await bob.claim()
        assert anyio.current_time() - started > 0.1
