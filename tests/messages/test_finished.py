"""The memory of the fragments of finished messages."""

from __future__ import annotations

import random
import sys
import tracemalloc
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.messages.finished import FinishedFragments
from nymproxy.mixnet.messages.fragments import Fragment, FragmentSetId


def fragment(number: int) -> Fragment:
    return Fragment(FragmentSetId(number + 1), 2, 1, None, number.to_bytes(4, "big"))


class _Hashed(Fragment):
    """A fragment whose hash is given: 62 bits, not 0."""

    def __init__(self, value: int) -> None:
        super().__init__(FragmentSetId(1), 2, 1, None, b"")
        object.__setattr__(self, "value", value)

    def __hash__(self) -> int:
        return int(self.__dict__["value"])


def mixed(number: int) -> _Hashed:
    return _Hashed(hash((number,)) & ((1 << 62) - 1))


def test_any_other_field_makes_it_another_fragment() -> None:
    finished = FinishedFragments(100)
    known = fragment(1)
    assert known not in finished
    finished.add([known])
    assert known in finished
    for other in (
        replace(known, set_id=FragmentSetId(9)),
        replace(known, total=3),
        replace(known, position=2),
        replace(known, linked_set_id=FragmentSetId(9)),
        replace(known, payload=b"other"),
    ):
        assert other not in finished


def test_nothing_is_remembered_of_none() -> None:
    finished = FinishedFragments(0)
    finished.add([fragment(1)])
    assert fragment(1) not in finished


@given(st.integers(1, 1_000), st.lists(st.integers(0, 200), max_size=300))
def test_of_many_the_last_are_known_and_never_one_that_did_not_come(
    maximum: int, numbers: list[int]
) -> None:
    finished = FinishedFragments(maximum)
    for number in numbers:
        finished.add([fragment(number)])
    last = numbers[-min(maximum, 64) :]  # what one bucket holds is exact
    assert all(fragment(number) in finished for number in last)
    strangers = set(range(201)) - set(numbers)
    assert not any(fragment(number) in finished for number in strangers)
    assert sum(fragment(number) in finished for number in set(numbers)) <= maximum


@given(st.integers(0, 1 << 40), st.integers(0, 2_000))
def test_all_are_known_while_the_table_grows(first: int, count: int) -> None:
    finished = FinishedFragments(1 << 20)
    finished.add(map(mixed, range(first, first + count)))
    assert all(mixed(number) in finished for number in range(first, first + count))
    assert not any(mixed(number) in finished for number in range(first - 50, first))


def test_the_last_half_of_a_full_table_is_known() -> None:
    finished = FinishedFragments(4_096)
    finished.add(map(mixed, range(20_000)))
    assert all(mixed(number) in finished for number in range(20_000 - 2_048, 20_000))
    assert 2_048 < sum(mixed(number) in finished for number in range(20_000)) <= 4_096


def test_the_end_of_one_and_the_beginning_of_the_next_are_none() -> None:
    finished = FinishedFragments(64)
    first, second = 0x1122334455667708, 0x7708190011223344
    finished.add([_Hashed(first), _Hashed(second)])
    both = first.to_bytes(8, sys.byteorder) + second.to_bytes(8, sys.byteorder)
    for shift in range(1, 8):
        assert _Hashed(int.from_bytes(both[shift : shift + 8], sys.byteorder)) not in finished
    # The same bytes, found across a border first and then where one begins.
    across = int.from_bytes(both[3:11], sys.byteorder)
    finished.add([_Hashed(across)])
    assert _Hashed(across) in finished


def test_more_fragments_take_no_more_memory() -> None:
    finished = FinishedFragments(2_048)
    source = random.Random(1)
    finished.add([fragment(source.randrange(1 << 24)) for _ in range(2_048)])
    tracemalloc.start()
    finished.add([fragment(source.randrange(1 << 24)) for _ in range(2_048)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500


def _held_bytes(maximum: int, fragments: int) -> int:
    """What a second table holds: measuring coverage keeps something where code runs first."""
    for _ in range(2):
        tracemalloc.start()
        finished = FinishedFragments(maximum)
        finished.add([fragment(number * 7919) for number in range(fragments)])
        held, _peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return held


def test_a_full_table_takes_eight_bytes_for_each() -> None:
    assert 4_096 * 8 <= _held_bytes(4_096, 10_000) < 4_096 * 8 + 1_000


def test_few_fragments_take_little_memory() -> None:
    assert _held_bytes(131_072, 300) < 20_000  # it was a page of 4 KiB for each
