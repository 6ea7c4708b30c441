"""Sessions between our client and our server, or a stranger, on a virtual clock."""

from __future__ import annotations

import logging
import os
import uuid
from typing import TYPE_CHECKING

import anyio
import pytest
import trio.lowlevel
import trio.testing

from nymproxy.channel import PeerMemory
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import ResetCode, StreamIdleTimeout, StreamReset
from nymproxy.legacy.connector import mixnet_connector
from nymproxy.legacy.message import Close, Data, ProxiedMessage, Trailer
from nymproxy.legacy.protocol import LegacyProtocol
from nymproxy.legacy.session_id import make_session_id
from nymproxy.legacy.traits import LegacySettings
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.testing import Disconnect, MemoryFaults, MemoryNetwork
from tests.legacy.scenes import DEFAULT_RATE, accepting, dialed, read_to_end
from tests.legacy.scenes import network as network
from tests.legacy.virtual_time import anyio_backend as anyio_backend

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.channel.channel import Channel
    from nymproxy.testing import MemoryEndpoint


class Stranger:
    """A server that is played by hand: sees what a client sends, answers what the test says."""

    def __init__(self, endpoint: MemoryEndpoint) -> None:
        self.endpoint = endpoint
        self.messages = endpoint.receive()

    async def hear(self) -> ProxiedMessage:
        received = await anext(self.messages)
        assert received.sender_tag is not None
        self.tag = received.sender_tag
        return ProxiedMessage.decode(received.payload)

    async def say(self, payload: bytes) -> None:
        await self.endpoint.send(self.tag, payload)


async def test_d21_r12_a_client_survives_what_does_not_decode(network: MemoryNetwork) -> None:
    stranger = Stranger(network.endpoint("server"))
    async with dialed(network, stranger.endpoint.address) as channel:
        await channel.send(b"request")
        session = (await stranger.hear()).session_id
        for junk in (b"\x00", b"\x00\x01\x02\x03\x04", b"\x01" * 30, b"\xff" * 100, b"\x03\x00"):
            await stranger.say(junk)
        await stranger.say(ProxiedMessage(Data(b"answer"), session, 0).encode())
        assert await channel.receive() == b"answer"


async def test_stale_data_at_a_restarted_server_opens_no_session(network: MemoryNetwork) -> None:
    """A client goes on with a session of which this server knows nothing, and begins another."""
    client = network.endpoint("client")
    async with accepting(network) as (address, acceptor):

        async def say(session_id: uuid.UUID, number: int) -> None:
            message = ProxiedMessage(Data(b"data"), session_id, number)
            delivery = await client.send(address, message.encode(), surbs=20)
            await delivery.acknowledged()

        stale, old, new = (make_session_id(os.urandom, version) for version in (8, 4, 8))
        for number in (7, 8, 9):
            await say(stale, number)
            await say(old, number)
        await say(new, 1)
        await say(new, 0)
        channel = await acceptor.accept()
        assert channel.id == new.int
        assert await channel.receive() == b"datadata"
        with anyio.move_on_after(300) as waited:
            await acceptor.accept()
        assert waited.cancelled_caught


async def test_the_close_timeout_stands_still_while_the_client_has_no_gateway() -> None:
    """The answer comes 80 s after the request; of these the client could hear it in 30 only."""
    faults = MemoryFaults(delay_seconds=0.06, disconnects=(Disconnect("client", 20.0, 50.0),))
    settings = LegacySettings(close_timeout_seconds=60)
    async with (
        MemoryNetwork(packet_rate=DEFAULT_RATE, faults=faults) as network,
        accepting(network) as (address, acceptor),
        dialed(network, address, settings=settings) as channel,
    ):
        await channel.send(b"request")
        await channel.send_eof()
        accepted = await acceptor.accept()
        assert await read_to_end(accepted) == b"request"
        await anyio.sleep(80)
        await accepted.send(b"answer")
        await accepted.send_eof()
        assert await read_to_end(channel) == b"answer"


async def test_the_close_timeout_goes_on_when_there_is_a_gateway_again() -> None:
    faults = MemoryFaults(delay_seconds=0.06, disconnects=(Disconnect("client", 20.0, 50.0),))
    settings = LegacySettings(close_timeout_seconds=60)
    async with (
        MemoryNetwork(packet_rate=DEFAULT_RATE, faults=faults) as network,
        accepting(network) as (address, acceptor),
        dialed(network, address, settings=settings) as channel,
    ):
        began_at = anyio.current_time()
        await channel.send(b"request")
        await channel.send_eof()
        await acceptor.accept()
        with pytest.raises(anyio.BrokenResourceError):
            await channel.receive()
        assert 110 <= anyio.current_time() - began_at < 116


async def test_the_close_timeout_does_not_count_sleep(network: MemoryNetwork) -> None:
    """A suspended process: the timer is long over when it goes on, and the answer waits."""
    settings = LegacySettings(close_timeout_seconds=60)
    async with (
        accepting(network) as (address, acceptor),
        dialed(network, address, settings=settings) as channel,
    ):
        await channel.send(b"request")
        await channel.send_eof()
        accepted = await acceptor.accept()
        await anyio.sleep(30)
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(100)
        await accepted.send(b"answer")
        await accepted.send_eof()
        assert await read_to_end(channel) == b"answer"


OURS = Trailer(modern=True).encode()


async def test_a_client_asks_whether_the_session_is_there_and_hears_that_it_is_not(
    network: MemoryNetwork,
) -> None:
    """The server is restarted while nobody says anything: it has no SURBs but those it is given."""
    stranger = Stranger(network.endpoint("server"))
    async with dialed(network, stranger.endpoint.address) as channel:
        await channel.send(b"request")
        session = (await stranger.hear()).session_id
        await stranger.say(ProxiedMessage(Data(b"answer"), session, 0, OURS).encode())
        assert await channel.receive() == b"answer"
        began_at = anyio.current_time()
        table = ChannelTable([LegacyProtocol()], random_bytes=os.urandom)
        table.listen(LegacyProtocol(), 8, 0.0)
        for number in (1, 2):
            question = await stranger.hear()
            assert question == ProxiedMessage(Data(b""), session, number)
        assert 38 < anyio.current_time() - began_at < 44
        assert stranger.endpoint.reply_surbs_in_hand(stranger.tag) > 0
        assert table.message_received(question.encode(), stranger.tag, 0.0) is None
        (denial,) = table.strays
        await stranger.say(denial.payload)
        with pytest.raises(anyio.BrokenResourceError):
            await channel.receive()
        assert isinstance(channel.error, StreamReset)
        assert channel.error.reset_code is ResetCode.UNKNOWN_STREAM


async def test_a_server_that_does_not_answer_questions_gets_none(network: MemoryNetwork) -> None:
    """An old one, or one that has not shown yet what it is."""
    stranger = Stranger(network.endpoint("server"))
    async with dialed(network, stranger.endpoint.address) as channel:
        await channel.send(b"request")
        session = (await stranger.hear()).session_id
        await stranger.say(ProxiedMessage(Data(b"answer"), session, 0).encode())
        assert await channel.receive() == b"answer"
        with anyio.move_on_after(300) as waited:
            await stranger.hear()
        assert waited.cancelled_caught


async def test_a_client_that_asked_and_is_silent_is_gone(network: MemoryNetwork) -> None:
    client = network.endpoint("client")
    async with accepting(network) as (address, acceptor):
        session_id = make_session_id(os.urandom)
        for number, data in enumerate((b"request", b"", b"")):
            message = ProxiedMessage(Data(data), session_id, number)
            delivery = await client.send(address, message.encode(), surbs=20)
            await delivery.acknowledged()
        channel = await acceptor.accept()
        assert await channel.receive() == b"request"
        began_at = anyio.current_time()
        with pytest.raises(anyio.BrokenResourceError):
            await channel.receive()
        assert isinstance(channel.error, StreamIdleTimeout)
        assert 95 < anyio.current_time() - began_at < 101


async def test_an_idle_session_ends_in_an_error_on_either_side(network: MemoryNetwork) -> None:
    settings = LegacySettings(session_idle_timeout_seconds=600)
    async with (
        accepting(network) as (address, acceptor),
        dialed(network, address, settings=settings) as channel,
    ):
        await channel.send(b"x")
        accepted = await acceptor.accept()
        assert await accepted.receive() == b"x"
        began_at = anyio.current_time()
        for each in (channel, accepted):
            with pytest.raises(anyio.BrokenResourceError):
                await each.receive()
        assert isinstance(channel.error, StreamIdleTimeout)
        assert 590 < anyio.current_time() - began_at < 610  # the server is told


async def test_r12_a_client_ignores_other_sessions_and_messages_with_a_tag(
    network: MemoryNetwork,
) -> None:
    stranger = Stranger(network.endpoint("server"))
    async with dialed(network, stranger.endpoint.address) as channel:
        await channel.send(b"request")
        session = (await stranger.hear()).session_id
        await stranger.say(ProxiedMessage(Data(b"not ours"), uuid.uuid4(), 0).encode())
        client = channel.local_address
        forged = ProxiedMessage(Data(b"with a tag"), session, 0).encode()
        await network.endpoint("forger").send(client, forged, surbs=20)
        await anyio.sleep(2)
        await stranger.say(ProxiedMessage(Data(b"genuine"), session, 0).encode())
        assert await channel.receive() == b"genuine"


async def test_r12_a_server_drops_messages_without_a_tag(network: MemoryNetwork) -> None:
    async with accepting(network) as (address, acceptor):
        server, client = network.find(address), network.endpoint("client")
        assert server is not None
        await server.send(client.address, b"here are reply SURBs", surbs=20)
        received = await anext(client.receive())
        assert received.sender_tag is not None
        untagged = ProxiedMessage(Data(b"x"), uuid.uuid4(), 1).encode()
        await client.send(received.sender_tag, untagged)
        with anyio.move_on_after(60) as waiting:
            await acceptor.accept()
        assert waiting.cancelled_caught
        await client.send(address, untagged, surbs=20)  # the same with a tag opens a session
        with anyio.fail_after(5):
            await acceptor.accept()


@pytest.mark.parametrize(("end", "expected"), [(Close(), b"all"), (Data(b"!"), b"all!")])
async def test_r6_a_close_counts_from_anybody(
    network: MemoryNetwork, end: Close | Data, expected: bytes
) -> None:
    """Some third-party servers send it; without it the session is open, and says so."""
    stranger = Stranger(network.endpoint("server"))
    async with dialed(network, stranger.endpoint.address) as channel:
        await channel.send(b"request")
        session = (await stranger.hear()).session_id
        await stranger.say(ProxiedMessage(Data(b"all"), session, 0).encode())
        await stranger.say(ProxiedMessage(end, session, 1).encode())
        received = b""
        with anyio.move_on_after(5) as waiting:
            while True:
                try:
                    received += await channel.receive()
                except anyio.EndOfStream:
                    break
        assert received == expected
        assert waiting.cancelled_caught == isinstance(end, Data)


async def test_r7_stragglers_do_not_bring_a_session_back(network: MemoryNetwork) -> None:
    async with accepting(network) as (address, acceptor):
        endpoint = network.endpoint("client")
        session = uuid.UUID("00112233-4455-4677-8899-aabbccddeeff")
        first = ProxiedMessage(Data(b"once"), session, 1).encode()
        last = ProxiedMessage(Close(), session, 2).encode()
        for message in (first, last):
            await endpoint.send(address, message, surbs=20)
        channel = await acceptor.accept()
        assert await read_to_end(channel) == b"once"
        await channel.send_eof()
        await channel.wait_closed()
        for message in (first, last, first):
            await endpoint.send(address, message)
        with anyio.move_on_after(60) as waiting:
            await acceptor.accept()
        assert waiting.cancelled_caught


async def test_r14_the_first_answer_teaches_and_the_next_session_knows(
    network: MemoryNetwork,
) -> None:
    """The pacing ends within a round trip; later sessions start without it."""
    memory = PeerMemory()
    async with accepting(network) as (address, acceptor):

        async def transfer(name: str) -> float:
            began_at = anyio.current_time()
            async with dialed(network, address, memory=memory, name=name) as channel:
                for number in range(5):
                    await channel.send(b"%d" % number)
                    await anyio.sleep(0.05)
                await channel.send_eof()
                peer = await acceptor.accept()
                assert await read_to_end(peer) == b"01234"
                took = anyio.current_time() - began_at
                await peer.aclose()
                await channel.wait_closed()
            return took

        first, second = await transfer("first"), await transfer("second")
        assert first < 2.5
        assert second < 1.5
    closes = [
        record
        for record in network.messages()
        if record.sender == "second" and record.payload.startswith(b"\x01")
    ]
    assert len(closes) == 1


async def test_r14_a_server_shows_itself_at_once_and_on_every_message(
    network: MemoryNetwork,
) -> None:
    async with accepting(network) as (address, acceptor), dialed(network, address) as channel:
        await channel.send(b"request")
        peer = await acceptor.accept()
        await anyio.sleep(1)
        await peer.send(b"answer")
        await peer.send_eof()
        assert await read_to_end(channel) == b"answer"
    replies = [
        ProxiedMessage.decode(record.payload)
        for record in network.messages()
        if record.sender == "server" and record.payload
    ]
    assert [reply.message for reply in replies[:3]] == [Data(b""), Data(b"answer"), Close()]
    assert all(Trailer.find(reply.trailer) for reply in replies)


async def test_d23_an_answer_that_waits_does_not_block_the_upload(network: MemoryNetwork) -> None:
    """The upstream says far more than the mixnet takes while the app uploads."""
    body = bytes(range(256)) * 400
    async with accepting(network) as (address, acceptor), dialed(network, address) as channel:
        await channel.send(b"go")
        peer = await acceptor.accept()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_say_much, peer)
            began_at = anyio.current_time()
            tasks.start_soon(_upload, channel, body)
            assert await read_to_end(peer) == b"go" + body
            assert anyio.current_time() - began_at < 20
            tasks.cancel_scope.cancel()


async def _say_much(peer: Channel) -> None:
    while True:
        await peer.send(bytes(65536))


async def _upload(channel: Channel, body: bytes) -> None:
    await channel.send(body)
    await channel.send_eof()


async def test_d17_another_busy_session_does_not_delay_this_one(network: MemoryNetwork) -> None:
    async with (
        accepting(network) as (address, acceptor),
        dialed(network, address, name="busy") as busy,
        dialed(network, address, name="quiet") as quiet,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_say_much, busy)
        await acceptor.accept()
        await anyio.sleep(5)
        began_at = anyio.current_time()
        await quiet.send(b"quiet")
        peer = await _accept_of(acceptor, b"quiet")
        assert peer is not None
        assert anyio.current_time() - began_at < 2
        tasks.cancel_scope.cancel()


async def _accept_of(acceptor: ChannelAcceptor, first: bytes) -> Channel:
    while True:
        channel = await acceptor.accept()
        if await channel.receive() == first:
            return channel


async def test_d32_logged_ids_are_those_on_the_wire(
    network: MemoryNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nymproxy.legacy")
    async with accepting(network) as (address, acceptor), dialed(network, address) as channel:
        await channel.send(b"request")
        peer = await acceptor.accept()
        await peer.send(b"answer")
        assert await channel.receive() == b"answer"
        session = uuid.UUID(int=channel.id)
    assert f"Sent message with id 0 for session {session} of 7 bytes" in caplog.messages
    assert f"Sent reply with id 1 for session {session} of 6 bytes" in caplog.messages
    assert all(record.levelno == logging.DEBUG for record in caplog.records)


async def test_d20_the_config_dir_is_the_path_as_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The old binary glued it to $HOME; the library never did, and ours does not either."""
    seen = []

    async def connect(network: NetworkDetails, *, storage: object, **rest: object) -> None:
        seen.append(storage)

    monkeypatch.setattr(MessageClient, "connect", connect)
    monkeypatch.setenv("HOME", "/home/somebody")
    network = NetworkDetails.from_directory_url("http://127.0.0.1:1/")
    for path in ("/srv/x", "data", tmp_path):
        await mixnet_connector(network=network, storage=path)()
    assert seen == ["/srv/x", "data", tmp_path]


async def test_r10_the_policy_of_the_old_client_can_be_asked_for(network: MemoryNetwork) -> None:
    settings = LegacySettings(surbs_per_message=100)
    stranger = Stranger(network.endpoint("server"))
    async with dialed(network, stranger.endpoint.address, settings=settings) as channel:
        await channel.send(b"a")
        await anyio.sleep(5)
        await channel.send(b"b")
        await anyio.sleep(5)
    surbs = [record.surbs for record in network.messages() if record.sender == "client"]
    assert surbs[:2] == [100, 100]
