"""What has come, and when an ACK is due, in virtual time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.stream.nx2.frames import MAX_RANGES
from nymproxy.stream.nx2.receipts import (
    END_SECONDS,
    MAX_FRAMES_BEYOND,
    UNTOLD_BYTES,
    UNTOLD_FRAMES,
    Receipts,
    ReceivedRanges,
)
from nymproxy.stream.nx2.roundtrip import RoundTrip


@given(st.lists(st.integers(0, 60), max_size=80))
def test_ranges_are_the_set_that_came(sequences: list[int]) -> None:
    received, model = ReceivedRanges(), set[int]()
    for sequence in sequences:
        assert received.add(sequence) == (sequence not in model)
        model.add(sequence)
        assert [each for each in range(70) if received.has(each)] == sorted(model)
        expected = next(each for each in range(100) if each not in model)
        assert received.next_expected == expected
        named = {each for first, last in received.ranges() for each in range(first, last + 1)}
        beyond = {each for each in model if each > expected}
        assert named <= beyond
        if len(received.ranges()) < MAX_RANGES:
            assert named == beyond
        assert received.has_gap == bool(beyond)
        again = ReceivedRanges.unpack(received.pack())
        assert (again.next_expected, again._ranges) == (expected, received._ranges)
        ends = [each for pair in received.ranges() for each in pair]
        assert ends == sorted(ends)
        gaps = zip(ends[1::2], ends[2::2], strict=False)
        assert all(last + 1 < first for last, first in gaps)


def receipts(*, is_dialer: bool = True) -> Receipts:
    return Receipts(RoundTrip(), is_dialer=is_dialer)


def test_nothing_is_due_at_first() -> None:
    assert receipts().due_at == math.inf


@pytest.mark.parametrize(("is_dialer", "seconds"), [(True, 1.0), (False, 2.5)])
def test_some_time_after_the_last_data(is_dialer: bool, seconds: float) -> None:
    each = receipts(is_dialer=is_dialer)
    each.numbered(0, 10, 5.0)
    assert each.due_at == 5.0 + seconds
    each.frame_sent()
    assert each.due_at == math.inf


def test_no_later_than_that_after_the_first() -> None:
    """A trickle that never pauses is acknowledged before its sender has to ask."""
    each = receipts()
    for tenths in range(30):
        each.numbered(tenths, 1, tenths / 10)
    assert each.due_at == 2.5


def test_at_once_after_much() -> None:
    by_bytes, by_frames = receipts(), receipts()
    by_bytes.numbered(0, UNTOLD_BYTES, 1.0)
    assert by_bytes.due_at == -math.inf
    for sequence in range(UNTOLD_FRAMES):
        by_frames.numbered(sequence, 1, 1.0)
    assert by_frames.due_at == -math.inf
    by_frames.ack_sent(1.0)
    assert by_frames.due_at == math.inf


def test_at_once_when_asked_and_soon_after_an_end() -> None:
    asked, ended = receipts(), receipts()
    asked.asked(9)
    asked.asked(4)
    assert (asked.echo, asked.due_at) == (9, -math.inf)
    asked.ack_sent(1.0)
    assert (asked.echo, asked.due_at) == (9, math.inf)
    ended.numbered(0, 0, 1.0, is_end=True)
    assert (ended.due_at, ended.owes_answer) == (1.0 + END_SECONDS, True)
    ended.asked(1)
    ended.frame_sent()  # Data carries the number, but not the answer to a question
    assert ended.due_at == -math.inf
    ended.ack_sent(1.0)
    assert (ended.due_at, ended.owes_answer) == (math.inf, False)


def test_an_end_is_acknowledged_by_what_is_sent_soon_after_it() -> None:
    each = receipts()
    each.numbered(0, 0, 1.0, is_end=True)
    each.frame_sent()
    assert (each.due_at, each.owes_answer) == (math.inf, False)


def test_a_gap_is_told_after_a_while_and_then_less_and_less_often() -> None:
    each, times, now = receipts(), [], 10.0
    each.numbered(1, 1, now)
    each.frame_sent()
    for _ in range(4):
        now = each.due_at
        times.append(now)
        each.ack_sent(now)
    assert times == [11.5, 14.5, 20.5, 32.5]
    each.numbered(0, 1, now)
    each.frame_sent()
    assert each.due_at == math.inf


def test_a_copy_is_told_at_most_once_a_second() -> None:
    each = receipts()
    assert each.numbered(0, 1, 1.0)
    each.ack_sent(5.0)
    assert not each.numbered(0, 1, 5.1)
    assert each.due_at == 6.0
    each.ack_sent(6.0)
    assert each.due_at == math.inf


def test_what_no_peer_can_have_sent_is_out_of_reach() -> None:
    each = receipts()
    assert each.is_in_reach(MAX_FRAMES_BEYOND - 1)
    assert not each.is_in_reach(MAX_FRAMES_BEYOND)
