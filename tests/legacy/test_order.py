"""R4 and what it repairs: messages in any order, any number of times, and ids that wrap."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.channel import Segment, SegmentKind
from nymproxy.errors import StreamDataLost
from nymproxy.legacy.traits import LegacySettings
from tests.legacy.machines import (
    CODEC,
    MODERN,
    OLD,
    Reader,
    acceptor,
    close,
    data,
    dialer,
    send_all,
)


@given(st.data())
def test_r4_any_permutation_and_duplication_delivers_exactly_the_sequence(
    draw: st.DataObject,
) -> None:
    payloads = draw.draw(st.lists(st.binary(max_size=4), max_size=12), label="payloads")
    session, first = draw.draw(st.sampled_from([(MODERN, 0), (OLD, 1)]), label="session")
    segments = [data(first + n, payload, session) for n, payload in enumerate(payloads)]
    segments.append(close(first + len(payloads), session))
    copies = draw.draw(st.lists(st.sampled_from(segments), max_size=12), label="copies")
    arrivals = draw.draw(st.permutations(segments + copies), label="arrivals")
    reader = Reader(acceptor(session))
    for segment in arrivals:
        reader.take(segment, 0.0)
    assert reader.received == b"".join(payloads)
    assert reader.end_at is not None


@given(st.lists(st.tuples(st.integers(0, 65535), st.none() | st.binary(max_size=3)), max_size=40))
def test_r4_whatever_arrives_only_a_prefix_without_gap_comes_out(
    messages: list[tuple[int, bytes | None]],
) -> None:
    """Against a model in three lines: first one wins, then as far as it goes."""
    first_of: dict[int, bytes | None] = {}
    expected = b""
    is_ended = False
    next_id = 0
    reader = Reader(acceptor())
    for message_id, payload in messages:
        reader.take(close(message_id) if payload is None else data(message_id, payload), 0.0)
        if (message_id - next_id) % 65536 < 32768:
            first_of.setdefault(message_id, payload)
        while next_id in first_of and not is_ended:
            found = first_of.pop(next_id)
            is_ended = found is None
            expected += found or b""
            next_id = (next_id + 1) % 65536
        assert reader.received == expected
        assert (reader.end_at is not None) == is_ended


def test_d3_late_data_keeps_its_place() -> None:
    reader = Reader(dialer())
    for message_id, now in ((0, 0.0), (2, 0.01), (1, 7.6)):
        reader.take(data(message_id, b"%d" % message_id), now)
    assert reader.received == b"012"


def test_d4_duplicates_and_old_ids_are_not_written_again() -> None:
    reader = Reader(dialer())
    for message_id in (0, 1, 2, 1, 3):
        reader.take(data(message_id, b"%d" % message_id), 0.0)
    assert reader.received == b"0123"


def test_r4_of_two_messages_with_one_id_the_first_wins() -> None:
    reader = Reader(dialer())
    for message_id, payload in ((1, b"x"), (1, b"y"), (0, b"0")):
        reader.take(data(message_id, payload), 0.0)
    assert reader.received == b"0x"


def test_d5_close_never_overtakes_data() -> None:
    reader = Reader(acceptor())
    reader.take(data(0, b"0"), 0.0)
    reader.take(close(2), 0.01)
    reader.take(data(3, b"never"), 7.4)
    assert reader.received == b"0"
    reader.take(data(1, b"1"), 7.9)
    assert (reader.received, reader.end_at) == (b"01", 7.9)


def test_d6_every_id_is_written_exactly_once() -> None:
    reader = Reader(dialer())
    for segment in (data(0, b"0"), data(2, b"2"), close(3), data(1, b"1")):
        reader.take(segment, 0.0)
    for tick in range(100):
        reader.machine.tick(tick / 10)
        reader.look(tick / 10)
    assert reader.received == b"012"
    assert reader.end_at == 0.0


def test_d7_the_tail_of_the_response_is_read_on_arrival() -> None:
    reader = Reader(dialer())
    reader.machine.app_finished()
    send_all(reader.machine, 0.0)
    for message_id in (0, 2, 1):
        reader.take(data(message_id, b"%d" % message_id), 1.0)
    assert reader.received == b"012"


def test_d8_a_burst_out_of_order_comes_out_at_once() -> None:
    reader = Reader(dialer())
    for message_id in (4, 3, 2, 1, 0):
        reader.take(data(message_id, b"%d" % message_id), 0.0)
    assert reader.received == b"01234"
    assert {at for at, _ in reader.reads} == {0.0}


def test_d22_a_batch_that_is_handed_over_last_first_keeps_its_order() -> None:
    reader = Reader(acceptor())
    for message_id in (2, 1, 0):
        reader.take(data(message_id, b"%d" % message_id), 0.0)
    assert reader.received == b"012"


def test_r4_a_gap_fails_the_session_after_the_timeout_and_not_before() -> None:
    reader = Reader(dialer(LegacySettings(gap_timeout_seconds=120)))
    reader.take(data(0, b"0"), 0.0)
    reader.take(data(2, b"2"), 10.0)
    reader.machine.tick(129.0)
    before = reader.machine.error
    reader.machine.tick(130.0)
    assert before is None
    assert isinstance(reader.machine.error, StreamDataLost)
    assert reader.received == b"0"


def test_r4_a_full_reorder_buffer_fails_the_session() -> None:
    reader = Reader(dialer(LegacySettings(reorder_limit_messages=10)))
    for message_id in range(1, 13):
        reader.take(data(message_id, b"x"), 0.0)
    assert isinstance(reader.machine.error, StreamDataLost)
    assert reader.received == b""


@pytest.mark.timeout(300)  # some seconds of arithmetic, on a machine that may be busy
def test_d19_70_000_messages_in_one_session() -> None:
    """Ids wrap once; out of order, doubled, and through the codec."""
    client, server = dialer(is_modern=True), acceptor()
    reader = Reader(server)
    shuffle = random.Random(19)
    expected = []
    for batch in range(7000):
        now = float(batch)
        arrivals: list[Segment] = []
        for number in range(10):
            payload = b"%d," % (batch * 10 + number)
            expected.append(payload)
            client.app_wrote(payload)
            client.app_flushed()
            arrivals += [CODEC.decode(CODEC.encode(o.segment)) for o in send_all(client, now)]
        arrivals.append(shuffle.choice(arrivals))
        shuffle.shuffle(arrivals)
        for segment in arrivals:
            reader.take(segment, now)
    client.app_finished()
    (end,) = send_all(client, 7000.0)
    reader.take(end.segment, 7000.0)
    assert end.segment.sequence == 70_000 % 65536
    assert reader.received == b"".join(expected)
    assert reader.end_at == 7000.0
    assert client.error is None
    assert server.error is None


def test_d28_nothing_is_kept_of_messages_that_are_done() -> None:
    client, server = dialer(is_modern=True), acceptor()
    for number in range(3000):
        client.app_wrote(b"x")
        client.app_flushed()
        for outgoing in send_all(client, float(number)):
            Reader(server).take(outgoing.segment, float(number))
    assert client.outbound.flight.is_empty
    assert server.inbound.buffered_bytes == 0


def test_r1_r6_r14_what_a_server_says_first_and_last() -> None:
    server = acceptor()
    server.segment_received(data(0, b"hello"), 0.0)
    (greeting,) = send_all(server, 0.0)
    assert greeting.segment.payload == b""
    assert greeting.segment.sequence == 0
    assert CODEC.encode(greeting.segment).endswith(b"NYP1\x01")
    server.app_finished()
    (end,) = send_all(server, 1.0)
    assert end.segment.kind is SegmentKind.FIN
    assert end.segment.sequence == 1


def test_r6_a_refused_upstream_is_a_close_before_any_data() -> None:
    client = Reader(dialer())
    client.take(close(0), 0.1)
    assert client.end_at == 0.1
    assert not client.machine.inbound.has_payload


def test_d24_r10_a_message_of_one_byte_costs_no_surbs_but_the_first() -> None:
    client = dialer(is_modern=True)
    surbs = []
    for _ in range(5):
        client.app_wrote(b"x")
        client.app_flushed()
        surbs += [outgoing.surbs for outgoing in send_all(client, 0.0)]
    client.app_finished()
    surbs += [outgoing.surbs for outgoing in send_all(client, 0.0)]
    assert surbs == [100, 0, 0, 0, 0, 0]


def test_r8_nothing_is_sent_twice_but_the_close() -> None:
    client = dialer()
    sent = []
    for tenth in range(200):
        if tenth == 10:
            client.app_wrote(b"request")
        if tenth == 50:
            client.app_finished()
        client.tick(tenth / 10)
        sent += [outgoing.segment for outgoing in send_all(client, tenth / 10)]
    assert [segment.kind for segment in sent] == [
        SegmentKind.DATA,
        SegmentKind.FIN,
        SegmentKind.FIN,
    ]
    assert sent[1] == sent[2]
