"""Padding, and cutting a message into fragments, sets and linked sets."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import MessageFormatError, UsageError
from nymproxy.mixnet.messages.chunking import (
    draw_set_ids,
    fragments_needed,
    pad,
    remove_padding,
    sets_needed,
    split,
)

if TYPE_CHECKING:
    from nymproxy.mixnet.messages.fragments import Fragment

# Small fragments reach many linked sets with little data: 255 * 2 bytes are a full set.
lengths = st.integers(12, 40)


def seeded(seed: int = 0) -> random.Random:
    return random.Random(seed)


def check_sets(fragments: list[Fragment], fragment_bytes: int) -> None:
    """The rules that every list of fragments keeps, read off one after the other."""
    by_set: dict[int, list[Fragment]] = {}
    for fragment in fragments:
        by_set.setdefault(fragment.set_id, []).append(fragment)
    order = list(by_set)
    for index, set_id in enumerate(order):
        members = by_set[set_id]
        assert [member.position for member in members] == list(range(1, len(members) + 1))
        assert {member.total for member in members} == {len(members)}
        assert len(members) == 255 or index == len(order) - 1
        previous = order[index - 1] if index else None
        following = order[index + 1] if index + 1 < len(order) else None
        assert members[0].previous_set_id == previous
        assert members[-1].next_set_id == following
    assert all(len(fragment.to_bytes()) == fragment_bytes for fragment in fragments[:-1])


@given(lengths, st.integers(0, 60_000), st.integers(0, 2**32))
def test_padded_bytes_fill_every_fragment(fragment_bytes: int, length: int, seed: int) -> None:
    rng = seeded(seed)
    message = rng.randbytes(length)
    padded = pad(message, fragment_bytes)
    needed = fragments_needed(length + 1, fragment_bytes)
    set_ids = draw_set_ids(sets_needed(len(padded), fragment_bytes), rng.randbytes)
    fragments = split(padded, fragment_bytes, set_ids)
    check_sets(fragments, fragment_bytes)
    assert len(fragments[-1].to_bytes()) == fragment_bytes
    assert len(fragments) == needed.fragments
    assert needed.space_left == len(padded) - length - 1
    assert b"".join(fragment.payload for fragment in fragments) == padded
    if message:
        assert remove_padding(padded) == message


@given(lengths, st.integers(0, 30_000))
def test_bytes_without_padding_are_cut_the_same_way(fragment_bytes: int, length: int) -> None:
    data = seeded().randbytes(length)
    set_ids = draw_set_ids(sets_needed(length, fragment_bytes), seeded().randbytes)
    fragments = split(data, fragment_bytes, set_ids)
    check_sets(fragments, fragment_bytes)
    assert len(fragments) == fragments_needed(length, fragment_bytes).fragments
    assert b"".join(fragment.payload for fragment in fragments) == data


@pytest.mark.parametrize("fragment_bytes", [12, 20, 1611])
def test_the_number_of_sets_changes_where_sets_are_full(fragment_bytes: int) -> None:
    unlinked, linked = fragment_bytes - 7, fragment_bytes - 10
    end_set = 254 * unlinked + linked
    middle_set = 253 * unlinked + 2 * linked
    limits = [255 * unlinked, 2 * end_set, 2 * end_set + middle_set, 2 * end_set + 2 * middle_set]
    for count, limit in enumerate(limits, start=1):
        assert sets_needed(limit, fragment_bytes) == count
        assert sets_needed(limit + 1, fragment_bytes) == count + 1
        assert fragments_needed(limit, fragment_bytes) == (255 * count, 0)


def test_no_bytes_take_one_fragment() -> None:
    assert fragments_needed(0, 1611) == (1, 1604)


def test_a_fragment_without_room_is_refused() -> None:
    with pytest.raises(UsageError):
        fragments_needed(1, 10)


def test_the_number_of_set_ids_must_fit() -> None:
    with pytest.raises(UsageError):
        split(b"data", 1611, draw_set_ids(2, seeded().randbytes))


def test_set_ids_are_never_zero_and_never_repeat() -> None:
    draws = iter(["00000000", "80000000", "ffffffff", "00000001", "7fffffff", "80000001"])
    assert draw_set_ids(2, lambda _: bytes.fromhex(next(draws))) == [1, 2**31 - 1]


@given(
    st.binary(min_size=1, max_size=50), st.binary(max_size=50).map(lambda b: b.replace(b"\1", b""))
)
def test_padding_ends_the_message_at_the_last_marker(message: bytes, tail: bytes) -> None:
    assert remove_padding(message + b"\x01" + tail) == message


@pytest.mark.parametrize("padded", [b"", b"\0\0\0", b"\x01", b"\x01\0\0"])
def test_missing_or_empty_padding_is_refused(padded: bytes) -> None:
    with pytest.raises(MessageFormatError):
        remove_padding(padded)
