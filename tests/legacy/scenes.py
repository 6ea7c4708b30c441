"""Our side of a session at the level of channels, for tests against modelled peers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.channel.mux import ChannelMux
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.testing import MemoryFaults, MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.address import NymAddress
    from nymproxy.channel import PeerMemory
    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.channel.channel import Channel
    from nymproxy.legacy.traits import LegacySettings
    from nymproxy.legacy.turns import ServerTurns
    from tests.legacy.old_server import OldServer

DEFAULT_RATE = 50.0
CALM = MemoryFaults(delay_seconds=0.06, jitter_seconds=0.06)


@pytest.fixture
async def network() -> AsyncIterator[MemoryNetwork]:
    """Profile ``default``: 50 packets a second, three mixes."""
    async with MemoryNetwork(packet_rate=DEFAULT_RATE, faults=CALM) as network:
        yield network


@asynccontextmanager
async def dialed(
    network: MemoryNetwork,
    to: NymAddress,
    *,
    settings: LegacySettings | None = None,
    memory: PeerMemory | None = None,
    turns: ServerTurns | None = None,
    name: str = "client",
) -> AsyncIterator[Channel]:
    """A session of our client with ``to``, under an identity of its own."""
    endpoint = network.endpoint(name)
    protocol = LegacyProtocol(
        settings, packet_rate=endpoint.packet_rate, memory=memory, turns=turns
    )
    async with ChannelMux(endpoint, [protocol], grace_seconds=0) as mux:
        yield await mux.open(protocol, to)
    await endpoint.aclose()


@asynccontextmanager
async def accepting(
    network: MemoryNetwork, *, settings: LegacySettings | None = None
) -> AsyncIterator[tuple[NymAddress, ChannelAcceptor]]:
    """Our server's side: its address, and the sessions that arrive."""
    endpoint = network.endpoint("server")
    protocol = LegacyProtocol(settings, packet_rate=endpoint.packet_rate)
    async with ChannelMux(endpoint, [protocol], grace_seconds=0) as mux:
        yield endpoint.address, mux.listen(protocol)


@asynccontextmanager
async def old_server(network: MemoryNetwork, server: OldServer) -> AsyncIterator[OldServer]:
    """Run an old server for the length of the block."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run)
        yield server
        tasks.cancel_scope.cancel()


async def read_to_end(channel: Channel) -> bytes:
    """Everything until the end of the stream."""
    received = bytearray()
    while True:
        try:
            received += await channel.receive()
        except anyio.EndOfStream:
            return bytes(received)
