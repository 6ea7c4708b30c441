"""SpentIds: nothing that was added lately is missing, and little else is found."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy.channel.spent_ids import HASHES, STAGES, SpentIds


def test_nothing_is_spent_at_first_and_no_memory_is_used() -> None:
    spent = SpentIds(random.Random(1).randbytes)
    assert b"x" not in spent
    assert not spent._filters


@settings(max_examples=20)
@given(st.sets(st.binary(max_size=40), max_size=60), st.sets(st.binary(max_size=40), max_size=60))
def test_what_was_added_is_found_and_nothing_else(added: set[bytes], others: set[bytes]) -> None:
    spent = SpentIds(random.Random(1).randbytes)
    for identity in added:
        spent.add(identity)
        spent.add(identity)
    assert all(identity in spent for identity in added)
    assert not any(identity in spent for identity in others - added)
    assert sum(each.count for each in spent._filters) == len(added)


def test_filters_take_turns() -> None:
    spent = SpentIds(random.Random(1).randbytes, stages=[(1 << 10, 10)])
    ids = [number.to_bytes(4, "big") for number in range(31)]
    for identity in ids:
        spent.add(identity)
    assert [identity in spent for identity in ids] == [False] * 20 + [True] * 11


def test_the_last_ids_are_found_while_filters_grow() -> None:
    spent = SpentIds(random.Random(1).randbytes, stages=[(1 << 9, 5), (1 << 10, 10), (1 << 12, 40)])
    ids = [number.to_bytes(4, "big") for number in range(120)]
    for count, identity in enumerate(ids, 1):
        spent.add(identity)
        assert all(each in spent for each in ids[max(0, count - 40) : count])
        assert not any(each in spent for each in ids[count:])
        assert sum(len(each._bits) for each in spent._filters) <= 2 << 12
    assert len(spent._filters) == 2


def test_full_filters_are_wrong_as_rarely_as_they_say() -> None:
    """By the formula: filling them takes seconds."""
    wrong = []
    for size_bytes, max_ids in (*STAGES, STAGES[-1]):
        bits = size_bytes * 8
        unset = (1 - 1 / bits) ** (HASHES * max_ids)
        wrong.append((1 - unset) ** HASHES)
    assert sum(wrong) < 4e-7
    assert STAGES[-1] == (1 << 21, 500_000)


def test_few_ids_take_little_memory() -> None:
    spent = SpentIds(random.Random(1).randbytes)
    for number in range(100):
        spent.add(number.to_bytes(4, "big"))
    assert sum(len(each._bits) for each in spent._filters) == 128 * 1024


def test_filters_of_two_processes_differ() -> None:
    one, other = SpentIds(random.Random(1).randbytes), SpentIds(random.Random(2).randbytes)
    for spent in (one, other):
        spent.add(b"x")
    assert one._filters[0]._bits != other._filters[0]._bits
