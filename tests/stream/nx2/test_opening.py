"""How a stream gets its keys, message by message, and what gateways can try meanwhile."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from nymproxy.channel import Segment, SegmentKind
from nymproxy.errors import ResetCode, StreamAltered, StreamPeerLost, StreamReset
from nymproxy.stream.codec import MessageType, StreamFrame
from nymproxy.stream.nx2.accepting import HOLD_SECONDS, MAX_HELD_FRAMES, AcceptorLink
from nymproxy.stream.nx2.dialing import DialerLink
from nymproxy.stream.nx2.early import MAX_EARLY_FRAMES
from nymproxy.stream.nx2.link import MAX_FIRST_BYTES, SealedLink
from nymproxy.stream.nx2.linker import Nx2Linker
from nymproxy.stream.nx2.patience import VERDICT_SECONDS
from nymproxy.stream.nx2.prefix import MAX_PREFIX_BYTES
from nymproxy.stream.nx2.receipts import END_SECONDS
from nymproxy.stream.nx2.sealer import DialerSealer
from nymproxy.stream.nx2.seals import SEAL_SECONDS
from nymproxy.stream.nx2.supply import MAX_ALONG_BYTES
from tests.stream.nx2.builders import ADDRESS
from tests.stream.nx2.test_links import SENDER, UNIX, End, Pair, type_of

if TYPE_CHECKING:
    from nymproxy.channel.link import Message

MINUTES = int(UNIX // 60)


def flipped(payload: bytes, position: int = -1) -> bytes:
    altered = bytearray(payload)
    altered[position] ^= 1
    return bytes(altered)


def deliver(messages: list[Message], to: End) -> None:
    tag = SENDER if to.table._listeners else None
    for message in messages:
        to.take(message.payload, tag)


def text(end: End) -> bytes:
    """Return what the application of a stream can read now."""
    return end.machine.inbound.read(1_000_000) if end.machine.is_readable else b""


def sealed_link(end: End) -> SealedLink:
    link = end.link
    assert isinstance(link, SealedLink)
    return link


def acceptor_link(pair: Pair) -> AcceptorLink:
    link = pair.acceptor.link
    assert isinstance(link, AcceptorLink)
    return link


def dialer_link(pair: Pair) -> DialerLink:
    link = pair.dialer.link
    assert isinstance(link, DialerLink)
    return link


def unsealed(pair: Pair, kind: SegmentKind, payload: bytes = b"") -> bytes:
    """A frame as a gateway can make it: it shows NX2, and has no MAC."""
    frame = Segment(
        kind,
        pair.dialer.machine.channel_id,
        payload=payload,
        capabilities=pair.dialer.machine.traits.stamp(
            Segment(SegmentKind.OPEN, pair.dialer.machine.channel_id)
        ).capabilities,
        reset_code=ResetCode.CANCELLED,
        limit=2**40,
    )
    return pair.dialer.protocol.codec.encode(frame)


# OFFER and ACCEPT.


def test_each_copy_of_an_offer_gets_the_same_accept_once_a_second() -> None:
    pair = Pair()
    (offer,) = pair.dialer.send()
    pair.acceptor.take(offer.payload, SENDER)
    (accept,) = pair.acceptor.send()
    pair.acceptor.take(offer.payload, SENDER)
    pair.acceptor.take(offer.payload, SENDER)
    assert pair.acceptor.send() == []
    assert pair.acceptor.link.next_deadline(0.0) == HOLD_SECONDS + 1.0
    pair.acceptor.pass_time(1.0)
    assert pair.acceptor.send() == [accept]


def test_an_accept_waits_a_moment_for_what_it_can_bring_along() -> None:
    pair = Pair()
    deliver(pair.dialer.send(), pair.acceptor)
    assert pair.acceptor.send_at_once() == []
    assert pair.acceptor.link.next_deadline(0.0) == HOLD_SECONDS
    pair.acceptor.machine.app_wrote(b"an answer")
    (both,) = pair.acceptor.send_at_once()
    assert (type_of(both), both.any_surb, both.sequence) == (MessageType.ACCEPT, True, 0)
    deliver([both], pair.dialer)
    assert text(pair.dialer) == b"an answer"


def test_an_accept_waits_for_nothing_where_much_follows() -> None:
    pair = Pair()
    deliver(pair.dialer.send(), pair.acceptor)
    pair.acceptor.machine.app_wrote(bytes(MAX_ALONG_BYTES + 1))
    accept, data = pair.acceptor.send_at_once()
    assert (type_of(accept), type_of(data)) == (MessageType.ACCEPT, MessageType.DATA)


@pytest.mark.parametrize(("is_known", "counts"), [(False, [4, 2, 1, 1]), (True, [2, 2, 1, 0])])
def test_a_question_and_its_answer_take_few_messages(is_known: bool, counts: list[int]) -> None:
    """Property P5. A known dialer's OFFER with data, and the end; the ACCEPT with data, and the
    end, which acknowledges; an ACK. A stranger sends an Open and data, too; his SEAL is that ACK,
    and gets one."""
    pair, sent = Pair(is_known=is_known), list[int]()
    for end, other in 2 * ((pair.dialer, pair.acceptor), (pair.acceptor, pair.dialer)):
        if len(sent) < 2:
            end.machine.app_wrote(b"a few words")
            end.machine.app_finished()
        elif len(sent) == 2:
            end.pass_time(END_SECONDS)
        messages = end.send_at_once()
        deliver(messages, other)
        sent.append(len(messages))
    assert sent == counts
    pair.settle(10.0)
    assert (pair.dialer.link.is_over, pair.acceptor.link.is_over) == (True, True)


def test_a_first_answer_opens_by_itself_though_the_accept_before_it_is_lost() -> None:
    pair = Pair(is_known=False)
    deliver(pair.dialer.send(), pair.acceptor)
    assert pair.acceptor.send() != []  # the ACCEPT alone
    pair.acceptor.machine.app_wrote(b"an answer")
    (first,) = pair.acceptor.send()
    pair.acceptor.machine.app_wrote(b", and more")
    (second,) = pair.acceptor.send()
    assert (type_of(first), type_of(second)) == (MessageType.ACCEPT, MessageType.DATA)
    deliver([second, first, first], pair.dialer)
    assert text(pair.dialer) == b"an answer, and more"
    assert sealed_link(pair.dialer).is_sealed


def test_an_answer_to_a_dialer_that_has_the_keys_goes_without_the_accept() -> None:
    pair = Pair()
    pair.settle()
    pair.dialer.machine.app_wrote(b"a question")  # under the final keys
    deliver(pair.dialer.send(), pair.acceptor)
    pair.acceptor.machine.app_wrote(b"an answer")
    (first,) = pair.acceptor.send()
    assert type_of(first) is MessageType.DATA


def test_what_an_accept_brings_along_is_checked_like_what_comes_alone() -> None:
    pair = Pair()
    deliver(pair.dialer.send(), pair.acceptor)
    sealer = acceptor_link(pair).sealer
    assert sealer is not None
    own = StreamFrame(int(pair.dialer.machine.channel_id), MessageType.DATA, 0, b"").encode()
    of_another_stream = sealer.seal(own[:2] + bytes(8) + own[10:], 0)
    for first in (own, own[:-1] + b"x", own + bytes(40), of_another_stream):
        pair.dialer.take(sealer.accept(first), None)
    assert sealed_link(pair.dialer).is_sealed
    assert dialer_link(pair).counters["unverified"] == 4
    assert (text(pair.dialer), pair.dialer.machine.error) == (b"", None)


def test_another_offer_for_the_same_stream_gets_no_answer() -> None:
    pair = Pair()
    (offer,) = pair.dialer.send()
    pair.acceptor.take(offer.payload, SENDER)
    pair.acceptor.send()
    stream_id = int(pair.dialer.machine.channel_id)
    other = DialerSealer(stream_id, SENDER, ADDRESS, dialer_random=b"o" * 32, is_known=True)
    pair.acceptor.take(other.offer(MINUTES), SENDER)
    pair.acceptor.take(flipped(offer.payload), SENDER)
    pair.acceptor.pass_time(2.0)
    assert pair.acceptor.send() == []
    assert len(pair.acceptor.table.links) == 1


@pytest.mark.parametrize("is_known", [True, False])
def test_an_altered_offer_opens_nothing_and_the_true_one_does(is_known: bool) -> None:
    pair = Pair(is_known=is_known)
    *opening, offer = pair.dialer.send()
    deliver(opening, pair.acceptor)
    pair.acceptor.take(flipped(offer.payload), SENDER)
    assert pair.acceptor.send() == []
    assert all(not link.is_acceptable for link in pair.acceptor.table.links.values())
    pair.acceptor.take(offer.payload, SENDER)
    assert [type_of(message) for message in pair.acceptor.send()] == [MessageType.ACCEPT]
    assert pair.acceptor.link.is_acceptable


def test_a_second_accept_changes_nothing() -> None:
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(b"prefix")
    deliver(pair.dialer.send(), pair.acceptor)
    (accept,) = pair.acceptor.send()
    pair.dialer.take(accept.payload, None)
    pair.settle()
    before = len(pair.dialer.send())
    pair.dialer.take(accept.payload, None)
    pair.dialer.pass_time(0.25)
    assert (before, pair.dialer.send()) == (0, [])  # no second SEAL
    assert pair.dialer.link.hears_the_peer


def test_a_replayed_accept_is_no_sign_of_life() -> None:
    pair = Pair()
    deliver(pair.dialer.send(), pair.acceptor)
    (accept,) = pair.acceptor.send()
    pair.dialer.take(accept.payload, None)
    for _ in range(120):  # nothing else of the acceptor comes any more
        pair.dialer.send()
        pair.dialer.table.next_deadline(pair.dialer.now)
        pair.dialer.pass_time(1.0)
        pair.dialer.take(accept.payload, None)
    assert isinstance(pair.dialer.machine.error, StreamPeerLost)


def test_what_waited_while_the_gateway_was_gone_is_confirmed_before_it_is_shown() -> None:
    """An OFFER from before may have been replayed: only an answer under the new keys shows it."""
    pair = Pair(skew=-120.0)
    pair.acceptor.connected_seconds = 1.0
    listener = pair.acceptor.table._listeners["stream"]
    pair.dialer.machine.app_wrote(b"early")
    deliver(pair.dialer.send(), pair.acceptor)  # under the early key, which a replay has, too
    assert pair.acceptor.table.accept(listener) is None
    deliver(pair.acceptor.send(), pair.dialer)
    (confirmation,) = pair.dialer.send()
    assert type_of(confirmation) is MessageType.ACK
    pair.acceptor.take(confirmation.payload, SENDER)
    assert pair.acceptor.table.accept(listener) is not None
    assert text(pair.acceptor) == b"early"


def test_openings_of_one_peer_take_no_opening_from_another() -> None:
    """Before somebody listens, one peer's many OFFERs cannot push out what another's said."""
    pair = Pair()
    late = End(3)
    (offer,) = pair.dialer.send()
    late.take(offer.payload, SENDER)
    for number in range(300):
        flood = DialerSealer(
            7, SENDER, ADDRESS, dialer_random=number.to_bytes(32, "big"), is_known=True
        )
        late.take(flood.offer(MINUTES), SENDER)
    listener = late.table.listen(late.protocol, 8, 0.0)
    assert len(late.table.links) == 2
    accepts = [message for message in late.send() if type_of(message) is MessageType.ACCEPT]
    for message in accepts:
        pair.dialer.take(message.payload, None)
    pair.dialer.machine.app_wrote(b"hello")
    deliver(pair.dialer.send(), late)
    shown = []
    while (key := late.table.accept(listener)) is not None:
        shown.append(key.channel_id)
    assert pair.dialer.machine.channel_id in shown


@pytest.mark.parametrize("is_known", [False, True])
def test_a_reset_that_has_overtaken_its_opening_leaves_nothing_behind(is_known: bool) -> None:
    """The Open, or the OFFER with the first data, and the RESET come in any order."""
    for order in permutations(range(2 if is_known else 3)):
        pair = Pair(is_known=is_known)
        pair.dialer.machine.app_wrote(b"a request")
        messages = [*pair.dialer.send()[: len(order) - 1]]
        pair.dialer.machine.abort(ResetCode.CANCELLED, "the app has gone")
        (reset,) = (each for each in pair.dialer.send() if type_of(each) is not MessageType.ACK)
        messages.append(reset)
        listener = pair.acceptor.table._listeners["stream"]
        for number in order:
            deliver([messages[number]], pair.acceptor)
            pair.acceptor.send()
        assert pair.acceptor.table.accept(listener) is None
        assert isinstance(pair.acceptor.machine.error, StreamReset)
        assert pair.acceptor.link.is_over


def test_before_somebody_listens_the_first_offer_is_the_opening() -> None:
    late = End(3)
    for data in (b"1", b"2"):
        dialer = DialerSealer(7, SENDER, ADDRESS, dialer_random=data * 32, is_known=True)
        late.take(dialer.offer(MINUTES, data), SENDER)
    late.table.listen(late.protocol, 8, 0.0)
    assert text(late) == b"1"
    assert late.table.counters["duplicate-open"] == 1


def test_what_offers_hold_before_somebody_listens_is_bounded() -> None:
    pair, late = Pair(is_known=False), End(3)
    opening, offer = pair.dialer.send()
    late.take(opening.payload, SENDER)
    for number in range(20):
        flood = DialerSealer(
            int(pair.dialer.machine.channel_id),
            SENDER,
            ADDRESS,
            dialer_random=number.to_bytes(32, "big"),
            is_known=True,
        )
        late.take(flood.offer(MINUTES, bytes(100_000)), SENDER)
    linker = late.table._linkers["stream"]
    assert isinstance(linker, Nx2Linker)
    assert sum(map(len, linker._admitted)) < 1000
    assert late.table.counters["duplicate-open"] == 20
    held = late.table._unclaimed._held.values()
    assert sum(len(segment.payload) for segment, _ in held) < 1000
    late.take(offer.payload, SENDER)
    late.table.listen(late.protocol, 8, 0.0)
    deliver(late.send(), pair.dialer)
    assert pair.dialer.link.hears_the_peer


def test_an_opening_that_came_back_after_the_end_is_refused_if_it_verifies() -> None:
    pair = Pair()
    (offer,) = pair.dialer.send()
    for payload in (flipped(offer.payload), offer.payload):
        acceptor = End(2)
        acceptor.table.listen(acceptor.protocol, 0, 0.0)  # a full backlog: all are refused
        acceptor.take(offer.payload, SENDER)
        (refusal,) = acceptor.send()
        acceptor.now = 5.0
        acceptor.take(payload, SENDER)
        answers = acceptor.send()
        assert [type_of(message) for message in answers] == (
            [MessageType.ACCEPT] if payload == offer.payload else []
        )
        assert type_of(refusal) is MessageType.ACCEPT


# A peer that is not known yet.


@pytest.mark.parametrize("writes_late", [False, True])
def test_a_silent_peer_is_plain_when_the_application_waits_for_it(writes_late: bool) -> None:
    pair, data = Pair(is_known=False), bytes(2 * MAX_PREFIX_BYTES)
    dialer = pair.dialer
    if not writes_late:
        dialer.machine.app_wrote(data)
    sent = dialer.send()
    dialer.pass_time(VERDICT_SECONDS - 1)
    sent += dialer.send()
    assert not dialer_link(pair).is_plain
    assert sum(len(each.payload) for each in sent if each.sequence is not None) <= 70_000
    dialer.pass_time(1.0)
    assert dialer_link(pair).is_plain is not writes_late  # else nobody waits for it
    sent += dialer.send()
    if writes_late:
        dialer.machine.app_wrote(data)
    sent += dialer.send()
    assert dialer_link(pair).is_plain
    frames = [StreamFrame.decode(message.payload) for message in sent]
    payload = [each.payload for each in frames if each.message_type is MessageType.DATA]
    assert sum(map(len, payload)) == len(data)
    assert dialer.machine.error is None


def test_a_peer_that_has_shown_nx2_is_neither_believed_unsealed_nor_taken_for_plain() -> None:
    pair = Pair(is_known=False)
    dialer = pair.dialer
    dialer.machine.app_wrote(bytes(2 * MAX_PREFIX_BYTES))
    sent = dialer.send()
    dialer.take(unsealed(pair, SegmentKind.HELLO), None)
    for kind in (SegmentKind.DATA, SegmentKind.FIN, SegmentKind.RESET, SegmentKind.WINDOW):
        dialer.take(unsealed(pair, kind, b"forged"), None)
    dialer.take(unsealed(pair, SegmentKind.PING), None)
    assert text(dialer) == b""
    for _ in range(40):
        sent += dialer.send()
        dialer.pass_time(1.0)
    assert dialer.machine.error is None
    assert not dialer_link(pair).is_plain
    assert dialer_link(pair).counters["unsealed"] == 4
    # Not a byte beyond the 64 KiB, and nothing that the peer would only drop.
    assert {type_of(each) for each in sent} == {
        MessageType.OPEN,
        MessageType.OFFER,
        MessageType.DATA,
    }
    assert sum(len(each.payload) for each in sent if each.sequence is not None) <= 70_000


def test_giving_up_before_the_accept_is_told_sealed() -> None:
    pair = Pair(is_known=False)
    deliver(pair.dialer.send(), pair.acceptor)
    pair.dialer.machine.abort(ResetCode.CANCELLED, "")
    (reset,) = pair.dialer.send()
    assert StreamFrame.decode(reset.payload).is_sealed
    pair.acceptor.take(flipped(reset.payload), SENDER)
    assert pair.acceptor.machine.error is None
    pair.acceptor.take(reset.payload, SENDER)
    assert isinstance(pair.acceptor.machine.error, StreamReset)


# The SEAL.


def until_the_seal(*, alters: bool = False) -> tuple[Pair, list[Message]]:
    """An unknown peer's stream up to its SEAL, which is on its way with what came behind it."""
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(b"prefix")
    *opening, data = pair.dialer.send()
    assert type_of(data) is MessageType.DATA
    deliver(opening, pair.acceptor)
    pair.acceptor.take(flipped(data.payload) if alters else data.payload, SENDER)
    deliver(pair.acceptor.send(), pair.dialer)
    pair.dialer.pass_time(0.25)
    pair.acceptor.pass_time(0.25)
    pair.dialer.machine.app_wrote(b", sealed")
    return pair, pair.dialer.send()


def test_an_altered_beginning_is_noticed_at_the_seal() -> None:
    pair, (seal, *_) = until_the_seal(alters=True)
    assert text(pair.acceptor) == flipped(b"prefix")
    pair.acceptor.take(seal.payload, SENDER)
    assert isinstance(pair.acceptor.machine.error, StreamAltered)
    (reset,) = pair.acceptor.send()
    pair.dialer.take(reset.payload, None)
    error = pair.dialer.machine.error
    assert isinstance(error, StreamReset)
    assert error.reset_code is ResetCode.DATA_LOST


def test_sealed_data_waits_for_the_seal_of_which_each_copy_is_answered() -> None:
    pair, (seal, *data) = until_the_seal()
    deliver(data, pair.acceptor)
    assert text(pair.acceptor) == b"prefix"
    pair.acceptor.take(seal.payload, SENDER)
    assert text(pair.acceptor) == b", sealed"
    for _ in range(2):
        answers = pair.acceptor.send()
        assert MessageType.ACK in map(type_of, answers)
        pair.acceptor.take(seal.payload, SENDER)
    assert text(pair.acceptor) == b""
    deliver(pair.acceptor.send(), pair.dialer)
    pair.dialer.pass_time(60.0)
    assert MessageType.SEAL not in map(type_of, pair.dialer.send())


def with_keys(opening: bytes = b"prefix") -> Pair:
    """A stranger whose ACCEPT has come, and whose SEAL is due."""
    pair = Pair(is_known=False)
    pair.dialer.machine.app_wrote(opening)
    deliver(pair.dialer.send_at_once(), pair.acceptor)
    deliver(pair.acceptor.send(), pair.dialer)
    return pair


def test_a_seal_brings_along_what_waits_for_it_and_at_once() -> None:
    pair = with_keys()
    pair.dialer.pass_time(0.1)
    pair.dialer.machine.app_wrote(b", and a question")
    (seal,) = pair.dialer.send_at_once()
    assert (type_of(seal), seal.sequence) == (MessageType.SEAL, 1)
    deliver([seal], pair.acceptor)
    assert text(pair.acceptor) == b"prefix, and a question"


def test_a_seal_brings_along_the_end_that_waits_for_it() -> None:
    pair = with_keys()
    pair.dialer.machine.app_finished()
    (seal,) = pair.dialer.send_at_once()
    deliver([seal], pair.acceptor)
    assert text(pair.acceptor) == b"prefix"
    assert pair.acceptor.machine.is_at_end


def test_a_strangers_end_is_flushed_when_its_seal_was_answered() -> None:
    """Not when its packets were acknowledged: the acceptor takes no end that is not sealed."""
    pair = Pair(is_known=False)
    pair.dialer.machine.app_finished()
    deliver(pair.dialer.send(), pair.acceptor)
    assert pair.dialer.machine.outbound.is_drained
    link = pair.dialer.link
    flushed = [link.is_flushed]
    deliver(pair.acceptor.send(), pair.dialer)
    flushed.append(link.is_flushed)
    pair.settle()
    flushed.append(link.is_flushed)
    assert flushed == [False, False, True]
    assert pair.acceptor.machine.inbound.has_ended


def test_a_seal_goes_in_front_of_much() -> None:
    pair = with_keys()
    pair.dialer.pass_time(0.1)
    pair.dialer.machine.app_wrote(bytes(MAX_FIRST_BYTES + 1))
    seal, data = pair.dialer.send_at_once()
    assert (type_of(seal), type_of(data)) == (MessageType.SEAL, MessageType.DATA)


def test_a_seal_is_an_acknowledgement() -> None:
    pair = with_keys()
    pair.acceptor.machine.app_wrote(b"an answer")
    pair.acceptor.machine.app_finished()
    deliver(pair.acceptor.send(), pair.dialer)
    pair.dialer.pass_time(END_SECONDS)
    assert text(pair.dialer) == b"an answer"
    (seal,) = pair.dialer.send_at_once()
    assert type_of(seal) is MessageType.SEAL
    deliver([seal], pair.acceptor)
    assert pair.acceptor.machine.outbound.is_drained


def test_an_old_copy_of_a_seal_acknowledges_nothing() -> None:
    pair = with_keys()
    pair.dialer.pass_time(SEAL_SECONDS)
    (seal,) = pair.dialer.send_at_once()
    pair.dialer.pass_time(4.0)
    (_, again) = (each for each in pair.dialer.send_at_once())
    before = acceptor_link(pair).receipts.echo
    deliver([again, seal], pair.acceptor)
    assert acceptor_link(pair).receipts.echo > before


def test_copies_that_fill_the_place_before_the_seal_cost_no_byte() -> None:
    pair, (seal, first) = until_the_seal()
    for _ in range(MAX_HELD_FRAMES + 100):
        pair.acceptor.take(first.payload, SENDER)
    pair.dialer.machine.app_wrote(b", late")
    deliver(pair.dialer.send(), pair.acceptor)
    assert len(acceptor_link(pair)._held) == MAX_HELD_FRAMES
    pair.acceptor.take(seal.payload, SENDER)
    assert text(pair.acceptor) == b"prefix, sealed"
    pair.settle(2.0)
    assert text(pair.acceptor) == b", late"
    assert pair.acceptor.machine.error is None


def test_what_is_sealed_before_the_keys_is_kept_and_no_more_than_that() -> None:
    pair = Pair()
    deliver(pair.dialer.send(), pair.acceptor)
    overtook = bytes(MAX_ALONG_BYTES + 1)
    pair.acceptor.machine.app_wrote(overtook)
    accept, data = pair.acceptor.send()
    for _ in range(MAX_EARLY_FRAMES + 5):
        pair.dialer.take(data.payload, None)
    assert dialer_link(pair).counters["early"] == 5
    assert text(pair.dialer) == b""
    pair.dialer.take(accept.payload, None)
    assert text(pair.dialer) == overtook


# Sealed from both sides.


def test_unsealed_frames_of_a_sealed_stream_are_dropped_and_counted() -> None:
    pair = Pair()
    pair.settle()
    kinds = (
        SegmentKind.DATA,
        SegmentKind.FIN,
        SegmentKind.RESET,
        SegmentKind.WINDOW,
        SegmentKind.PROBE,
    )
    for end, tag in ((pair.dialer, None), (pair.acceptor, SENDER)):
        room = end.machine.outbound.window.room
        for kind in kinds:
            end.take(unsealed(pair, kind, b"forged"), tag)
        assert sealed_link(end).counters["unsealed"] == len(kinds)
        assert end.machine.error is None
        assert (text(end), end.machine.is_at_end) == (b"", False)
        assert end.machine.outbound.window.room == room
        end.table.tick(end.now)
        assert end.send() == []  # neither an answer nor an ASK


def test_an_abort_does_not_take_the_accept_back() -> None:
    """The dialer could open nothing without it, and would wait for it in vain."""
    pair = Pair()
    (offer,) = pair.dialer.send()
    pair.acceptor.take(offer.payload, SENDER)
    link = pair.acceptor.link
    pair.acceptor.pass_time(HOLD_SECONDS)
    assert link.next_message(pair.acceptor.now) is not None  # and is not handed over
    link.machine.abort(ResetCode.CANCELLED, "")
    (both,) = pair.acceptor.send()
    assert type_of(both) is MessageType.ACCEPT
    assert link.is_over
    deliver([both], pair.dialer)
    assert isinstance(pair.dialer.machine.error, StreamReset)


def test_a_copy_of_an_offer_is_answered_when_the_stream_is_over() -> None:
    pair = Pair()
    (offer,) = pair.dialer.send()
    pair.acceptor.take(offer.payload, SENDER)
    (accept,) = pair.acceptor.send()
    pair.acceptor.machine.abort(ResetCode.CANCELLED, "")
    (reset,) = pair.acceptor.send()
    (key,) = pair.acceptor.table.links
    pair.acceptor.table.remove(key, SENDER, pair.acceptor.now)
    pair.dialer.take(reset.payload, None)  # which it cannot open yet
    for copy in (flipped(offer.payload), offer.payload, offer.payload):
        pair.acceptor.take(copy, SENDER)
    assert [message.payload for message in pair.acceptor.send()] == [accept.payload]
    pair.dialer.take(accept.payload, None)
    assert isinstance(pair.dialer.machine.error, StreamReset)
