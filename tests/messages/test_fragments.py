"""Fragments and their identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import MessageFormatError
from nymproxy.mixnet.messages.fragments import (
    COVER_FRAGMENT_ID,
    Fragment,
    FragmentSetId,
    fragment_id,
    parse_fragment_id,
)

set_ids = st.integers(1, 2**31 - 1).map(FragmentSetId)


@st.composite
def fragments(draw: st.DrawFn) -> Fragment:
    set_id = draw(set_ids)
    total = draw(st.integers(1, 255))
    position = draw(st.one_of(st.integers(1, total), st.just(1), st.just(total)))
    link = None
    if position in (1, 255):
        link = draw(st.none() | set_ids.filter(lambda other: other != set_id))
    return Fragment(set_id, total, position, link, draw(st.binary(max_size=40)))


@given(fragments())
def test_a_fragment_reads_back(fragment: Fragment) -> None:
    encoded = fragment.to_bytes()
    assert len(encoded) == len(fragment.payload) + (7 if fragment.linked_set_id is None else 10)
    assert Fragment.parse(encoded) == fragment


@given(st.binary(max_size=30) | st.binary(max_size=30).map(lambda tail: b"\x80\0\0\x01" + tail))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    try:
        fragment = Fragment.parse(data)
    except MessageFormatError:
        return
    header = 7 if fragment.linked_set_id is None else 10
    assert fragment.payload == data[header:]
    assert 1 <= fragment.position <= fragment.total


@given(fragments())
def test_links_belong_to_the_ends_of_a_set(fragment: Fragment) -> None:
    if fragment.linked_set_id is None:
        assert fragment.previous_set_id is None
        assert fragment.next_set_id is None
    else:
        assert {fragment.previous_set_id, fragment.next_set_id} == {None, fragment.linked_set_id}


@pytest.mark.parametrize(
    ("set_id", "total", "position", "link"),
    [
        (0, 1, 1, None),
        (2**31, 1, 1, None),
        (5, 0, 0, None),
        (5, 2, 3, None),
        (5, 2, 0, None),
        (5, 256, 1, None),
        (5, 3, 2, 9),
        (5, 254, 254, 9),
        (5, 1, 1, 5),
        (5, 1, 1, 0),
        (5, 1, 1, 2**31),
    ],
)
def test_contradicting_fields_are_refused(
    set_id: int, total: int, position: int, link: int | None
) -> None:
    linked = None if link is None else FragmentSetId(link)
    with pytest.raises(MessageFormatError):
        Fragment(FragmentSetId(set_id), total, position, linked, b"")


@given(set_ids, st.integers(1, 255))
def test_an_identifier_reads_back(set_id: FragmentSetId, position: int) -> None:
    identifier = fragment_id(set_id, position)
    assert parse_fragment_id(identifier) == identifier
    assert int.from_bytes(identifier[:4], "big") == set_id
    assert identifier[4] == position


def test_the_identifier_of_cover_traffic_is_no_real_one() -> None:
    assert parse_fragment_id(bytes(5)) == COVER_FRAGMENT_ID


@given(st.binary(max_size=8).filter(lambda data: len(data) != 5 or data[0] > 127))
def test_other_bytes_are_no_identifier(data: bytes) -> None:
    with pytest.raises(MessageFormatError):
        parse_fragment_id(data)


def test_a_payload_is_not_shown() -> None:
    assert "secret" not in repr(Fragment(FragmentSetId(1), 1, 1, None, b"secret"))
