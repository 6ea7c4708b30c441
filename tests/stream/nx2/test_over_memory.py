"""Sealed streams over the memory network: the same API, few more packets, and the truth."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.channel import PeerMemory
from nymproxy.errors import (
    StreamIdleTimeout,
    StreamNotSealed,
    StreamPeerLost,
    StreamRefused,
    StreamReset,
)
from nymproxy.memory_account import MINIMUM_BYTES, MemoryAccount
from nymproxy.stream.codec import StreamFrame
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.stream.nx2.envelopes import is_marked
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.stream import MixnetStream
from nymproxy.stream.traits import StreamOptions
from nymproxy.testing import (
    MemoryEndpoint,
    MemoryFaults,
    MemoryMessage,
    MemoryNetwork,
    MessageFate,
    MessageKind,
)
from tests.stream.support import NX1, PLAIN, on_virtual_time, receive_all, with_rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.stream.listener import MixnetListener

SEALED = StreamOptions()


@dataclass
class Ends:
    """A dialing and an accepting end."""

    network: MemoryNetwork
    dialer: StreamEndpoint
    acceptor: StreamEndpoint
    listener: MixnetListener
    seen: int = field(default=0)

    async def transfer(self, up: int, down: int) -> None:
        """Open a stream, send so much each way, and close both ends."""
        dialed = await self.dialer.open_stream(self.acceptor.address)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_send, dialed, up)
            accepted = await self.listener.accept()
            tasks.start_soon(_send, accepted, down)
            assert len(await receive_all(accepted)) == up
            assert len(await receive_all(dialed)) == down
        await dialed.aclose()
        await accepted.aclose()
        await anyio.sleep(5)

    async def ask(self) -> None:
        """Open a stream, send 2 kB, and have them back."""
        async with await self.dialer.open_stream(self.acceptor.address) as dialed:
            await _send(dialed, 2000)
            assert len(await receive_all(dialed)) == 2000

    async def ask_at_once(self) -> None:
        """As :meth:`ask`, with the 2 kB at hand when the stream is opened; ends after the peer."""
        protocol, to = StreamProtocol(SEALED), self.acceptor.address
        channel = await self.dialer.mux.open(protocol, to, first=bytes(2000))
        async with MixnetStream(channel, None) as dialed:
            assert len(await receive_all(dialed)) == 2000

    def packets(self) -> int:
        """Packets of both ends since the last call."""
        messages = list(self.network.messages())
        new, self.seen = messages[self.seen :], len(messages)
        return sum(message.packet_count for message in new)

    def types(self) -> Counter[str]:
        """Frames of both ends by type; sealed ones apart."""
        counted: Counter[str] = Counter()
        for message in self.network.messages():
            if message.kind in (MessageKind.MESSAGE, MessageKind.REPLY):
                name = StreamFrame.decode(message.payload).message_type.name
                counted[f"sealed {name}" if is_marked(message.payload) else name] += 1
        return counted


async def _send(stream: MixnetStream, size: int) -> None:
    await stream.send(bytes(size))
    await stream.send_eof()


async def _echo(stream: MixnetStream) -> None:
    async with stream:
        await _send(stream, len(await receive_all(stream)))


async def _answer(stream: MixnetStream, after_seconds: float = 0.0) -> None:
    """Answer 2 kB with 2 kB, and end."""
    async with stream:
        question = b""
        while len(question) < 2000:
            question += await stream.receive()
        await anyio.sleep(after_seconds)
        await _send(stream, len(question))
        assert await receive_all(stream) == b""


@asynccontextmanager
async def ends(
    dialing: StreamOptions,
    accepting: StreamOptions,
    memory: PeerMemory | None = None,
    faults: MemoryFaults | None = None,
) -> AsyncIterator[Ends]:
    async with (
        MemoryNetwork(seed=1, faults=faults) as network,
        StreamEndpoint(
            network.endpoint("dialer"), options=dialing, memory=memory, grace_seconds=0
        ) as dialer,
        StreamEndpoint(
            network.endpoint("acceptor"), options=accepting, grace_seconds=0
        ) as acceptor,
    ):
        yield Ends(network, dialer, acceptor, acceptor.listener())


@pytest.mark.parametrize("is_known", [False, True])
def test_everything_but_the_beginning_is_sealed(is_known: bool) -> None:
    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            if is_known:
                await pair.transfer(10, 10)
                pair.packets()
            before = pair.types()
            await pair.transfer(100_000, 100_000)
            types = pair.types() - before
            assert types["ACCEPT"] == 1
            assert types["sealed FIN"] == 2
            assert types["sealed DATA"] >= 4
            unsealed = {"OPEN", "OFFER", "ACCEPT", "DATA"} if not is_known else {"OFFER", "ACCEPT"}
            assert {name for name in types if not name.startswith("sealed")} <= unsealed

    on_virtual_time(main)


@pytest.mark.parametrize(
    ("dialing", "accepting"),
    [(SEALED, NX1), (NX1, SEALED), (SEALED, PLAIN), (PLAIN, SEALED)],
    ids=["to NX1", "from NX1", "to plain", "from plain"],
)
def test_with_peers_without_it_streams_are_as_before(
    dialing: StreamOptions, accepting: StreamOptions
) -> None:
    async def main() -> None:
        memory = PeerMemory()
        async with ends(dialing, accepting, memory) as pair:
            for _ in range(2):
                await pair.transfer(100_000, 100_000)
            types = pair.types()
            assert not any(name.startswith("sealed") for name in types)
            assert types["OFFER"] <= 3  # to the first stream's peer, until it is known
            assert types["ACCEPT"] == 0

    on_virtual_time(main)


@pytest.mark.parametrize("seconds", [0.0, 0.3], ids=["at once", "out of order"])
def test_it_costs_few_packets(seconds: float) -> None:
    """Property P5: to a peer that is unknown, and then known, against NX1."""
    faults = MemoryFaults(delay_seconds=seconds, jitter_seconds=seconds)

    async def count(options: StreamOptions) -> list[int]:
        async with ends(options, options, faults=faults) as pair:
            counts = []
            for up, down in ((10, 10), (10, 10), (1_000_000, 10), (10, 1_000_000)):
                await pair.transfer(up, down)
                counts.append(pair.packets())
            return counts

    async def main() -> None:
        before, after = await count(NX1), await count(SEALED)
        ack_that_crosses = 1  # with what would have acknowledged, too
        assert after[0] - before[0] <= 2 + ack_that_crosses
        assert after[1] - before[1] <= 0 + ack_that_crosses
        assert after[2] <= 1.02 * before[2]
        assert after[3] <= 1.03 * before[3]

    on_virtual_time(main)


def test_the_first_answer_waits_for_few_packets() -> None:
    """SURBs of an opening fill five packets, and the room beside a short request."""

    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            for opening in ([("OPEN", 5), ("OFFER", 1)], [("OFFER", 5)]):
                before = len(pair.network.messages())
                dialed = await pair.dialer.open_stream(pair.acceptor.address)
                await dialed.send(bytes(100))
                accepted = await pair.listener.accept()
                assert await accepted.receive() == bytes(100)
                sent = [
                    (StreamFrame.decode(message.payload).message_type.name, message.packet_count)
                    for message in pair.network.messages()[before:]
                    if message.sender == "dialer"
                ]
                assert sent[: len(opening) + 1] == [*opening, ("DATA", 1)]
                await accepted.send(b"known from now on")
                assert await dialed.receive() == b"known from now on"
                await dialed.aclose()
                await accepted.aclose()

    on_virtual_time(main)


@pytest.mark.parametrize(("seconds", "packets"), [(0.0, 7), (0.2, 7), (0.3, 8)])
def test_a_question_at_hand_and_its_answer_take_seven_packets(seconds: float, packets: int) -> None:
    """OFFER with 2 kB: two; ACCEPT with 2 kB: two; an end each; an ACK. One more if the answer
    takes longer than an ACCEPT waits."""

    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            for _ in range(4):
                await pair.transfer(10, 10)
            for _ in range(3):
                pair.packets()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(pair.ask_at_once)
                    await _answer(await pair.listener.accept(), seconds)
                await anyio.sleep(5)
                assert pair.packets() == packets

    on_virtual_time(main)


def test_many_questions_at_hand_take_less_than_seven_packets_each() -> None:
    """Few messages bring reply SURBs that take packets, and one ACK brings others along."""
    streams = 60

    async def main() -> None:
        async with ends(SEALED, SEALED, faults=MemoryFaults(delay_seconds=0.1)) as pair:
            for _ in range(4):
                await pair.transfer(10, 10)
            pair.packets()
            async with anyio.create_task_group() as tasks:
                for _ in range(streams):
                    tasks.start_soon(pair.ask_at_once)
                for _ in range(streams):
                    tasks.start_soon(_answer, await pair.listener.accept())
            await anyio.sleep(5)
            assert pair.packets() < 7 * streams
            assert pair.types()["ALONG"] <= streams // 8

    on_virtual_time(main)


def test_many_streams_at_once_to_a_known_peer_take_few_packets_and_wait_for_no_surb() -> None:
    """Each: opening, 2 kB and their end, ACCEPT, 2 kB and their end, two ACKs at the most. All at
    once, when the peer has answered a few before."""
    streams = 60

    async def main() -> None:
        async with ends(SEALED, SEALED, faults=MemoryFaults(delay_seconds=0.1)) as pair:
            for _ in range(4):
                await pair.transfer(10, 10)
            pair.packets()
            started = anyio.current_time()
            async with anyio.create_task_group() as tasks:
                for _ in range(streams):
                    tasks.start_soon(pair.ask)
                for _ in range(streams):
                    tasks.start_soon(_echo, await pair.listener.accept())
            assert anyio.current_time() - started < 2.0  # a few round trips
            await anyio.sleep(5)
            assert pair.packets() <= 11 * streams
            asked = [each.kind for each in pair.network.messages()]
            assert asked.count(MessageKind.SURB_REQUEST) <= 2

    on_virtual_time(main)


def test_an_idle_stream_costs_eight_packets_a_minute_at_most_and_stays() -> None:
    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address)
            await dialed.send(b"x")
            accepted = await pair.listener.accept()
            assert await accepted.receive() == b"x"
            await anyio.sleep(10)
            pair.packets()
            await anyio.sleep(3600)  # the idle limit is half an hour, for peers that say nothing
            assert pair.packets() <= 2 * 8 * 60
            await accepted.send(b"still there")
            assert await dialed.receive() == b"still there"

    on_virtual_time(main)


def test_an_idle_limit_that_was_asked_for_counts_though_the_peer_is_there() -> None:
    async def main() -> None:
        options = with_rules(idle_timeout_seconds=60.0, idle_ends_alive=True)
        async with ends(options, SEALED) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address, wait=True)
            started = anyio.current_time()
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.receive()
            assert isinstance(caught.value.__cause__, StreamIdleTimeout)
            assert anyio.current_time() - started == pytest.approx(60, abs=2)

    on_virtual_time(main)


def test_nobody_who_accepts_is_told_sealed() -> None:
    async def main() -> None:
        memory = PeerMemory()
        async with ends(SEALED, SEALED, memory) as pair:
            for _ in range(2):  # unknown, then known
                await pair.transfer(10, 10)
            await pair.listener.aclose()
            with pytest.raises(StreamRefused):
                await pair.dialer.open_stream(pair.acceptor.address, wait=True, timeout=30)
            stranger = PeerMemory()
            async with StreamEndpoint(
                pair.network.endpoint("stranger"), options=SEALED, memory=stranger, grace_seconds=0
            ) as other:
                with pytest.raises(StreamRefused):
                    await other.open_stream(pair.acceptor.address, wait=True, timeout=30)

    on_virtual_time(main)


@pytest.mark.parametrize("reason", ["sealed before", "require_sealed"])
@pytest.mark.parametrize("rolled_back_to", [NX1, PLAIN], ids=["NX1", "plain"])
@pytest.mark.parametrize("connect_seconds", [None, 60.0])
def test_nobody_who_has_to_seal_is_spoken_to_unsealed(
    reason: str, rolled_back_to: StreamOptions, connect_seconds: float | None
) -> None:
    async def main() -> None:
        memory = PeerMemory()
        dialing = StreamOptions(require_sealed=reason == "require_sealed")
        dialing = with_rules(dialing, connect_timeout_seconds=connect_seconds)
        async with ends(dialing, rolled_back_to, memory) as pair:
            if reason == "sealed before":
                memory.remember_sealed(pair.acceptor.address)
            dialed = await pair.dialer.open_stream(pair.acceptor.address)
            await dialed.send(b"secret")
            started = anyio.current_time()
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await dialed.receive()
            assert isinstance(caught.value.__cause__, StreamNotSealed)
            assert anyio.current_time() - started <= (connect_seconds or 100) + 1
            assert set(pair.types()) <= {"OFFER", "sealed DATA", "sealed RESET"}

    on_virtual_time(main)


def test_a_dialer_that_is_gone_is_noticed() -> None:
    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address)
            await dialed.send(b"x")
            accepted = await pair.listener.accept()
            assert await accepted.receive() == b"x"
            gone = pair.network.find(pair.dialer.address)
            assert gone is not None
            gone.lose_gateway()
            started = anyio.current_time()
            with pytest.raises(anyio.BrokenResourceError) as caught:
                await accepted.receive()
            assert isinstance(caught.value.__cause__, StreamPeerLost)
            assert anyio.current_time() - started <= 101

    on_virtual_time(main)


def test_a_restarted_acceptor_is_noticed() -> None:
    async def main() -> None:
        async with MemoryNetwork(seed=1) as network:
            server = network.endpoint("acceptor")
            async with StreamEndpoint(
                network.endpoint("dialer"), options=SEALED, grace_seconds=0
            ) as dialer:
                acceptor = StreamEndpoint(server, options=SEALED, grace_seconds=0)
                async with acceptor:
                    listener = acceptor.listener()
                    dialed = await dialer.open_stream(acceptor.address)
                    await dialed.send(b"x")
                    accepted = await listener.accept()
                    assert await accepted.receive() == b"x"
                    await anyio.sleep(3)
                    acceptor.mux._end(None)  # as if killed: nothing is told
                async with StreamEndpoint(server, options=SEALED, grace_seconds=0) as again:
                    again.listener()
                    started = anyio.current_time()
                    with pytest.raises(anyio.BrokenResourceError) as caught:
                        await dialed.receive()
                    assert isinstance(caught.value.__cause__, StreamPeerLost)
                    assert anyio.current_time() - started <= 30

    on_virtual_time(main)


@pytest.mark.parametrize("is_known", [False, True])
def test_what_gateways_lose_behind_their_acks_costs_time_alone(is_known: bool) -> None:
    async def main() -> None:
        memory = PeerMemory()
        faults = MemoryFaults(
            jitter_seconds=0.3,
            loss=0.02,
            duplication=0.05,
            reordering=0.05,
            swallowing=0.02,
            corruption=0.01 if is_known else 0.0,
        )
        async with ends(SEALED, SEALED, memory, faults) as pair:
            if is_known:
                memory.remember_sealed(pair.acceptor.address)
            for _ in range(2):
                await pair.transfer(100_000, 100_000)

    on_virtual_time(main)


class Peer:
    """One that may be deaf for a while: all that is sent vanishes then."""

    def __init__(self) -> None:
        self.is_deaf = False

    def fate(self, message: MemoryMessage) -> MessageFate:
        return MessageFate.VANISH if self.is_deaf else MessageFate.DELIVER


def test_closing_waits_for_a_peer_that_is_there() -> None:
    """Longer than the ten seconds that a peer without acknowledgements of its own is given."""

    async def main() -> None:
        memory, peer = PeerMemory(), Peer()
        async with ends(SEALED, SEALED, memory, MemoryFaults(choose_fate=peer.fate)) as pair:
            memory.remember_sealed(pair.acceptor.address)
            dialed = await pair.dialer.open_stream(pair.acceptor.address, wait=True)
            accepted = await pair.listener.accept()
            peer.is_deaf = True
            await dialed.send(b"x" * 5_000)
            started = anyio.current_time()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(dialed.aclose)
                await anyio.sleep(25)
                peer.is_deaf = False
                assert len(await receive_all(accepted)) == 5_000
            assert anyio.current_time() - started > 10
            assert dialed.error is None

    on_virtual_time(main)


def test_what_is_kept_for_a_deaf_peer_is_charged_and_stops_the_writer_before_it_ends() -> None:
    """Property P7."""

    async def main() -> None:
        memory, peer = PeerMemory(), Peer()
        account = MemoryAccount(MINIMUM_BYTES)
        async with (
            MemoryNetwork(seed=1, faults=MemoryFaults(choose_fate=peer.fate)) as network,
            StreamEndpoint(
                network.endpoint("dialer", memory=account), memory=memory, grace_seconds=0
            ) as dialer,
            StreamEndpoint(network.endpoint("acceptor"), grace_seconds=0) as acceptor,
        ):
            listener = acceptor.listener()
            dialed = await dialer.open_stream(acceptor.address, wait=True)
            accepted = await listener.accept()
            peer.is_deaf = True
            with anyio.move_on_after(30) as scope:
                for _ in range(64):
                    await dialed.send(bytes(16 * 1024))
            assert scope.cancelled_caught
            assert 0.7 * MINIMUM_BYTES < account.used_bytes <= MINIMUM_BYTES
            assert dialed.error is None
            peer.is_deaf = False
            received = await accepted.receive()
            while len(received) < 256 * 1024:
                received += await accepted.receive()
            with anyio.fail_after(60):
                await dialed.send(b"more")
            await dialed.drain()
            assert account.used_bytes < 0.1 * MINIMUM_BYTES

    on_virtual_time(main)


@pytest.mark.parametrize("who", [("dialer", "acceptor"), ("dialer",), ("acceptor",)])
def test_four_minutes_without_network_during_a_download(who: tuple[str, ...]) -> None:
    """Whole where nobody could hear anybody; an error at both ends, soon after, where one end could
    have heard the other, and did not for 100 s."""
    size = 2_000_000

    async def main() -> None:
        faults = MemoryFaults(delay_seconds=0.05)
        async with ends(SEALED, SEALED, faults=faults) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address, wait=True)
            accepted = await pair.listener.accept()
            outcome: dict[str, object] = {}

            async def upstream() -> None:
                try:
                    await _send(accepted, size)
                except anyio.BrokenResourceError as error:
                    outcome["acceptor"] = error.__cause__

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(upstream)
                received = len(await dialed.receive())
                ends_of = {"dialer": pair.dialer, "acceptor": pair.acceptor}
                links = [pair.network.find(ends_of[name].address) for name in who]
                for link in links:
                    assert link is not None
                    link.disconnect()
                await anyio.sleep(260)
                for link in links:
                    assert link is not None
                    link.reconnect()
                with anyio.fail_after(60):
                    try:
                        async for part in dialed:
                            received += len(part)
                    except anyio.BrokenResourceError as error:
                        outcome["dialer"] = error.__cause__
            if len(who) == 2:
                assert (received, outcome) == (size, {})
            else:
                assert isinstance(outcome["dialer"], StreamPeerLost)
                assert received < size

    on_virtual_time(main)


async def _asked(pair: Ends) -> tuple[MixnetStream, MixnetStream]:
    """A stream whose dialer has sent a question and its end, which were read."""
    dialed = await pair.dialer.open_stream(pair.acceptor.address)
    await dialed.send(b"question")
    await dialed.send_eof()
    accepted = await pair.listener.accept()
    assert await receive_all(accepted) == b"question"
    return dialed, accepted


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("leaves", ["after the answer", "after closing", "without closing"])
def test_who_leaves_in_order_keeps_nobody_waiting(leaves: str, is_known: bool) -> None:
    """An acceptor would wait until the dialer is taken for dead: for 100 s."""

    async def main() -> None:
        faults = MemoryFaults(delay_seconds=0.05)
        async with ends(SEALED, SEALED, faults=faults) as pair:
            if is_known:
                await pair.transfer(10, 10)
            dialed, accepted = await _asked(pair)
            if leaves == "after the answer":
                await accepted.send(b"answer")
                await accepted.send_eof()
                assert await receive_all(dialed) == b"answer"
            elif leaves == "after closing":
                await dialed.aclose()
            before = anyio.current_time()
            await pair.dialer.aclose(10.0)
            await accepted.aclose()
            assert anyio.current_time() - before < 2
            assert not isinstance(accepted.error, StreamPeerLost)

    on_virtual_time(main)


async def _leave_at_once(
    pair: Ends, *, drains: bool = False, closes: bool = False, grace_seconds: float = 10.0
) -> tuple[bytes | BaseException | None, float]:
    """A stranger's words to an acceptor that reads already: how they end there; and how long the
    dialer, who waits for no answer, takes to leave."""
    outcome: bytes | BaseException | None = None

    async def read() -> None:
        nonlocal outcome
        accepted = await pair.listener.accept()
        try:
            outcome = await receive_all(accepted)
        except anyio.BrokenResourceError as error:
            outcome = error.__cause__

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        dialed = await pair.dialer.open_stream(pair.acceptor.address)
        await dialed.send(b"last words")
        if drains:
            await dialed.drain()
        if closes:
            await dialed.aclose()
        before = anyio.current_time()
        await pair.dialer.aclose(grace_seconds)
        seconds = anyio.current_time() - before
    assert anyio.current_time() - before < 20
    return outcome, seconds


@pytest.mark.parametrize("drains", [False, True])
@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("delay_seconds", [0.0, 0.3])
def test_a_stranger_that_leaves_before_it_was_answered_is_read_to_the_end(
    delay_seconds: float, lost: int, drains: bool
) -> None:
    """The acceptor takes that end from the SEAL alone, which takes the ACCEPT."""

    async def main() -> None:
        left = lost

        def choose(message: MemoryMessage) -> MessageFate:
            nonlocal left
            is_lost = message.kind is MessageKind.REPLY and left > 0
            left -= is_lost
            return MessageFate.VANISH if is_lost else MessageFate.DELIVER

        faults = MemoryFaults(delay_seconds=delay_seconds, choose_fate=choose)
        async with ends(SEALED, SEALED, faults=faults) as pair:
            outcome, seconds = await _leave_at_once(pair, drains=drains)
            assert outcome == b"last words"
            assert seconds < 6 if lost else seconds < 3

    on_virtual_time(main)


@pytest.mark.parametrize(
    ("closes", "grace_seconds", "seconds"), [(False, 10, 10), (True, 10, 10), (True, 0, 5)]
)
def test_a_stranger_that_leaves_and_hears_nothing_resets_after_the_grace(
    closes: bool, grace_seconds: float, seconds: float
) -> None:
    """Without any grace it has the five seconds in which an abort is told."""

    def choose(message: MemoryMessage) -> MessageFate:
        is_lost = message.kind is MessageKind.REPLY
        return MessageFate.VANISH if is_lost else MessageFate.DELIVER

    async def main() -> None:
        async with ends(SEALED, SEALED, faults=MemoryFaults(choose_fate=choose)) as pair:
            outcome, taken = await _leave_at_once(pair, closes=closes, grace_seconds=grace_seconds)
            assert isinstance(outcome, StreamReset)
            assert taken == pytest.approx(seconds, abs=1)

    on_virtual_time(main)


@pytest.mark.parametrize(("accepting", "limit_seconds"), [(NX1, 1), (PLAIN, 11)])
def test_leaving_waits_for_no_peer_that_is_known_as_plain_and_shortly_for_a_silent_one(
    accepting: StreamOptions, limit_seconds: float
) -> None:
    async def main() -> None:
        async with ends(SEALED, accepting) as pair:
            outcome, seconds = await _leave_at_once(pair)
            assert outcome == b"last words"
            assert seconds < limit_seconds

    on_virtual_time(main)


def test_what_was_said_before_leaving_is_whole_though_the_peer_reads_it_later() -> None:
    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address)
            await dialed.send(bytes(100_000))
            accepted = await pair.listener.accept()
            await accepted.send(b"wait")
            assert await dialed.receive() == b"wait"
            await pair.dialer.aclose(10.0)
            await anyio.sleep(5)
            assert await receive_all(accepted) == bytes(100_000)
            with pytest.raises(anyio.BrokenResourceError):
                await accepted.send(b"nobody reads this")

    on_virtual_time(main)


def test_a_stream_is_accepted_though_its_dialer_has_left_in_order() -> None:
    async def main() -> None:
        async with ends(SEALED, SEALED) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address, wait=True)
            await dialed.send(bytes(100_000))
            await pair.dialer.aclose(10.0)
            accepted = await pair.listener.accept()
            assert await receive_all(accepted) == bytes(100_000)

    on_virtual_time(main)


def test_closing_without_a_gateway_ends_after_the_close_timeout() -> None:
    async def main() -> None:
        options = with_rules(close_timeout_seconds=30.0)
        async with ends(options, SEALED) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address, wait=True)
            endpoint = pair.dialer.mux.transport
            assert isinstance(endpoint, MemoryEndpoint)
            endpoint.disconnect()
            await dialed.send(b"never acknowledged")
            before = anyio.current_time()
            await dialed.aclose()
            assert anyio.current_time() - before == pytest.approx(30, abs=1)
            assert isinstance(dialed.error, StreamReset)

    on_virtual_time(main)


def test_closing_goes_on_as_long_as_the_peer_acknowledges_more() -> None:
    async def main() -> None:
        options = with_rules(close_timeout_seconds=10.0, send_window_bytes=4 * 1024 * 1024)
        async with ends(options, SEALED) as pair:
            dialed = await pair.dialer.open_stream(pair.acceptor.address, wait=True)
            accepted = await pair.listener.accept()
            size = 4 * 1024 * 1024
            await dialed.send(bytes(size))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(dialed.aclose)
                async for part in accepted:  # slower than the window allows
                    size -= len(part)
                    await anyio.sleep(1)
            assert size == 0
            assert dialed.error is None
            await accepted.aclose()

    on_virtual_time(main)
