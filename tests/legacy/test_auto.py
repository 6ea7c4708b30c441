"""``--wire auto``: from the legacy format to streams, by what the server shows; and back."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.channel import Capability
from nymproxy.channel.mux import ChannelMux
from nymproxy.channel.servers import Servers
from nymproxy.errors import StreamIdleTimeout
from nymproxy.legacy.identities import make_identities
from nymproxy.legacy.wire import Destination, WireSettings
from nymproxy.legacy.wire_choice import MISTRUST_SECONDS, UNANSWERED_SECONDS
from nymproxy.testing import MemoryNetwork
from tests.legacy.memory_clients import MemoryConnector
from tests.legacy.old_server import OldServer
from tests.legacy.scenes import DEFAULT_RATE, old_server
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.address import NymAddress
    from nymproxy.channel.channel import Channel
    from nymproxy.legacy import Wire
    from nymproxy.legacy.identities import Identities, IdentityMode

MODES: tuple[IdentityMode, ...] = ("per-connection", "shared")


@pytest.fixture
async def network() -> AsyncIterator[MemoryNetwork]:
    async with MemoryNetwork(packet_rate=DEFAULT_RATE) as network:
        yield network


@asynccontextmanager
async def auto(
    network: MemoryNetwork,
    to: NymAddress,
    mode: IdentityMode = "shared",
    *,
    shown: Capability = Capability.NONE,
) -> AsyncIterator[Identities]:
    """The identities of a proxy client to which a server, or somebody else, has shown something."""
    settings = WireSettings().with_timeouts(connect=60)
    settings.memory["legacy"].remember(to, shown)
    destination = Destination(Servers([to]), "auto", settings)
    identities = make_identities(mode, MemoryConnector(network), destination, amount=1)
    async with anyio.create_task_group() as tasks:
        await tasks.start(identities.run)
        yield identities
        await identities.stop()
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def session(identities: Identities) -> AsyncIterator[Channel]:
    """A session, taken and left as the proxy client does."""
    lease = await identities.take()
    async with lease.channel() as channel:
        yield channel
        channel.abort()


async def upload(channel: Channel) -> None:
    """An app that goes on and on."""
    while True:
        await channel.send(bytes(1000))
        await anyio.sleep(0.1)


async def wire_of_next(identities: Identities) -> str:
    """The wire of a session whose app says something and goes."""
    async with session(identities) as channel:
        await channel.send(b"hello")
        with anyio.move_on_after(5):
            await channel.wait_established()
        return channel.protocol


@asynccontextmanager
async def our_server(network: MemoryNetwork, *, streams: bool) -> AsyncIterator[NymAddress]:
    """A server of ours that accepts sessions and says no more than that."""
    endpoint = network.endpoint("server")
    settings = WireSettings()
    accepted: list[Wire] = ["legacy", "stream"] if streams else ["legacy"]
    protocols = settings.protocols_of_server(accepted, endpoint.packet_rate)
    async with ChannelMux(endpoint, list(protocols.values()), grace_seconds=0) as mux:
        for protocol in protocols.values():
            mux.listen(protocol)
        yield endpoint.address


@pytest.mark.parametrize("mode", MODES)
async def test_sessions_after_the_first_are_streams_where_the_server_accepts_them(
    network: MemoryNetwork, mode: IdentityMode
) -> None:
    async with our_server(network, streams=True) as server, auto(network, server, mode) as client:
        assert [await wire_of_next(client) for _ in range(3)] == ["legacy", "stream", "stream"]


async def test_a_server_that_accepts_legacy_sessions_only_gets_no_others(
    network: MemoryNetwork,
) -> None:
    async with our_server(network, streams=False) as server, auto(network, server) as client:
        assert [await wire_of_next(client) for _ in range(3)] == ["legacy"] * 3


async def test_an_old_server_gets_no_streams(network: MemoryNetwork) -> None:
    async with (
        old_server(network, OldServer(network.endpoint("server"))) as server,
        auto(network, server.endpoint.address) as client,
    ):
        assert [await wire_of_next(client) for _ in range(2)] == ["legacy"] * 2


@pytest.mark.parametrize("mode", MODES)
async def test_a_stream_on_a_forged_word_ends_and_sessions_are_legacy_again(
    network: MemoryNetwork, mode: IdentityMode, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway sets bit 1 of the trailer of a server that accepts no streams, and drops them."""
    silent = network.endpoint("server").address
    async with auto(network, silent, mode, shown=Capability.STREAMS) as client:
        async with session(client) as channel:
            began_at = anyio.current_time()
            assert channel.protocol == "stream"
            with pytest.raises(anyio.BrokenResourceError) as told:
                await upload(channel)
        assert isinstance(told.value.__cause__, StreamIdleTimeout)
        assert UNANSWERED_SECONDS < anyio.current_time() - began_at < UNANSWERED_SECONDS + 3
        assert "sessions take the legacy wire" in caplog.text
        assert await wire_of_next(client) == "legacy"
        await anyio.sleep(MISTRUST_SECONDS)
        assert await wire_of_next(client) == "stream"


async def test_a_session_that_its_app_gives_up_says_nothing_of_the_server(
    network: MemoryNetwork,
) -> None:
    silent = network.endpoint("server").address
    async with auto(network, silent, shown=Capability.STREAMS) as client:
        assert [await wire_of_next(client) for _ in range(3)] == ["stream"] * 3
