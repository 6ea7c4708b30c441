"""The memory of the fragments of finished messages."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.messages.finished import FinishedFragments
from nymproxy.mixnet.messages.fragments import Fragment, FragmentSetId


def fragment(number: int) -> Fragment:
    return Fragment(FragmentSetId(number + 1), 2, 1, None, number.to_bytes(4, "big"))


def test_any_other_field_makes_it_another_fragment() -> None:
    finished = FinishedFragments(100, 100.0)
    known = fragment(1)
    assert known not in finished
    finished.add([known], 0.0)
    assert known in finished
    for other in (
        replace(known, set_id=FragmentSetId(9)),
        replace(known, total=3),
        replace(known, position=2),
        replace(known, linked_set_id=FragmentSetId(9)),
        replace(known, payload=b"other"),
    ):
        assert other not in finished


def test_it_is_remembered_for_the_time_at_least_and_twice_that_at_most() -> None:
    finished = FinishedFragments(100, 100.0)
    finished.prune(0.0)
    finished.add([fragment(1)], 99.0)
    for now, is_known in ((100.0, True), (198.0, True), (199.0, False)):
        finished.prune(now)
        assert (fragment(1) in finished) == is_known


def test_nor_longer_where_nothing_comes_for_long() -> None:
    for looked_at in ([200.0], [150.0, 200.0]):
        finished = FinishedFragments(100, 100.0)
        finished.prune(0.0)
        finished.add([fragment(1)], 0.0)
        for now in looked_at:
            finished.prune(now)
        assert fragment(1) not in finished


def test_nothing_is_remembered_without_time() -> None:
    finished = FinishedFragments(100, 0.0)
    finished.add([fragment(1)], 0.0)
    assert fragment(1) not in finished


@given(st.integers(1, 50), st.lists(st.integers(0, 200), max_size=300))
def test_of_many_the_last_are_known_and_never_one_that_did_not_come(
    maximum: int, numbers: list[int]
) -> None:
    finished = FinishedFragments(maximum, 1e9)
    finished.prune(0.0)
    for number in numbers:
        finished.add([fragment(number)], 1.0)
    last = numbers[-max(1, maximum // 2) :]
    assert all(fragment(number) in finished for number in last)
    strangers = set(range(201)) - set(numbers)
    assert not any(fragment(number) in finished for number in strangers)
    assert sum(fragment(number) in finished for number in set(numbers)) <= max(2, maximum)


def test_more_fragments_take_no_more_memory() -> None:
    finished = FinishedFragments(2_000, 1e9)
    source = random.Random(1)
    finished.add([fragment(source.randrange(1 << 24)) for _ in range(2_000)], 0.0)
    tracemalloc.start()
    finished.add([fragment(source.randrange(1 << 24)) for _ in range(500)], 0.0)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000  # of 16 KiB is a table, the next one


def test_few_fragments_take_little_memory() -> None:
    tracemalloc.start()
    finished = FinishedFragments(131_072, 1e9)
    finished.add([fragment(number * 7919) for number in range(300)], 0.0)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000  # it was a page of 4 KiB for each
