"""SpentIds: nothing that was added lately is missing, and little else is found."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy.channel.spent_ids import FILTER_BYTES, FILTER_IDS, SpentIds


def test_nothing_is_spent_at_first_and_no_memory_is_used() -> None:
    spent = SpentIds(random.Random(1).randbytes)
    assert b"x" not in spent
    assert len(spent._newer) == 0


@settings(max_examples=20)
@given(st.sets(st.binary(max_size=40), max_size=60), st.sets(st.binary(max_size=40), max_size=60))
def test_what_was_added_is_found_and_nothing_else(added: set[bytes], others: set[bytes]) -> None:
    spent = SpentIds(random.Random(1).randbytes)
    for identity in added:
        spent.add(identity)
        spent.add(identity)
    assert all(identity in spent for identity in added)
    assert not any(identity in spent for identity in others - added)
    assert spent._count == len(added)


def test_filters_take_turns() -> None:
    spent = SpentIds(random.Random(1).randbytes, filter_ids=10)
    ids = [number.to_bytes(4, "big") for number in range(31)]
    for identity in ids:
        spent.add(identity)
    assert [identity in spent for identity in ids] == [False] * 20 + [True] * 11


def test_a_full_filter_is_wrong_as_rarely_as_it_says() -> None:
    """By the formula: filling one takes seconds."""
    bits, hashes = FILTER_BYTES * 8, 16
    unset = (1 - 1 / bits) ** (hashes * FILTER_IDS)
    assert 2 * (1 - unset) ** hashes < 4e-7


def test_filters_of_two_processes_differ() -> None:
    one, other = SpentIds(random.Random(1).randbytes), SpentIds(random.Random(2).randbytes)
    for spent in (one, other):
        spent.add(b"x")
    assert one._newer != other._newer
