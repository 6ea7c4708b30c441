"""What is left of streams that are over: found by id, for a while, and not much of each."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

from nymproxy.address import SenderTag
from nymproxy.channel import tombstones
from nymproxy.channel.segment import ChannelId, Segment, SegmentKind
from nymproxy.stream.codec import TYPE_OFFSET, MessageType, StreamFrame
from nymproxy.stream.nx2 import ended, openings
from nymproxy.stream.nx2.after_end import EndedStream
from nymproxy.stream.nx2.ended import ENDED_SECONDS, EndedStreams
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE
from nymproxy.stream.nx2.frames import Accept, Offer
from nymproxy.stream.nx2.kept import STALLED_SECONDS
from nymproxy.stream.nx2.link import OPENING_SECONDS
from nymproxy.stream.nx2.receipts import MAX_FRAMES_BEYOND, Receipts
from nymproxy.stream.nx2.roundtrip import RoundTrip
from nymproxy.stream.nx2.sealer import AcceptorSealer, DialerSealer
from tests.stream.nx2.builders import ADDRESS
from tests.stream.nx2.test_links import SENDER, Pair
from tests.stream.nx2.test_opening import text

if TYPE_CHECKING:
    import pytest

STREAMS = 25
MAX_BYTES_LEFT = 1_750
"""Of one stream, at both ends. As machines and links they were 33 kB."""
OTHER = SenderTag(b"other" + bytes(11))


def words(stream_id: int, tag: SenderTag = SENDER) -> EndedStream:
    sealer = AcceptorSealer(stream_id, tag, ADDRESS, Offer(0, bytes(32)), Accept(bytes(32)))
    receipts = Receipts(RoundTrip(), is_dialer=False)
    return EndedStream(
        sealer, receipts, 0, may_say_farewell=False, has_failed=False, awaits_seal=False
    )


def test_streams_of_one_id_are_all_found_and_told_apart_by_their_peers() -> None:
    streams, first, second = EndedStreams(), words(7), words(7, OTHER)
    streams.add(first, SENDER, 0.0)
    streams.add(second, OTHER, 1.0)
    assert streams.of(7) == [first, second]
    assert streams.of(8) == []
    assert [streams.has(peer, 7) for peer in (SENDER, OTHER)] == [True, True]
    streams.expire(ENDED_SECONDS)
    assert streams.of(7) == [second]
    assert [streams.has(peer, 7) for peer in (SENDER, OTHER)] == [False, True]
    streams.expire(ENDED_SECONDS + 1.0)
    assert (len(streams), streams.of(7)) == (0, [])


def test_they_are_there_for_longer_than_a_peer_asks() -> None:
    assert ENDED_SECONDS >= STALLED_SECONDS + 60.0


def test_the_oldest_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "MAX_ENDED", 2)
    streams = EndedStreams()
    for stream_id in range(3):
        streams.add(words(stream_id), SENDER, 0.0)
    assert [streams.has(SENDER, stream_id) for stream_id in range(3)] == [False, True, True]


def carry(pair: Pair, count: int) -> None:
    """Open streams, send something each way, and end them, one after the other."""
    table = pair.acceptor.table
    for _ in range(count):
        if not pair.dialer.table.links:
            pair.dialer.dial()
        pair.exchange()
        assert table.accept(table._listeners["stream"]) is not None
        for end in (pair.dialer, pair.acceptor):
            end.machine.app_wrote(bytes(100))
            end.machine.app_finished()
        pair.settle()
        for end in (pair.dialer, pair.acceptor):
            assert len(text(end)) == 100
            assert end.link.is_over
            (key,) = end.table.links
            end.table.take_changed()
            end.table.remove(key, SENDER if key.tag else ADDRESS, end.now)
    for end in (pair.dialer, pair.acceptor):
        end.pass_time(OPENING_SECONDS)  # timers that belong to nobody any more are gone


def test_what_had_come_of_a_stream_that_failed_is_known_beyond_its_gap() -> None:
    receipts = Receipts(RoundTrip(), is_dialer=False)
    for sequence in (0, 2, 3, 7):
        assert receipts.numbered(sequence, 100, 0.0)
    offer, accept = Offer(0, bytes(32)), Accept(bytes(32))
    dialer = DialerSealer(7, SENDER, ADDRESS, dialer_random=bytes(32), is_known=True)
    acceptor = AcceptorSealer(7, SENDER, ADDRESS, offer, accept)
    dialer.open_accept(acceptor.accept())
    ended_stream = EndedStream(
        acceptor, receipts, 5_000, may_say_farewell=True, has_failed=False, awaits_seal=False
    )
    for sequence, says in ((2, MessageType.ACK), (4, MessageType.RESET)):
        data = StreamFrame(7, MessageType.DATA, sequence, b"late", CAPABILITY_BYTE)
        segment = Segment(
            SegmentKind.PROTECTED, ChannelId(7), payload=dialer.seal(data.encode(), 0)
        )
        (answer,) = ended_stream.answer(segment, 10.0 * sequence)
        assert answer[TYPE_OFFSET] == says
        if says is MessageType.ACK:
            ack = dialer.open_ack(answer)
            assert (ack.next_expected, ack.ranges, ack.limit) == (1, ((2, 3), (7, 7)), 5_000)


def test_what_no_peer_can_have_sent_takes_no_memory_of_a_stream_that_is_over() -> None:
    offer, accept = Offer(0, bytes(32)), Accept(bytes(32))
    dialer = DialerSealer(7, SENDER, ADDRESS, dialer_random=bytes(32), is_known=True)
    acceptor = AcceptorSealer(7, SENDER, ADDRESS, offer, accept)
    dialer.open_accept(acceptor.accept())
    receipts = Receipts(RoundTrip(), is_dialer=False)
    ended_stream = EndedStream(
        acceptor, receipts, 0, may_say_farewell=False, has_failed=False, awaits_seal=False
    )
    numbers = ((0, True), (MAX_FRAMES_BEYOND, True), (MAX_FRAMES_BEYOND + 2, False))
    for number, is_answered in numbers:
        data = StreamFrame(7, MessageType.DATA, number, b"", CAPABILITY_BYTE)
        payload = dialer.seal(data.encode(), 0)
        segment = Segment(SegmentKind.PROTECTED, ChannelId(7), payload=payload)
        assert bool(ended_stream.answer(segment, 10.0 * number)) is is_answered


def test_little_is_left_of_a_stream_at_its_two_ends() -> None:
    pair = Pair()
    carry(pair, 10)  # what is made once, as the filter of spent ids, is there then
    gc.collect()
    tracemalloc.start()
    carry(pair, STREAMS)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / STREAMS < MAX_BYTES_LEFT


def test_nothing_is_left_of_a_stream_when_all_tables_are_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ended, "MAX_ENDED", 8)
    monkeypatch.setattr(tombstones, "MAX_WORDS", 8)
    monkeypatch.setattr(openings, "REMEMBERED_MINUTES", -openings.MAX_AGE_MINUTES)
    pair = Pair()
    for end in (pair.dialer, pair.acceptor):
        end.table._answers.tombstones._limit = 16
    tracemalloc.start()
    carry(pair, 40)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    carry(pair, STREAMS)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 40 * STREAMS


def test_a_stream_that_is_over_does_not_wait_for_the_garbage_collector() -> None:
    pair = Pair()
    carry(pair, 2)
    gc.collect()
    gc.disable()
    try:
        carry(pair, 10)
        assert gc.collect() < 10
    finally:
        gc.enable()
