"""The reorder buffer: against a model, and at its limits."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nymproxy.channel.reorder import Insertion, ReorderBuffer

LIMIT_ITEMS = 8
LIMIT_BYTES = 100
FAR = 12


def buffer(first: int = 0, modulus: int = 1 << 16) -> ReorderBuffer[int]:
    return ReorderBuffer(
        modulus=modulus, first=first, limit_items=LIMIT_ITEMS, limit_bytes=LIMIT_BYTES
    )


def insert(target: ReorderBuffer[int], sequence: int, now: float = 0.0) -> list[int]:
    assert target.insert(sequence, sequence, 1, now) is Insertion.ACCEPTED
    return list(target.release(now))


@given(st.permutations(range(LIMIT_ITEMS)), st.sampled_from([0, 65530, 65535, 0x7FFF]))
def test_any_order_comes_out_in_order(order: list[int], first: int) -> None:
    target = buffer(first)
    released = []
    for offset in order:
        target.insert((first + offset) % 65536, offset, 1, 0.0)
        released += list(target.release(0.0))
    assert released == list(range(LIMIT_ITEMS))
    assert target.next_sequence == (first + LIMIT_ITEMS) % 65536


@given(st.lists(st.integers(0, 5), max_size=60))
def test_duplicates_come_out_once(order: list[int]) -> None:
    target = buffer()
    released = []
    for copy, sequence in enumerate(order):
        target.insert(sequence, copy, 1, 0.0)
        released += list(target.release(0.0))
    firsts = [order.index(number) for number in range(len(released))]
    assert released == firsts


def test_the_missing_one_is_accepted_even_when_the_buffer_is_full() -> None:
    target = buffer()
    for sequence in range(1, LIMIT_ITEMS + 1):
        assert insert(target, sequence) == []
    assert target.insert(LIMIT_ITEMS + 1, 0, 1, 0.0) is Insertion.OVERFLOW
    assert insert(target, 0) == list(range(LIMIT_ITEMS + 1))


def test_bytes_are_bounded_too() -> None:
    target = buffer()
    assert target.insert(1, 1, LIMIT_BYTES, 0.0) is Insertion.ACCEPTED
    assert target.insert(2, 2, 1, 0.0) is Insertion.OVERFLOW
    assert target.insert(0, 0, LIMIT_BYTES, 0.0) is Insertion.ACCEPTED
    assert list(target.release(0.0)) == [0, 1]
    assert target.pending_bytes == 0


def test_a_gap_is_timed_from_the_first_message_behind_it() -> None:
    target = buffer()
    since = [target.gap_since]
    for sequence, now in ((0, 1.0), (2, 2.0), (3, 3.0), (1, 4.0)):
        insert(target, sequence, now)
        since.append(target.gap_since)
    assert since == [None, None, 2.0, 2.0, None]


def test_a_second_gap_is_timed_from_the_end_of_the_first() -> None:
    target = buffer()
    insert(target, 1, 1.0)
    insert(target, 3, 2.0)
    assert target.gap_since == 1.0
    assert insert(target, 0, 9.0) == [0, 1]
    assert target.gap_since == 9.0


def test_discard_forgets_what_waits_but_not_the_place() -> None:
    target = buffer()
    insert(target, 0)
    insert(target, 2)
    target.discard()
    assert (target.pending_items, target.pending_bytes, target.gap_since) == (0, 0, None)
    assert target.next_sequence == 1


@pytest.mark.parametrize("modulus", [1 << 16, 1 << 32])
def test_the_far_half_of_the_range_is_old(modulus: int) -> None:
    target = buffer(modulus=modulus)
    assert target.insert(modulus // 2, 0, 0, 0.0) is Insertion.OLD
    assert target.insert(modulus - 1, 0, 0, 0.0) is Insertion.OLD
    assert target.insert(modulus // 2 - 1, 0, 0, 0.0) is Insertion.ACCEPTED


class ReorderMachine(RuleBasedStateMachine):
    """Compares with a dictionary of everything that was ever accepted."""

    @initialize(first=st.sampled_from([0, 1, 65530, 32767]))
    def start(self, first: int) -> None:
        self.first = first
        self.target: ReorderBuffer[int] = buffer(first)
        self.accepted: dict[int, int] = {}  # by offset from the first
        self.released = 0
        self.now = 0.0
        self.serial = 0

    @rule(ahead=st.integers(-6, FAR), size=st.integers(0, 40))
    def insert(self, ahead: int, size: int) -> None:
        offset = self.released + ahead
        self.serial += 1
        result = self.target.insert((self.first + offset) % 65536, self.serial, size, self.now)
        waiting = [each for each in self.accepted if each >= self.released]
        if ahead < 0:
            assert result is Insertion.OLD
        elif offset in self.accepted:
            assert result is Insertion.DUPLICATE
        elif result is Insertion.OVERFLOW:
            assert ahead > 0
            assert len(waiting) >= LIMIT_ITEMS or self.target.pending_bytes + size > LIMIT_BYTES
        else:
            assert result is Insertion.ACCEPTED
            self.accepted[offset] = self.serial

    @rule()
    def release(self) -> None:
        for item in self.target.release(self.now):
            assert item == self.accepted[self.released]
            self.released += 1
        assert self.released not in self.accepted

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def counts_agree(self) -> None:
        waiting = [each for each in self.accepted if each >= self.released]
        assert self.target.pending_items == len(waiting) <= LIMIT_ITEMS + 1
        assert self.target.next_sequence == (self.first + self.released) % 65536
        has_gap = bool(waiting) and self.released not in self.accepted
        assert not has_gap or self.target.gap_since is not None
        assert self.target.gap_since is None or self.target.gap_since <= self.now


TestReorderMachine = ReorderMachine.TestCase
TestReorderMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
