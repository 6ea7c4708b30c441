"""ASK and ALIVE, and when a peer is taken for dead, in virtual time."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import SenderTag
from nymproxy.errors import ChannelFormatError
from nymproxy.stream.nx2.frames import Ask
from nymproxy.stream.nx2.liveness import (
    REPEAT_SECONDS,
    Answerer,
    Asker,
    ConnectedClock,
    Missing,
    read_ask,
    write_alive,
)
from tests.stream.nx2.builders import ADDRESS, TAG

SENDER = SenderTag(TAG)


def asker(now: float = 0.0) -> Asker:
    return Asker(SENDER, ADDRESS, random.Random(1).randbytes, now)


def deadline(each: Asker) -> float:
    return min(each.ask_at, each.dead_at)


def answer(ask_frame: bytes, has: set[int]) -> bytes:
    ask = read_ask(ask_frame, SENDER, ADDRESS)
    bits = tuple(stream_id in has for stream_id in ask.stream_ids)
    return write_alive(ask, bits, SENDER, ADDRESS)


def take(each: Asker, now: float) -> bytes:
    frame = each.take_due(now)
    assert frame is not None
    return frame


def test_nobody_is_asked_without_streams() -> None:
    each = asker()
    assert deadline(each) == math.inf
    each.add_stream(5, 0.0)
    each.remove_stream(5)
    assert deadline(each) == math.inf
    assert each.take_due(1000.0) is None


def test_a_silent_acceptor_is_asked_and_dead_after_100_seconds() -> None:
    each, times = asker(), []
    each.add_stream(5, 0.0)
    while deadline(each) < each.dead_at:
        times.append(deadline(each))
        take(each, deadline(each))
    assert 15 <= times[0] <= 20
    assert times[1] - times[0] == 4
    assert times[2] - times[1] == 8
    assert all(15 <= later - sooner <= 20 for sooner, later in itertools.pairwise(times[2:]))
    assert each.dead_at == 100.0


def test_what_is_heard_puts_it_off() -> None:
    each = asker()
    each.add_stream(5, 0.0)
    for now in range(0, 40, 10):
        each.heard(float(now))
        assert each.take_due(float(now)) is None
    assert each.dead_at == 130.0


def test_who_is_heard_all_the_time_is_asked_all_the_same_but_rarely() -> None:
    """What is heard of one stream says nothing of the others."""
    each, asked = asker(), list[float]()
    each.add_stream(5, 0.0)
    for tenths in range(3000):
        each.heard(tenths / 10)
        ask = each.take_due(tenths / 10)
        if ask is not None:
            asked.append(tenths / 10)
            each.take_alive(answer(ask, {5}), tenths / 10)
    assert asked == pytest.approx([40.0, 80.0, 120.0, 160.0, 200.0, 240.0, 280.0], abs=1.0)


@pytest.mark.parametrize("pause_seconds", [1, 3, 14, 39])
def test_who_is_heard_but_answers_nothing_is_unanswered_all_the_same(pause_seconds: int) -> None:
    """What is heard shows the way from there, and a question the way there."""
    each = asker()
    each.add_stream(5, 0.0)
    now = 0
    while not each.is_unanswered:
        now += 1
        each.take_due(float(now))
        if now % pause_seconds == 0:
            each.heard(float(now))
    assert now <= 55


def test_an_acceptor_that_lost_a_stream_says_so() -> None:
    each = asker()
    each.add_stream(5, 0.0)
    each.add_stream(6, 0.0)
    ask = take(each, deadline(each))
    each.add_stream(7, 21.0)  # after the ASK: not in it
    assert each.take_alive(answer(ask, {6}), 22.0) == [5]
    assert each.dead_at == 122.0


def test_a_restarted_server_is_noticed_within_30_seconds_though_an_answer_is_lost() -> None:
    each, server = asker(), Answerer(0.0)
    each.add_stream(5, 0.0)
    first = take(each, deadline(each))
    assert server.take_ask(read_ask(first, SENDER, ADDRESS), deadline(each) - 4)
    now = deadline(each)
    second = take(each, now)
    assert server.take_ask(read_ask(second, SENDER, ADDRESS), now)
    assert each.take_alive(answer(second, set()), now + 1) == [5]
    assert now + 1 <= 30


def test_an_answer_is_taken_once_and_only_to_a_question() -> None:
    each = asker()
    each.add_stream(5, 0.0)
    old = answer(take(each, 20.0), {5})
    assert each.take_alive(old, 20.5) == []
    with pytest.raises(ChannelFormatError):
        each.take_alive(old, 21.0)
    forged = bytearray(answer(take(each, 60.0), {5}))
    forged[17] ^= 1  # the bit of stream 5
    with pytest.raises(ChannelFormatError):
        each.take_alive(bytes(forged), 61.0)


def test_many_streams_take_turns() -> None:
    each, named = asker(), set[int]()
    for stream_id in range(100):
        each.add_stream(stream_id, 0.0)
    for _ in range(2):
        named |= set(read_ask(take(each, deadline(each)), SENDER, ADDRESS).stream_ids)
    assert named == set(range(100))


def test_a_busy_server_is_asked_less_often() -> None:
    each = asker()
    each.wants(100)
    each.add_stream(5, 0.0)
    assert 75 <= deadline(each) <= 100
    assert each.dead_at == 500.0
    assert Answerer(0.0, 100).dead_at == 500.0


def test_a_stream_is_missing_when_the_dialer_has_named_all_others() -> None:
    server = Answerer(0.0)
    first, second = Ask(1, (5,), bytes(32)), Ask(2, (5, 6), bytes(32))
    assert server.take_missing(first, [5, 6], 0.0) == {6: Missing.DOUBTED}
    assert server.take_missing(second, [5, 6], 20.0) == {}
    assert server.take_missing(first, [5, 6], 140.0) == {6: Missing.DOUBTED}
    assert server.take_missing(first, [5, 6], 240.0) == {6: Missing.GONE}


def test_a_missing_stream_that_is_heard_is_not_gone() -> None:
    server, ask = Answerer(0.0), Ask(1, (5,), bytes(32))
    assert server.take_missing(ask, [5, 6], 0.0) == {6: Missing.DOUBTED}
    server.heard(60.0, 5)
    server.heard(60.0, 6)
    assert server.take_missing(ask, [5, 6], 120.0) == {6: Missing.DOUBTED}
    assert server.take_missing(ask, [5, 6], 220.0) == {6: Missing.GONE}


def test_of_many_streams_one_is_missing_after_as_many_questions_as_it_takes() -> None:
    each, server, has = asker(), Answerer(0.0), list(range(150))
    for stream_id in has[1:]:
        each.add_stream(stream_id, 0.0)
    missing = []
    for _ in range(6):
        ask = read_ask(take(each, each.ask_at), SENDER, ADDRESS)
        missing.append(list(server.take_missing(ask, has, 0.0)))
    assert missing == [[], [], [0], [0], [0], [0]]


def test_copies_of_an_ask_show_no_life() -> None:
    each, server = asker(), Answerer(0.0)
    each.add_stream(5, 0.0)
    ask = read_ask(take(each, 20.0), SENDER, ADDRESS)
    assert server.take_ask(ask, 20.0)
    assert server.dead_at == 120.0
    assert not server.take_ask(ask, 90.0)
    assert server.dead_at == 120.0


def test_an_ask_holds_for_its_tag_and_address() -> None:
    each = asker()
    each.add_stream(5, 0.0)
    frame = take(each, 20.0)
    with pytest.raises(ChannelFormatError):
        read_ask(frame, SenderTag(bytes(16)), ADDRESS)
    with pytest.raises(ChannelFormatError):
        read_ask(answer(frame, set()), SENDER, ADDRESS)


def test_a_hint_makes_it_ask_at_once() -> None:
    each = asker()
    each.ask_now(1.0)
    assert each.take_due(1.0) is None
    each.add_stream(5, 1.0)
    each.ask_now(2.0)
    assert each.take_due(2.0) is not None


# The clock.


def test_time_asleep_does_not_count() -> None:
    clock = ConnectedClock(0.0)
    clock.announce(10.0)
    assert clock.observe(70.0) == 10.0  # it should have woken at 10
    clock.announce(80.0)
    assert clock.observe(75.0) == 15.0


def test_time_without_a_gateway_does_not_count() -> None:
    clock = ConnectedClock(0.0)
    clock.announce(1000.0)
    clock.connection_changed(5.0, is_connected=False)
    clock.connection_changed(80.0, is_connected=True)
    assert clock.observe(81.0) == 6.0


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), st.booleans()), max_size=30))
def test_connected_time_only_grows_and_never_faster_than_time(
    steps: list[tuple[float, float, bool]],
) -> None:
    clock, now, before = ConnectedClock(0.0), 0.0, 0.0
    for passes, ahead, is_connected in steps:
        now += passes
        counted = clock.observe(now)
        assert before <= counted <= before + passes + 1e-6
        before = counted
        clock.announce(now + ahead)
        clock.connection_changed(now, is_connected=is_connected)


def test_an_acceptor_without_streams_is_looked_for_three_times() -> None:
    each, times = asker(), []
    each.search(1.0)
    while deadline(each) < math.inf:
        times.append(deadline(each))
        ask = take(each, deadline(each))
        assert read_ask(ask, SENDER, ADDRESS).stream_ids == ()
    assert times == [1.0, 5.0, 13.0]
    each.search(20.0)
    assert each.take_alive(answer(take(each, 20.0), set()), 20.5) == []
    assert deadline(each) == math.inf


def test_under_another_tag_other_answers_count() -> None:
    each = asker()
    each.add_stream(5, 0.0)
    each.ask_now(1.0)
    before = answer(take(each, 1.0), {5})
    each.moved(SenderTag(bytes(16)))
    with pytest.raises(ChannelFormatError):
        each.take_alive(before, 2.0)
    assert read_ask(take(each, 5.0), SenderTag(bytes(16)), ADDRESS).number == 2


def test_questions_that_had_no_answer_are_none_about_a_stream_of_later() -> None:
    """An acceptor was away; the first question about a new stream is asked again as any."""
    each = asker()
    each.add_stream(5, 0.0)
    for _ in range(3):
        take(each, each.ask_at)
    each.remove_stream(5)
    each.heard(1000.0)
    each.add_stream(6, 1000.0)
    assert not each.is_unanswered
    asked_at = each.ask_at
    take(each, asked_at)
    assert (each.is_unanswered, each.ask_at) == (False, asked_at + REPEAT_SECONDS[0])
