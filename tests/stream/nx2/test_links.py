"""The links of both ends, message by message: what the simulation meets rarely."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from nymproxy.address import SenderTag
from nymproxy.channel import PeerMemory, Segment, SegmentKind
from nymproxy.channel.fate import ACKNOWLEDGED, Fate
from nymproxy.channel.link import LinkContext, Message
from nymproxy.channel.table import ChannelTable
from nymproxy.channel.tombstones import Tombstones
from nymproxy.errors import (
    DeliveryAbandoned,
    ResetCode,
    StreamAltered,
    StreamDataLost,
    StreamError,
    StreamNotSealed,
    StreamPeerLost,
    StreamRefused,
    StreamReset,
)
from nymproxy.stream.codec import (
    HEADER_LENGTH,
    MAX_SEQUENCE,
    TYPE_OFFSET,
    MessageType,
    StreamFrame,
)
from nymproxy.stream.nx2.accepting import ANSWER_HOLD_SECONDS, HOLD_SECONDS, AcceptorLink
from nymproxy.stream.nx2.early import EARLY_SECONDS, MAX_EARLY_FRAMES, EarlyFrames
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE
from nymproxy.stream.protocol import StreamProtocol
from nymproxy.stream.traits import StreamOptions
from tests.stream.nx2.builders import ADDRESS, TAG

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress
    from nymproxy.channel.link import ChannelLink
    from nymproxy.channel.machine import ChannelMachine

SENDER = SenderTag(TAG)
UNIX = 29_000_000 * 60.0


class End:
    """One end: a table, and at most one stream."""

    def __init__(
        self,
        seed: int,
        *,
        skew: float = 0.0,
        memory: PeerMemory | None = None,
        addresses: tuple[NymAddress, ...] = (ADDRESS,),
    ) -> None:
        source = random.Random(seed)
        self.now = 0.0
        self.tag_for: Callable[[NymAddress], SenderTag] = lambda to: SENDER
        self.written_to: dict[SenderTag, NymAddress] = {}
        self.is_connected = True
        self.connected_seconds = math.inf
        self.surbs_held = 0
        self.protocol = StreamProtocol(StreamOptions(), memory or PeerMemory())
        self.table = ChannelTable(
            [self.protocol],
            random_bytes=source.randbytes,
            context=LinkContext(
                addresses,
                lambda tag: self.written_to.get(tag, ADDRESS),
                lambda to: self.tag_for(to),
                lambda to: self.surbs_held,
                source.randbytes,
                lambda: UNIX + skew,
                lambda: self.is_connected,
                lambda address: self.connected_seconds,
                False,
            ),
        )

    def dial(self) -> None:
        self.table.open(self.protocol, ADDRESS, self.now)

    @property
    def link(self) -> ChannelLink:
        (link,) = self.table.links.values()
        return link

    @property
    def machine(self) -> ChannelMachine:
        return self.link.machine

    def send(self) -> list[Message]:
        """Return what leaves now; it counts as handed over, and as delivered. What waits a moment
        for more has waited."""
        messages = self.send_at_once()
        if not messages:
            self.pass_time(HOLD_SECONDS)
            messages = self.send_at_once()
        if not messages and self.awaits_accept:
            self.pass_time(ANSWER_HOLD_SECONDS - HOLD_SECONDS)
            messages = self.send_at_once()
        return messages

    @property
    def awaits_accept(self) -> bool:
        """True while an ACCEPT waits for what it can bring along."""
        links = self.table.links.values()
        return any(isinstance(each, AcceptorLink) and each._accept_is_due for each in links)

    def send_at_once(self) -> list[Message]:
        """As :meth:`send`, without waiting."""
        messages = []
        for link in list(self.table.links.values()):
            while (message := link.next_message(self.now)) is not None:
                link.handed_over(message, 1, self.now)
                link.delivery_changed(message, ACKNOWLEDGED, self.now)
                messages.append(message)
        messages += [Message(stray.payload) for stray in self.table.strays]
        self.table.strays.clear()
        return messages

    def take(self, payload: bytes, tag: SenderTag | None) -> None:
        self.table.message_received(payload, tag, self.now)

    def pass_time(self, seconds: float) -> None:
        """Run on, looking at the clock whenever something is due."""
        until = self.now + seconds
        while (due := self.table.next_deadline(self.now)) < until:
            self._tick(due)
        self._tick(until)

    def _tick(self, now: float) -> None:
        self.now = now
        for link in list(self.table.links.values()):
            link.tick(self.now)
        self.table.tick(self.now)


class Pair:
    """A dialer and an acceptor."""

    def __init__(self, *, is_known: bool = True, skew: float = 0.0) -> None:
        memory = PeerMemory()
        if is_known:
            memory.remember_sealed(ADDRESS)
        self.dialer = End(1, memory=memory, skew=skew)
        self.acceptor = End(2)
        self.acceptor.table.listen(self.acceptor.protocol, 8, 0.0)
        self.dialer.dial()

    def exchange(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            for message in self.dialer.send():
                self.acceptor.take(message.payload, SENDER)
            for message in self.acceptor.send():
                self.dialer.take(message.payload, None)

    def settle(self, seconds: float = 1.0) -> None:
        """Let both ends say all that they have to say."""
        for _ in range(8):
            self.exchange()
            self.dialer.pass_time(seconds)
            self.acceptor.pass_time(seconds)


def type_of(message: Message) -> MessageType:
    return MessageType(message.payload[TYPE_OFFSET])


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stale_opening_is_refused(is_known: bool) -> None:
    pair = Pair(is_known=is_known, skew=-1200.0)
    pair.settle()
    assert isinstance(next(iter(pair.dialer.table.links.values())).machine.error, StreamRefused)


def test_a_peer_that_was_made_to_look_plain_is_noticed() -> None:
    pair = Pair(is_known=False)
    opening = pair.dialer.send()
    data = StreamFrame(int(pair.dialer.machine.channel_id), MessageType.DATA, 0, b"forged")
    pair.dialer.take(data.encode(), None)
    assert pair.dialer.machine.is_readable
    for message in opening:
        pair.acceptor.take(message.payload, SENDER)
    for message in pair.acceptor.send():
        pair.dialer.take(message.payload, None)
    assert isinstance(pair.dialer.machine.error, StreamAltered)
    assert pair.dialer.protocol.memory.was_sealed(ADDRESS)
    for message in pair.dialer.send():
        pair.acceptor.take(message.payload, SENDER)
    assert isinstance(pair.acceptor.machine.error, StreamReset)


def test_a_peer_that_shows_nx2_after_it_looked_plain_is_noticed() -> None:
    """An acceptor whose Open was altered greets as a plain one, and goes on as what it is."""
    pair = Pair(is_known=False)
    opening = pair.dialer.send()
    stream_id = int(pair.dialer.machine.channel_id)
    pair.dialer.take(StreamFrame(stream_id, MessageType.OPEN_ACK).encode(), None)
    assert not pair.dialer.machine.is_over
    data = StreamFrame(stream_id, MessageType.DATA, 0, b"altered", CAPABILITY_BYTE)
    pair.dialer.take(data.encode(), None)
    assert isinstance(pair.dialer.machine.error, StreamAltered)
    assert not pair.dialer.machine.is_readable
    for message in opening + pair.dialer.send():
        pair.acceptor.take(message.payload, SENDER)
    assert isinstance(pair.acceptor.machine.error, StreamReset)


def test_an_open_that_was_altered_to_hide_nx2_is_noticed() -> None:
    pair = Pair(is_known=False)
    opening, offer = pair.dialer.send()
    altered = bytearray(opening.payload)
    altered[HEADER_LENGTH - 1] ^= 0x10
    pair.acceptor.take(bytes(altered), SENDER)
    assert not pair.acceptor.machine.is_over
    pair.acceptor.take(offer.payload, SENDER)
    assert isinstance(pair.acceptor.machine.error, StreamAltered)
    pair.acceptor.take(offer.payload, SENDER)


def test_a_plain_peer_is_offered_nothing_after_a_while() -> None:
    pair = Pair(is_known=False)
    pair.dialer.send()
    stream_id = int(pair.dialer.machine.channel_id)
    pair.dialer.take(StreamFrame(stream_id, MessageType.DATA, 0, b"plain").encode(), None)
    pair.dialer.take(StreamFrame(stream_id, MessageType.ACCEPT, 0, bytes(60)).encode(), None)
    offers = 0
    for _ in range(40):
        pair.dialer.pass_time(1.0)
        offers += sum(type_of(message) is MessageType.OFFER for message in pair.dialer.send())
    assert offers <= 2
    assert pair.dialer.machine.error is None


def test_what_an_unknown_peer_did_not_get_is_lost_when_it_is_plain() -> None:
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(b"data")
    link, now = pair.dialer.link, 0.0
    while (message := link.next_message(now)) is not None:
        link.handed_over(message, 1, now)
        link.delivery_changed(message, Fate(error=DeliveryAbandoned("given up")), now)
    assert pair.dialer.machine.error is None
    stream_id = int(pair.dialer.machine.channel_id)
    pair.dialer.take(StreamFrame(stream_id, MessageType.DATA, 0, b"plain").encode(), None)
    assert isinstance(pair.dialer.machine.error, StreamDataLost)


def test_a_known_peer_that_never_accepts_is_an_error() -> None:
    dialer = Pair().dialer
    for _ in range(101):
        dialer.send()
        dialer.pass_time(1.0)
    assert isinstance(dialer.machine.error, StreamNotSealed)


def test_an_open_without_an_offer_is_never_shown_and_ends() -> None:
    pair = Pair(is_known=False)
    pair.acceptor.take(pair.dialer.send()[0].payload, SENDER)
    listener = pair.acceptor.table._listeners["stream"]
    pair.acceptor.pass_time(1.0)
    (hello,) = pair.acceptor.send()
    assert type_of(hello) is MessageType.HELLO
    assert pair.acceptor.table.accept(listener) is None
    pair.acceptor.pass_time(100.0)
    assert isinstance(pair.acceptor.machine.error, StreamPeerLost)


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_an_opening_that_was_seen_before_opens_nothing_that_lasts(is_forgotten: bool) -> None:
    pair = Pair(is_known=False)
    messages = pair.dialer.send()
    for message in messages:
        pair.acceptor.take(message.payload, SENDER)
    (key,) = pair.acceptor.table.links
    pair.acceptor.table.remove(key, SENDER, 0.0)
    pair.acceptor.now = 1000.0  # the tombstone is gone
    if is_forgotten:  # half a million streams later
        pair.acceptor.table._answers.tombstones = Tombstones()
    for message in messages:
        pair.acceptor.take(message.payload, SENDER)
    errors = [link.machine.error for link in pair.acceptor.table.links.values()]
    assert [type(error) for error in errors] == ([StreamReset] if is_forgotten else [])


def test_unsealed_data_before_an_offer_without_a_seal_was_forged() -> None:
    pair = Pair()
    (offer,) = pair.dialer.send()
    stream_id = int(pair.dialer.machine.channel_id)
    for forged in (
        StreamFrame(stream_id, MessageType.OPEN, 0, b"", 0xAB),
        StreamFrame(stream_id, MessageType.DATA, 0, b"forged", 0xAB),
    ):
        pair.acceptor.take(forged.encode(), SENDER)
    pair.acceptor.take(offer.payload, SENDER)
    assert isinstance(pair.acceptor.machine.error, StreamAltered)


def test_a_hint_makes_the_dialer_ask_and_nothing_else() -> None:
    pair = Pair()
    pair.settle()
    stream_id = pair.dialer.machine.channel_id
    reset = Segment(SegmentKind.RESET, stream_id, reset_code=ResetCode.UNKNOWN_STREAM)
    pair.dialer.take(pair.dialer.protocol.codec.encode(reset), None)
    assert pair.dialer.machine.error is None
    pair.dialer.table.tick(pair.dialer.now)
    (ask,) = pair.dialer.send()
    assert type_of(ask) is MessageType.ASK


def test_the_last_number_is_the_end_of_a_sealed_direction() -> None:
    pair = Pair()
    pair.settle()
    pair.dialer.machine.outbound.next_index = MAX_SEQUENCE
    pair.dialer.machine.app_wrote(b"one too many")
    pair.dialer.send()
    assert isinstance(pair.dialer.machine.error, StreamError)


def test_a_sequence_that_no_peer_can_have_sent_is_dropped() -> None:
    pair = Pair()
    pair.settle()
    pair.dialer.machine.outbound.next_index = 5000
    pair.dialer.machine.app_wrote(b"far away")
    pair.exchange(1)
    assert not pair.acceptor.machine.is_readable
    assert pair.acceptor.machine.error is None


def test_early_frames_are_few_and_not_kept_for_long() -> None:
    early = EarlyFrames()
    taken = [early.add(b"frame", 0.0) for _ in range(MAX_EARLY_FRAMES + 1)]
    assert taken == [True] * MAX_EARLY_FRAMES + [False]
    assert early.add(b"later", EARLY_SECONDS)
    assert early.take(EARLY_SECONDS) == [b"later"]


def closed_pair() -> tuple[Pair, ChannelMachine]:
    """A dialer whose application has closed, and an acceptor that goes on."""
    pair = Pair()
    pair.settle()
    acceptor = pair.acceptor.machine
    assert pair.acceptor.table.accept(pair.acceptor.table._listeners["stream"]) is not None
    key, peer = next(iter(pair.dialer.table.links)), ADDRESS
    pair.dialer.machine.app_closed()
    pair.settle()
    assert pair.dialer.link.is_over
    pair.dialer.table.remove(key, peer, pair.dialer.now)
    return pair, acceptor


def test_an_end_that_comes_after_closing_is_acknowledged() -> None:
    pair, acceptor = closed_pair()
    acceptor.app_finished()
    pair.settle()
    assert pair.acceptor.link.is_over
    assert acceptor.error is None


def test_a_question_that_comes_after_closing_is_answered() -> None:
    pair, acceptor = closed_pair()
    acceptor.app_finished()
    assert pair.acceptor.send()  # an end that is lost
    pair.acceptor.pass_time(4.0)
    assert [type_of(each) for each in pair.acceptor.send()] == [MessageType.PROBE]  # lost, too
    pair.settle(4.0)
    assert pair.acceptor.link.is_over
    assert acceptor.error is None


def test_data_that_comes_after_closing_is_answered_by_a_reset() -> None:
    pair, acceptor = closed_pair()
    acceptor.accepted()
    acceptor.app_wrote(b"nobody reads this")
    pair.settle()
    assert isinstance(acceptor.error, StreamError)


@pytest.mark.parametrize(("held", "surbs"), [(0, 17), (39, 17), (40, 3)])
def test_an_opening_brings_few_surbs_to_who_surely_holds_plenty(held: int, surbs: int) -> None:
    pair = Pair()
    pair.dialer.surbs_held = held
    (offer,) = pair.dialer.send()
    assert (type_of(offer), offer.surbs) == (MessageType.OFFER, surbs)
    for expected in (3 if surbs == 17 else 1, 0):
        pair.dialer.machine.app_wrote(b"data")
        (data,) = pair.dialer.send()
        assert (type_of(data), data.surbs) == (MessageType.DATA, expected)


def test_a_stranger_gets_all_surbs_whatever_was_given_to_the_address() -> None:
    pair = Pair(is_known=False)
    pair.dialer.surbs_held = 1000
    pair.dialer.machine.app_wrote(b"data")
    opening = [(type_of(message), message.surbs) for message in pair.dialer.send()]
    assert opening == [(MessageType.OPEN, 17), (MessageType.OFFER, 0), (MessageType.DATA, 3)]


@pytest.mark.parametrize(("held", "surbs"), [(0, 3), (199, 3), (200, 0)])
def test_a_message_without_data_brings_surbs_while_there_is_no_plenty(
    held: int, surbs: int
) -> None:
    pair = Pair()
    pair.exchange(1)
    pair.dialer.surbs_held = held
    pair.acceptor.machine.app_wrote(b"data")
    pair.exchange(1)
    pair.dialer.pass_time(10.0)
    (ack,) = pair.dialer.send()
    assert (type_of(ack), ack.surbs) == (MessageType.ACK, surbs)


@pytest.mark.parametrize("is_known", [True, False])
def test_an_open_stream_is_not_told_how_long_it_has_waited(is_known: bool) -> None:
    pair = Pair(is_known=is_known)
    pair.settle()
    for end in (pair.dialer, pair.acceptor):
        assert end.link.hears_the_peer
        end.table.take_changed()
        end.pass_time(20.0)  # it is told every five seconds as long as it waits
        assert end.table.take_changed() == []
