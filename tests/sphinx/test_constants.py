from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize
from nymproxy.mixnet.sphinx.constants import HEADER_LENGTH, PAYLOAD_OVERHEAD


@pytest.mark.parametrize("size", PacketSize)
def test_sizes_are_found_by_tag_and_by_length(size: PacketSize) -> None:
    assert PacketSize.from_tag(size.tag) is size
    assert PacketSize.from_packet_length(size.packet_length) is size
    assert size.packet_length == HEADER_LENGTH + size.payload_length
    assert size.payload_length == size.plaintext_length + PAYLOAD_OVERHEAD


@pytest.mark.parametrize("tag", [0, 6, 7, 255, -1])
def test_unknown_tags_are_refused(tag: int) -> None:
    with pytest.raises(SphinxError, match=f"tag {tag}") as caught:
        PacketSize.from_tag(tag)
    assert caught.value.kind is SphinxErrorKind.INVALID_PACKET


@pytest.mark.parametrize("length", [0, 364, 385, 387, 2412, 2414])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(SphinxError) as caught:
        PacketSize.from_packet_length(length)
    assert caught.value.kind is SphinxErrorKind.INVALID_PACKET


@given(st.integers(1, 2**32 - 2))
def test_rotation_marker_is_the_parity(rotation_id: int) -> None:
    marker = KeyRotation.from_rotation_id(rotation_id)
    assert marker is (KeyRotation.ODD if rotation_id % 2 else KeyRotation.EVEN)


@pytest.mark.parametrize("rotation_id", [0, 2**32 - 1])
def test_no_rotation_is_unknown(rotation_id: int) -> None:
    assert KeyRotation.from_rotation_id(rotation_id) is KeyRotation.UNKNOWN
