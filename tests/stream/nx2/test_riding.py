"""What rides along in packets that leave anyway: data with an OFFER, an answer with an ACCEPT,
acknowledgements with messages of other streams."""

from __future__ import annotations

import pytest

from nymproxy.channel.link import ChannelLink, Message
from nymproxy.errors import StreamRefused
from nymproxy.mixnet.messages import (
    ReplyMessage,
    encode_message,
    fragment_length,
    fragments_needed,
)
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.stream.codec import HEADER_LENGTH, MessageType, StreamCodec
from nymproxy.stream.nx2.accepting import ANSWER_HOLD_SECONDS, AcceptorLink
from nymproxy.stream.nx2.keys import MAC_LENGTH
from nymproxy.stream.nx2.supply import (
    CONTROL_SURBS,
    MAX_OPENING_BYTES,
    PACKET_BYTES,
    PLENTY,
)
from tests.stream.nx2.test_links import SENDER, Pair, type_of
from tests.stream.nx2.test_opening import deliver, flipped, text

OFFER_BYTES = 70
"""Header, fields and MAC."""


@pytest.mark.parametrize(
    ("length", "types"),
    [
        (1400, [MessageType.ACCEPT]),
        (PACKET_BYTES - 40, [MessageType.ACCEPT, MessageType.DATA]),
        (PACKET_BYTES, [MessageType.ACCEPT]),
        (3000, [MessageType.ACCEPT]),
        (2 * PACKET_BYTES - 40, [MessageType.ACCEPT, MessageType.DATA]),
    ],
)
def test_an_accept_brings_along_what_takes_no_more_packets(
    length: int, types: list[MessageType]
) -> None:
    """Counted as the client counts them, of messages as they are."""
    pair = Pair()
    deliver(pair.dialer.send(), pair.acceptor)
    pair.acceptor.machine.app_wrote(bytes(length))
    messages = pair.acceptor.send_at_once()
    assert [type_of(message) for message in messages] == types
    alone = bytes(length + HEADER_LENGTH + 4 + MAC_LENGTH)
    assert _reply_packets(messages[-1].payload) == _reply_packets(alone)


def _reply_packets(payload: bytes) -> int:
    fragment_bytes = fragment_length(PacketSize.REGULAR)
    return fragments_needed(len(encode_message(ReplyMessage(payload))), fragment_bytes - 1)[0]


def test_an_accept_waits_longer_for_the_answer_to_a_question_that_came_with_the_offer() -> None:
    pair = Pair()
    pair.dialer.machine.app_wrote(b"a question")
    (offer,) = pair.dialer.send()
    pair.acceptor.take(offer.payload, SENDER)
    assert text(pair.acceptor) == b"a question"
    assert pair.acceptor.link.next_deadline(0.0) == ANSWER_HOLD_SECONDS
    pair.acceptor.pass_time(ANSWER_HOLD_SECONDS - 0.01)
    assert pair.acceptor.send_at_once() == []
    pair.acceptor.machine.app_wrote(b"an answer")
    (both,) = pair.acceptor.send_at_once()
    deliver([both], pair.dialer)
    assert text(pair.dialer) == b"an answer"


# Data in an OFFER.


def test_what_is_written_before_an_offer_leaves_goes_with_it_up_to_two_packets() -> None:
    pair = Pair()
    pair.dialer.surbs_held = PLENTY
    written = bytes(range(250)) * 10
    pair.dialer.machine.app_wrote(written)
    offer, data = pair.dialer.send()
    assert (type_of(offer), type_of(data)) == (MessageType.OFFER, MessageType.DATA)
    assert len(offer.payload) == OFFER_BYTES + MAX_OPENING_BYTES
    deliver([data, offer, offer], pair.acceptor)
    assert text(pair.acceptor) == written
    outbound = pair.dialer.machine.outbound
    assert (outbound.is_drained, outbound.flight.acknowledged_bytes) == (False, 0)
    pair.settle()
    assert (outbound.is_drained, outbound.flight.acknowledged_bytes) == (True, len(written))
    assert (outbound.unsent_bytes, text(pair.acceptor)) == (0, b"")


def test_data_of_a_stranger_follow_their_open() -> None:
    """An Open of a peer with NX2 has none: it was made of something else."""
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(b"a question")
    types = [type_of(message) for message in pair.dialer.send()]
    assert types == [MessageType.OPEN, MessageType.OFFER, MessageType.DATA]


def test_an_offer_is_sent_again_with_its_data_until_the_accept() -> None:
    pair = Pair()
    pair.dialer.machine.app_wrote(b"a question")
    (lost,) = pair.dialer.send()
    pair.dialer.pass_time(5.0)
    (offer,) = pair.dialer.send()
    assert (offer.payload, offer.surbs) == (lost.payload, CONTROL_SURBS)
    deliver([offer], pair.acceptor)
    assert text(pair.acceptor) == b"a question"


def test_an_offer_with_data_that_does_not_verify_opens_nothing() -> None:
    pair = Pair()
    pair.dialer.machine.app_wrote(b"a question")
    (offer,) = pair.dialer.send()
    pair.acceptor.take(flipped(offer.payload), SENDER)
    assert not pair.acceptor.table.links


def test_data_of_an_offer_count_in_the_window() -> None:
    pair = Pair()
    room = pair.dialer.machine.outbound.window.room
    pair.dialer.machine.app_wrote(b"a question")
    pair.settle()
    assert pair.dialer.machine.outbound.window.room == room - len(b"a question")
    pair.dialer.machine.app_wrote(bytes(room))
    pair.settle(10.0)
    assert (pair.dialer.machine.error, pair.acceptor.machine.error) == (None, None)


# Acknowledgements with messages of other streams.


def ended(count: int) -> tuple[Pair, list[AcceptorLink]]:
    """As many streams of one dialer that have ended it, and the acceptor's links of them."""
    pair = Pair()
    (listener,) = pair.acceptor.table._listeners.values()
    for _ in range(count - 1):
        pair.exchange()
        pair.acceptor.table.accept(listener)
        pair.dialer.dial()
    pair.exchange()
    for machine in pair.dialer.table.channels.values():
        machine.app_wrote(b"a question")
        machine.app_finished()
    deliver(pair.dialer.send_at_once(), pair.acceptor)
    links = [each for each in pair.acceptor.table.links.values() if isinstance(each, AcceptorLink)]
    assert len(links) == count
    return pair, links


def test_acknowledgements_of_ends_ride_with_a_message_of_another_stream() -> None:
    pair, (first, *others) = ended(4)
    now = pair.acceptor.now
    assert all(each.rides for each in others)
    carrier = Message(first.write_ack(), any_surb=True)
    *acks, last = StreamCodec().split(first.bring_along(carrier, others, now))
    assert (len(acks), last) == (3, carrier.payload)
    assert not any(each.rides for each in others)
    for each in acks:
        pair.dialer.take(each, None)
    drained = [each.outbound.is_drained for each in pair.dialer.table.channels.values()]
    assert drained == [False, True, True, True]


def test_what_may_wait_for_reply_surbs_brings_nothing_along() -> None:
    pair, (first, *others) = ended(2)
    message = Message(first.write_ack())
    assert first.bring_along(message, others, pair.acceptor.now) == message.payload
    assert others[0].rides


def test_a_dialer_of_before_gets_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nymproxy.stream.nx2.frames._TAKES_ALONG", 0)
    pair, (first, *others) = ended(2)
    assert not any(each.rides for each in (first, *others))
    carrier = Message(first.write_ack(), any_surb=True)
    assert first.bring_along(carrier, others, pair.acceptor.now) == carrier.payload


def test_no_more_ride_than_a_packet_has_room_for_nor_more_than_sixteen() -> None:
    pair, (first, *others) = ended(20)
    full = Message(bytes(PACKET_BYTES - 60), any_surb=True)
    assert first.bring_along(full, others, pair.acceptor.now) == full.payload
    carrier = Message(first.write_ack(), any_surb=True)
    assert len(StreamCodec().split(first.bring_along(carrier, others, pair.acceptor.now))) == 17
    assert [each.rides for each in others] == 16 * [False] + 3 * [True]


def test_links_of_peers_without_nx2_neither_ride_nor_bring_along() -> None:
    pair, (first, *_) = ended(1)
    plain = ChannelLink(first.machine, StreamCodec())
    message = Message(b"message", any_surb=True)
    assert plain.bring_along(message, [first], 0.0) == b"message"
    assert first.bring_along(message, [plain], pair.acceptor.now) == b"message"


def test_data_of_an_opening_that_is_refused_have_arrived_nowhere() -> None:
    pair = Pair(skew=-1200.0)
    machine = pair.dialer.machine
    machine.app_wrote(b"a question")
    pair.settle()
    assert isinstance(machine.error, StreamRefused)
    assert machine.outbound.flight.acknowledged_bytes == 0
