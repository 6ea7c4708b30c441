"""Our server with a model of the old client."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.errors import ResetCode, StreamDataLost, StreamIdleTimeout
from nymproxy.legacy.message import Close, Data, ProxiedMessage
from nymproxy.legacy.quirks import NUDGES
from nymproxy.legacy.traits import LegacySettings
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.old_client import OldClientSession
from tests.legacy.scenes import DEFAULT_RATE, accepting, read_to_end
from tests.legacy.scenes import network as network
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.channel.acceptor import ChannelAcceptor


@asynccontextmanager
async def session(
    network: MemoryNetwork, *, settings: LegacySettings | None = None, close_timeout: float = 60
) -> AsyncIterator[tuple[OldClientSession, ChannelAcceptor]]:
    """An old client's session, and our server's acceptor."""
    async with accepting(network, settings=settings) as (address, acceptor):
        client = OldClientSession(network.endpoint("client"), address, close_timeout=close_timeout)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.run)
            yield client, acceptor
            tasks.cancel_scope.cancel()


async def test_d1_r2_ids_from_1_are_released_at_once(network: MemoryNetwork) -> None:
    began_at = anyio.current_time()
    async with session(network) as (client, acceptor):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        assert await channel.receive() == b"request"
        assert anyio.current_time() - began_at < 1
        await channel.send(b"answer")
        await anyio.sleep(1)
        assert client.received == b"answer"


async def test_r6_an_old_client_gets_no_close_and_no_trailer(network: MemoryNetwork) -> None:
    async with session(network, close_timeout=5) as (client, acceptor):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        await channel.send(b"answer")
        await channel.send_eof()
        await client.app_ends()
        await anyio.sleep(20)
        assert client.received == b"answer"
        assert [message.message for message in client.arrivals] == [Data(b"answer")]
        assert [message.trailer for message in client.arrivals] == [b""]
        assert client.arrivals[0].message_id == 0
        assert client.app_eof_at is not None


async def test_r6_an_abort_is_silent_to_an_old_client(network: MemoryNetwork) -> None:
    async with session(network) as (client, acceptor):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        await channel.send(b"half")
        await channel.drain()
        channel.abort(ResetCode.REFUSED)
        await anyio.sleep(5)
        assert not any(isinstance(message.message, Close) for message in client.arrivals)


async def test_r6_close_to_legacy_clients_can_be_asked_for(network: MemoryNetwork) -> None:
    settings = LegacySettings(close_to_legacy_clients=True)
    async with session(network, settings=settings) as (client, acceptor):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        await channel.send_eof()
        await anyio.sleep(2)
        assert [message.message for message in client.arrivals] == [Close()]


@pytest.mark.parametrize("seed", range(3))
async def test_d7_an_answer_after_the_end_is_written_whole_in_any_order(seed: int) -> None:
    """After its app's end an old client has no timer: what came too early waits for a message."""
    faults = MemoryFaults(
        delay_seconds=0.06, jitter_seconds=0.06, reordering=0.5, reordering_seconds=1.5
    )
    async with (
        MemoryNetwork(packet_rate=DEFAULT_RATE, faults=faults, seed=seed) as network,
        session(network, close_timeout=30) as (client, acceptor),
    ):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        await client.app_ends()
        answer = b""
        for number in range(8):
            piece = bytes([number]) * 5_000
            await channel.send(piece)
            await anyio.sleep(0.2)
            answer += piece
        await channel.send_eof()
        await channel.wait_closed()
        await anyio.sleep(30)
        assert client.received == answer


async def test_d7_an_answer_in_one_message_needs_no_nudge(network: MemoryNetwork) -> None:
    async with session(network) as (client, acceptor):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        await client.app_ends()
        await channel.send(b"answer")
        await channel.send_eof()
        await channel.wait_closed()
        await anyio.sleep(20)
        assert [message.message for message in client.arrivals] == [Data(b"answer")]


async def test_d7_nudges_end(network: MemoryNetwork) -> None:
    async with session(network, close_timeout=100) as (client, acceptor):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        for piece in (b"first", b"second"):
            await channel.send(piece)
            await channel.drain()
        await client.app_ends()
        await anyio.sleep(60)
        empty = [message for message in client.arrivals if message.message == Data(b"")]
        assert len(empty) == NUDGES
        await channel.send(b"third")
        await channel.drain()
        await anyio.sleep(60)
        assert client.received == b"firstsecondthird"
        assert [message.message for message in client.arrivals].count(Data(b"")) == 2 * NUDGES


async def test_d7_what_was_acknowledged_long_before_the_end_needs_no_nudge(
    network: MemoryNetwork,
) -> None:
    async with session(network) as (client, acceptor):
        await client.app_writes(b"request")
        channel = await acceptor.accept()
        for piece in (b"first", b"second"):
            await channel.send(piece)
            await channel.drain()
        await anyio.sleep(5)
        await client.app_ends()
        await anyio.sleep(20)
        assert [message.message for message in client.arrivals] == [Data(b"first"), Data(b"second")]


async def test_d6_a_short_session_is_read_exactly_once(network: MemoryNetwork) -> None:
    async with session(network) as (client, acceptor):
        await client.app_writes(b"A")
        await client.app_ends()
        channel = await acceptor.accept()
        assert await read_to_end(channel) == b"A"


async def test_d9_the_end_of_a_short_session_is_seen_at_once(network: MemoryNetwork) -> None:
    async with session(network) as (client, acceptor):
        began_at = anyio.current_time()
        await client.app_writes(b"A")
        await anyio.sleep(0.4)
        await client.app_ends()
        channel = await acceptor.accept()
        assert await read_to_end(channel) == b"A"
        assert anyio.current_time() - began_at < 3


async def test_d5_a_close_that_overtakes_data_waits_for_it(network: MemoryNetwork) -> None:
    async with accepting(network) as (address, acceptor):
        endpoint = network.endpoint("client")
        session_id = OldClientSession(endpoint, address).session_id
        for message_id, message in ((2, Close()), (1, Data(b"late"))):
            encoded = ProxiedMessage(message, session_id, message_id).encode()
            await endpoint.send(address, encoded, surbs=20)
            await anyio.sleep(7.4)
        channel = await acceptor.accept()
        assert await read_to_end(channel) == b"late"


async def test_r2_an_empty_wake_up_with_id_0_is_ignored(network: MemoryNetwork) -> None:
    async with accepting(network) as (address, acceptor):
        endpoint = network.endpoint("client")
        session_id = OldClientSession(endpoint, address).session_id
        for message_id, data in ((0, b""), (1, b"one"), (2, b"two")):
            encoded = ProxiedMessage(Data(data), session_id, message_id).encode()
            await endpoint.send(address, encoded, surbs=20)
            await anyio.sleep(0.5)
        channel = await acceptor.accept()
        assert await channel.receive() == b"onetwo"


@pytest.mark.parametrize(("order", "expected"), [("01", b"zeroone"), ("10", b"one")])
async def test_r2_data_with_id_0_counts_if_it_comes_first(
    network: MemoryNetwork, order: str, expected: bytes
) -> None:
    data = {"0": b"zero", "1": b"one"}
    async with accepting(network) as (address, acceptor):
        endpoint = network.endpoint("client")
        session_id = OldClientSession(endpoint, address).session_id
        for digit in order:
            encoded = ProxiedMessage(Data(data[digit]), session_id, int(digit)).encode()
            await endpoint.send(address, encoded, surbs=20)
            await anyio.sleep(0.5)
        channel = await acceptor.accept()
        assert await channel.receive() == expected


async def test_r2_a_grace_lets_a_late_0_come_first(network: MemoryNetwork) -> None:
    settings = LegacySettings(zero_grace_seconds=1.0)
    async with accepting(network, settings=settings) as (address, acceptor):
        endpoint = network.endpoint("client")
        session_id = OldClientSession(endpoint, address).session_id
        for message_id, data in ((1, b"one"), (0, b"zero")):
            encoded = ProxiedMessage(Data(data), session_id, message_id).encode()
            await endpoint.send(address, encoded, surbs=20)
        channel = await acceptor.accept()
        assert await channel.receive() == b"zeroone"


async def test_d37_a_session_that_the_old_client_gave_up_does_not_look_complete(
    network: MemoryNetwork,
) -> None:
    """It disconnects in the middle of an upload; no Close comes, so no end is shown."""
    settings = LegacySettings(session_idle_timeout_seconds=600)
    async with session(network, settings=settings) as (client, acceptor):
        await client.app_writes(b"a correct prefix")
        channel = await acceptor.accept()
        assert await channel.receive() == b"a correct prefix"
        began_at = anyio.current_time()
        with pytest.raises(anyio.BrokenResourceError) as failure:
            await channel.receive()
        assert isinstance(failure.value.__cause__, StreamIdleTimeout)
        assert 590 < anyio.current_time() - began_at < 610


async def test_d16_a_vanished_client_is_noticed_after_its_half_close_too(
    network: MemoryNetwork,
) -> None:
    settings = LegacySettings(half_closed_timeout_seconds=60)
    async with session(network, settings=settings) as (client, acceptor):
        await client.app_writes(b"A")
        await client.app_ends()
        channel = await acceptor.accept()
        assert await read_to_end(channel) == b"A"
        with anyio.fail_after(70):
            await channel.wait_closed()
        assert isinstance(channel.error, StreamIdleTimeout)


async def test_d3_a_gap_is_never_skipped_and_ends_in_an_error(network: MemoryNetwork) -> None:
    async with accepting(network) as (address, acceptor):
        endpoint = network.endpoint("client")
        session_id = OldClientSession(endpoint, address).session_id
        began_at = anyio.current_time()
        for message_id in (1, 3):
            encoded = ProxiedMessage(Data(b"%d" % message_id), session_id, message_id).encode()
            await endpoint.send(address, encoded, surbs=20)
        channel = await acceptor.accept()
        assert await channel.receive() == b"1"
        with pytest.raises(anyio.BrokenResourceError) as failure:
            await channel.receive()
        assert isinstance(failure.value.__cause__, StreamDataLost)
        assert 119 < anyio.current_time() - began_at < 125


async def test_d13_what_the_upstream_says_at_once_has_a_way_back(network: MemoryNetwork) -> None:
    """The tag is part of the session: nothing that is said uses up an id and is dropped."""
    async with session(network) as (client, acceptor):
        await client.app_writes(b"x")
        channel = await acceptor.accept()
        await channel.send(b"banner")
        await anyio.sleep(2)
        assert client.received == b"banner"
        assert client.arrivals[0].message_id == 0
