"""The codec beyond its vectors."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ChannelFormatError, UsageError
from nymproxy.legacy.message import (
    DATA_OVERHEAD,
    Close,
    Data,
    ProxiedMessage,
    Trailer,
)
from nymproxy.legacy.session_id import is_modern, make_session_id

SESSION = uuid.UUID("00112233-4455-4677-8899-aabbccddeeff")

messages = st.builds(
    ProxiedMessage,
    st.one_of(st.builds(Data, st.binary(max_size=200)), st.just(Close())),
    st.uuids(),
    st.integers(0, 65535),
    st.binary(max_size=40),
)


@given(messages)
def test_round_trip(message: ProxiedMessage) -> None:
    assert ProxiedMessage.decode(message.encode()) == message


@given(
    st.one_of(st.binary(max_size=100), st.binary(max_size=60).map(lambda tail: b"\0\0\0\0" + tail))
)
def test_any_input_decodes_or_raises_the_documented_error(encoded: bytes) -> None:
    try:
        decoded = ProxiedMessage.decode(encoded)
    except ChannelFormatError:
        return
    assert decoded.encode() == encoded


@given(messages, st.data())
def test_any_truncation_of_the_message_itself_is_an_error(
    message: ProxiedMessage, data: st.DataObject
) -> None:
    encoded = message.encode()
    cut = data.draw(st.integers(0, len(encoded) - len(message.trailer) - 1))
    with pytest.raises(ChannelFormatError):
        ProxiedMessage.decode(encoded[:cut])


def test_the_documented_overheads() -> None:
    assert len(ProxiedMessage(Data(b""), SESSION, 1).encode()) == DATA_OVERHEAD == 38
    assert len(ProxiedMessage(Close(), SESSION, 1).encode()) == 30


@pytest.mark.parametrize("message_id", [-1, 65536])
def test_an_id_out_of_range_is_not_encoded(message_id: int) -> None:
    with pytest.raises(UsageError):
        ProxiedMessage(Close(), SESSION, message_id).encode()


@pytest.mark.parametrize(
    ("trailer", "found"),
    [
        (b"", None),
        (b"NYP1", None),
        (b"NYP1\x01", Trailer(modern=True)),
        (b"NYP1\xff and why", Trailer(True, True, True, b" and why", True)),
        (b"NYP1\xf7 and why", Trailer(streams=True, aborted=True, reset=b" and why")),
        (b"NYP1\xf3 and more", Trailer(streams=True)),
        (b"NYP1\xf1", Trailer()),
        (b"NYP1\x08", Trailer(modern=False, asks=True)),
        (b"NYP1\x00", Trailer(modern=False)),
        (b"NYP2\x01", None),
        (b" NYP1\x01", None),
    ],
)
def test_trailer(trailer: bytes, found: Trailer | None) -> None:
    assert Trailer.find(trailer) == found


def test_the_trailer_is_what_the_wire_says() -> None:
    assert Trailer().encode() == bytes.fromhex("4e59503101")
    assert Trailer(streams=True).encode() == bytes.fromhex("4e59503103")
    assert Trailer(modern=False, aborted=True, reset=b"x").encode() == b"NYP1\x04x"
    assert Trailer(modern=False, asks=True).encode() == b"NYP1\x08"


@given(st.binary(min_size=16, max_size=16), st.sampled_from([4, 8]))
def test_session_ids_keep_122_random_bits(seed: bytes, version: int) -> None:
    session_id = make_session_id(lambda count: seed[:count], 8 if version == 8 else 4)
    assert session_id.version == version
    assert session_id.variant == uuid.RFC_4122
    assert is_modern(session_id) == (version == 8)
    kept = int.from_bytes(seed) ^ session_id.int
    assert kept & ~(0xF << 76 | 0x3 << 62) == 0


@given(st.uuids())
def test_only_version_8_of_the_rfc_variant_is_ours(session_id: uuid.UUID) -> None:
    expected = session_id.bytes[6] >> 4 == 8 and session_id.bytes[8] >> 6 == 0b10
    assert is_modern(session_id) == expected
