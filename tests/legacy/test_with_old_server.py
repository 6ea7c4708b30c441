"""Our client with a model of the old server: what we do so that its defects do not show."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.legacy.message import Close, Data, ProxiedMessage
from nymproxy.legacy.traits import LegacySettings
from nymproxy.legacy.turns import ServerTurns
from nymproxy.testing import MemoryFaults, MemoryNetwork
from tests.legacy.old_server import OldServer, Upstream
from tests.legacy.scenes import CALM, dialed, old_server, read_to_end
from tests.legacy.scenes import network as network
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


NO_PACING = LegacySettings(pacing_seconds=0, first_gap_seconds=0)


@pytest.fixture
async def server(network: MemoryNetwork) -> AsyncIterator[OldServer]:
    async with old_server(network, OldServer(network.endpoint("server"))) as server:
        yield server


def closes(server: OldServer) -> list[tuple[float, ProxiedMessage]]:
    return [entry for entry in server.arrivals if isinstance(entry[1].message, Close)]


def ids(server: OldServer) -> list[int]:
    return [message.message_id for _, message in server.arrivals]


async def test_d1_the_first_message_is_not_delayed(
    network: MemoryNetwork, server: OldServer
) -> None:
    began_at = anyio.current_time()
    async with dialed(network, server.endpoint.address) as channel:
        await channel.send(b"first")
        await anyio.sleep(2)
        assert server.upstream.received == b"first"
        assert server.upstream.writes[0][0] - began_at < 1
        server.upstream.say(b"echo")
        assert await channel.receive() == b"echo"
    assert server.arrivals[0][1].session_id.version == 8


async def test_d1_the_model_delays_ids_from_1_by_seven_seconds(
    network: MemoryNetwork, server: OldServer
) -> None:
    """What version 4, the disguise, costs; and the proof that the test above shows something."""
    began_at = anyio.current_time()
    settings = LegacySettings(session_id_version=4)
    async with dialed(network, server.endpoint.address, settings=settings) as channel:
        await channel.send(b"first")
        await anyio.sleep(9)
        assert server.upstream.received == b"first"
        assert 7 <= server.upstream.writes[0][0] - began_at < 9
    assert server.arrivals[0][1].message_id == 1


async def test_r9_the_next_session_begins_when_the_message_before_has_left(
    network: MemoryNetwork, server: OldServer
) -> None:
    """At 50 packets a second each takes 0.6 s; its turn may last a whole one."""
    turns = ServerTurns()
    to = server.endpoint.address
    began_at = anyio.current_time()
    async with (
        dialed(network, to, turns=turns, name="a") as a,
        dialed(network, to, turns=turns, name="b") as b,
        dialed(network, to, turns=turns, name="c") as c,
    ):
        for channel in (a, b, c):
            await channel.send(bytes(5_000))
        await anyio.sleep(5)
    arrivals = [at - began_at for at, message in server.arrivals if message.message_id == 0]
    assert len(arrivals) == 3
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(arrivals))]
    assert all(0.1 < gap < 0.9 for gap in gaps), gaps


async def test_r5_one_close_after_all_data_and_an_identical_one_three_seconds_later(
    network: MemoryNetwork, server: OldServer
) -> None:
    async with dialed(network, server.endpoint.address) as channel:
        await channel.send(b"request")
        await channel.send_eof()
        await anyio.sleep(10)
    assert [type(message.message) for _, message in server.arrivals] == [Data, Close, Close]
    (first_at, first), (second_at, second) = closes(server)
    assert first == second
    assert first.message_id == 1
    assert second_at - first_at == pytest.approx(3, abs=0.2)
    surbs = [record.surbs for record in network.messages() if record.sender == "client"]
    assert surbs == [100, 0, 0]


async def test_d9_the_end_reaches_the_upstream_even_if_the_first_close_was_ignored(
    network: MemoryNetwork,
) -> None:
    """While the server connects, its channel keeps the newest message only: here the Close."""
    settings = LegacySettings(pacing_seconds=0, first_gap_seconds=0.5)
    slow = OldServer(network.endpoint("server"), connect_seconds=0.3)
    async with (
        old_server(network, slow) as server,
        dialed(network, slow.endpoint.address, settings=settings) as channel,
    ):
        await channel.send(b"request")
        await channel.send_eof()
        await anyio.sleep(10)
        assert server.upstream.received == b"request"
        assert server.upstream.eof_at is not None


async def test_d6_data_is_written_upstream_exactly_once(
    network: MemoryNetwork, server: OldServer
) -> None:
    async with dialed(network, server.endpoint.address) as channel:
        await channel.send(b"A")
        await channel.send_eof()
        await anyio.sleep(30)
    assert [data for _, data in server.upstream.writes] == [b"A"]
    assert server.upstream.eof_at is not None


async def test_d6_the_model_repeats_data_for_ever_when_a_close_comes_too_soon(
    network: MemoryNetwork, server: OldServer
) -> None:
    """The proof that the test above shows something: an old client's messages, sent too fast."""
    endpoint = network.endpoint("hasty")
    session_id = uuid.UUID("00112233-4455-4677-8899-aabbccddeeff")
    for message in (
        ProxiedMessage(Data(b""), session_id, 7),  # opens the session, so that nothing is lost
        ProxiedMessage(Data(b"A"), session_id, 1),
        ProxiedMessage(Close(), session_id, 2),
    ):
        await endpoint.send(server.endpoint.address, message.encode(), surbs=20)
        await anyio.sleep(0.2 if message.message_id == 7 else 0.1)
    await anyio.sleep(15)
    assert len(server.upstream.writes) > 20
    assert {data for _, data in server.upstream.writes} == {b"A"}


async def test_d2_bytes_written_one_by_one_all_arrive(
    network: MemoryNetwork, server: OldServer
) -> None:
    """An interactive app: what is written during a gap is merged into the next message."""
    text = bytes(range(100))
    async with dialed(network, server.endpoint.address) as channel:
        for byte in text:
            await channel.send(bytes([byte]))
            await anyio.sleep(0.03)
        await channel.send_eof()
        await anyio.sleep(20)
    assert server.upstream.received == text
    assert server.upstream.eof_at is not None
    assert len(server.arrivals) < 20


async def test_d2_the_model_loses_messages_that_come_too_close(network: MemoryNetwork) -> None:
    """The proof that pacing matters: without it, what arrives while the server connects is lost."""
    slow = OldServer(network.endpoint("server"), connect_seconds=0.5)
    async with (
        old_server(network, slow) as server,
        dialed(network, slow.endpoint.address, settings=NO_PACING) as channel,
    ):
        for number in range(10):
            await channel.send(b"%d" % number)
            await anyio.sleep(0.05)
        await anyio.sleep(20)
        assert len(server.upstream.received) < 10


async def test_d2_a_large_upload_arrives_in_few_large_messages(
    network: MemoryNetwork, server: OldServer
) -> None:
    body = bytes(range(256)) * 1200
    async with dialed(network, server.endpoint.address) as channel:
        await channel.send(body)
        await channel.send_eof()
        await anyio.sleep(60)
    assert server.upstream.received == body
    assert server.upstream.eof_at is not None
    sizes = [
        len(message.message.data)
        for _, message in server.arrivals
        if isinstance(message.message, Data)
    ]
    assert max(sizes) == 65536
    assert len(sizes) <= 7


async def test_r9_gaps_are_kept_between_the_arrivals(
    network: MemoryNetwork, server: OldServer
) -> None:
    async with dialed(network, server.endpoint.address) as channel:
        for number in range(6):
            await channel.send(b"%d" % number)
            await anyio.sleep(0.1)
        await channel.send_eof()
        await anyio.sleep(10)
    sent_at = [record.sent_at or 0 for record in network.messages() if record.sender == "client"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent_at)]
    assert gaps[0] > 0.999
    assert min(gaps) > 0.249


async def test_r9_a_lost_packet_stops_the_session_until_it_is_made_good(
    network: MemoryNetwork, server: OldServer
) -> None:
    async with dialed(network, server.endpoint.address) as channel:
        await channel.send(b"0")
        await anyio.sleep(3)
        network.faults = MemoryFaults(delay_seconds=0.06, loss=1.0)
        await channel.send(b"1")
        await anyio.sleep(0.4)
        await channel.send(b"2")  # one may follow: the acknowledgement is not overdue yet
        await anyio.sleep(0.2)
        await channel.send(b"3")
        network.faults = CALM
        await anyio.sleep(10)
    assert server.upstream.received == b"0123"
    records = [record for record in network.messages() if record.sender == "client"]
    late = next(record for record in records if record.retransmissions)
    last = records[-1]
    assert last.sent_at is not None
    assert last.sent_at > late.delivered_at[0]


async def test_d12_r11_a_server_that_speaks_first_is_heard(network: MemoryNetwork) -> None:
    def greet(upstream: Upstream) -> None:
        upstream.say(b"220 hello\r\n")

    smtp = OldServer(network.endpoint("server"), greet=greet)
    async with (
        old_server(network, smtp) as server,
        dialed(network, smtp.endpoint.address) as channel,
    ):
        with anyio.fail_after(20):
            assert await channel.receive() == b"220 hello\r\n"
        await channel.send(b"HELO\r\n")
        await anyio.sleep(3)
        assert server.upstream.received == b"HELO\r\n"
        assert ids(server) == [0, 1]
        assert server.arrivals[0][1].message == Data(b"")


async def test_r11_no_wake_up_when_the_app_speaks_in_time(
    network: MemoryNetwork, server: OldServer
) -> None:
    async with dialed(network, server.endpoint.address) as channel:
        await anyio.sleep(0.9)
        await channel.send(b"in time")
        await anyio.sleep(5)
        assert [message.message for _, message in server.arrivals] == [Data(b"in time")]


async def test_r7_without_a_close_the_app_sees_the_end_after_the_close_timeout(
    network: MemoryNetwork, server: OldServer
) -> None:
    settings = LegacySettings(close_timeout_seconds=30)
    async with dialed(network, server.endpoint.address, settings=settings) as channel:
        await channel.send(b"request")
        await channel.send_eof()
        await anyio.sleep(20)
        server.upstream.say(b"answer")  # the timer starts again with every message
        began_at = anyio.current_time()
        assert await read_to_end(channel) == b"answer"
        assert 29 < anyio.current_time() - began_at < 32


async def test_d10_silence_can_be_taken_as_the_end_where_no_close_comes(
    network: MemoryNetwork, server: OldServer
) -> None:
    settings = LegacySettings(s2c_idle_eof_seconds=5)
    async with dialed(network, server.endpoint.address, settings=settings) as channel:
        await channel.send(b"GET / HTTP/1.0\r\n\r\n")
        await anyio.sleep(1)
        server.upstream.say(b"the page")
        server.upstream.close()
        began_at = anyio.current_time()
        assert await read_to_end(channel) == b"the page"
        assert 5 <= anyio.current_time() - began_at < 6


async def test_d7_the_tail_after_our_half_close_is_read(
    network: MemoryNetwork, server: OldServer
) -> None:
    settings = LegacySettings(close_timeout_seconds=10)
    async with dialed(network, server.endpoint.address, settings=settings) as channel:
        await channel.send(b"request")
        await channel.send_eof()
        await anyio.sleep(2)
        for number in range(20):
            server.upstream.say(b"%d," % number)
        assert await read_to_end(channel) == b"".join(b"%d," % number for number in range(20))


async def test_d37_an_upload_may_take_several_times_the_close_timeout(
    network: MemoryNetwork, server: OldServer
) -> None:
    """The timer starts when the Close is acknowledged, not when the app's end was read."""
    settings = LegacySettings(close_timeout_seconds=2)
    body = bytes(range(256)) * 2400
    began_at = anyio.current_time()
    async with dialed(network, server.endpoint.address, settings=settings) as channel:
        await channel.send(body)
        await channel.send_eof()
        server.upstream.say(b"go on")
        assert await read_to_end(channel) == b"go on"
        assert anyio.current_time() - began_at > 8
        assert server.upstream.received == body
        assert server.upstream.eof_at is not None


async def test_d19_ids_do_not_wrap_towards_an_old_server(network: MemoryNetwork) -> None:
    """65534 is for the Close; a session with more to send fails, visibly."""
    async with (
        old_server(network, OldServer(network.endpoint("server"))) as server,
        dialed(network, server.endpoint.address, settings=NO_PACING) as channel,
    ):
        # Counting up to it with real messages would take an hour of the old server's time.
        await channel.send(b"0")
        await channel.drain()
        channel._machine.outbound.next_index = 65534
        await channel.send(b"one too many")
        with pytest.raises(anyio.BrokenResourceError) as failure:
            await read_to_end(channel)
        assert "numbers are used up" in str(failure.value.__cause__)
        await anyio.sleep(5)
        assert ids(server) == [0, 65534]
        assert isinstance(server.arrivals[1][1].message, Close)
