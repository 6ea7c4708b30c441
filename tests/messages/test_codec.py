"""Message kinds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import MessageFormatError
from nymproxy.mixnet.messages import (
    NymMessage,
    PlainMessage,
    RepliableKind,
    RepliableMessage,
    ReplyMessage,
    SurbRequest,
    decode_message,
    encode_message,
)
from nymproxy.mixnet.sphinx import KeyRotation
from tests.messages.builders import GATEWAY, IDENTITY, make_surbs
from tests.messages.test_reply_surbs import make_surb_v1

data = st.binary(max_size=60)
sender_tags = st.binary(min_size=16, max_size=16).map(SenderTag)
ONE_HOP_SURBS = make_surbs(random.Random(1), 3, hops=1)
FOUR_HOP_SURBS = make_surbs(random.Random(2), 3, rotation=KeyRotation.EVEN)
surb_batches = st.sampled_from(
    [(), ONE_HOP_SURBS, ONE_HOP_SURBS[:1], FOUR_HOP_SURBS, FOUR_HOP_SURBS[:2]]
)
addresses = st.binary(min_size=32, max_size=32).map(lambda key: NymAddress(IDENTITY, key, GATEWAY))

messages: st.SearchStrategy[NymMessage] = st.one_of(
    data.map(PlainMessage),
    st.builds(RepliableMessage, sender_tags, st.just(RepliableKind.DATA), surb_batches, data),
    st.builds(RepliableMessage, sender_tags, st.sampled_from(RepliableKind), surb_batches),
    st.binary(min_size=1, max_size=60).map(ReplyMessage),
    st.builds(SurbRequest, addresses, st.integers(0, 2**32 - 1)),
)


@given(messages)
def test_a_message_reads_back(message: NymMessage) -> None:
    assert decode_message(encode_message(message)) == message


starts = st.sampled_from([b"", b"\x00", b"\x01" + bytes(16), b"\x02", b"\x02\x01"])


@given(starts, st.binary(max_size=120))
def test_any_bytes_decode_or_are_refused(start: bytes, tail: bytes) -> None:
    try:
        message = decode_message(start + tail)
    except MessageFormatError:
        return
    assert start + tail  # nothing is no message
    assert not isinstance(message, ReplyMessage) or message.data


@given(messages, st.data())
def test_a_cut_message_decodes_or_is_refused(message: NymMessage, draw: st.DataObject) -> None:
    encoded = encode_message(message)
    cut = draw.draw(st.integers(0, len(encoded) - 1))
    try:
        shorter = decode_message(encoded[:cut])
    except MessageFormatError:
        return
    assert type(shorter) is type(message)


@pytest.mark.parametrize("content_tag", [0, 1, 2])
def test_version_1_is_read(content_tag: int) -> None:
    surbs = tuple(make_surb_v1(random.Random(index)) for index in range(2))
    encoded = b"".join(
        (
            b"\x01",
            bytes(range(16)),
            bytes((content_tag,)),
            (2).to_bytes(4, "big"),
            *(surb.to_bytes() for surb in surbs),
            b"rest",
        )
    )
    kind = RepliableKind(content_tag)
    expected_data = b"rest" if kind is RepliableKind.DATA else b""
    expected = RepliableMessage(SenderTag(bytes(range(16))), kind, surbs, expected_data)
    assert decode_message(encoded) == expected
    assert all(surb.rotation is KeyRotation.UNKNOWN for surb in surbs)


def test_surbs_of_version_1_cannot_be_passed_on() -> None:
    surb = make_surb_v1(random.Random(0))
    with pytest.raises(MessageFormatError):
        encode_message(RepliableMessage(SenderTag(bytes(16)), RepliableKind.DATA, (surb,)))


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "03",
        "ff41",
        "01" + "00" * 16,
        "01" + "00" * 16 + "03",
        "01" + "00" * 16 + "06" + "00" * 8,
        "01" + "00" * 16 + "00" + "ffffffff",
        "02",
        "0200",
        "0202ff",
        "0201" + "00" * 99,
        "0201" + "00" * 101,
        "0201" + "02" + "00" * 99,  # y = 2 is no point of the curve
    ],
)
def test_malformed_messages_are_refused(encoded: str) -> None:
    with pytest.raises(MessageFormatError):
        decode_message(bytes.fromhex(encoded))


def test_impossible_messages_cannot_be_made() -> None:
    address = NymAddress(IDENTITY, bytes(32), GATEWAY)
    with pytest.raises(MessageFormatError):
        ReplyMessage(b"")
    with pytest.raises(MessageFormatError):
        RepliableMessage(SenderTag(bytes(16)), RepliableKind.ADDITIONAL_SURBS, (), b"data")
    for amount in (-1, 2**32):
        with pytest.raises(MessageFormatError):
            SurbRequest(address, amount)


@pytest.mark.parametrize(
    "message",
    [
        PlainMessage(b"secret"),
        ReplyMessage(b"secret"),
        RepliableMessage(SenderTag(b"secret".ljust(16)), RepliableKind.DATA, (), b"secret"),
    ],
)
def test_contents_are_not_shown(message: NymMessage) -> None:
    assert "secret" not in repr(message)
