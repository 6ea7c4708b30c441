"""Frames between nodes: round trips over any chunking, and no input that crashes the decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import MalformedDataError
from nymproxy.localnet.framing import (
    Frame,
    FrameDecoder,
    FrameVersion,
    encode_frame,
    parse_header,
)
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize

SMALL = (PacketSize.ACK, PacketSize.REGULAR)


def _frame(size: PacketSize, rotation: KeyRotation, fill: int) -> Frame:
    return Frame(size, rotation, bytes((fill,)) * size.packet_length)


frames = st.builds(
    _frame, st.sampled_from(SMALL), st.sampled_from(KeyRotation), st.integers(0, 255)
)


def _feed(decoder: FrameDecoder, data: bytes, cuts: list[int]) -> list[Frame]:
    received: list[Frame] = []
    position = 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        received += decoder.receive_data(data[position:cut])
        position = cut
    return received


@given(
    st.lists(st.tuples(frames, st.sampled_from(FrameVersion)), max_size=6),
    st.lists(st.integers(0, 20_000), max_size=12),
)
def test_round_trip_over_any_chunking(
    sent: list[tuple[Frame, FrameVersion]], cuts: list[int]
) -> None:
    data = b"".join(encode_frame(frame, version) for frame, version in sent)
    decoder = FrameDecoder()
    received = _feed(decoder, data, cuts)
    assert received == [
        frame if version is FrameVersion.CURRENT else frame._replace(rotation=KeyRotation.UNKNOWN)
        for frame, version in sent
    ]
    assert decoder.error is None


@pytest.mark.parametrize("size", PacketSize)
@pytest.mark.parametrize("version", FrameVersion)
def test_every_size_and_version(size: PacketSize, version: FrameVersion) -> None:
    frame = _frame(size, KeyRotation.UNKNOWN, 7)
    data = encode_frame(frame, version)
    assert len(data) == size.packet_length + version.header_length
    decoder = FrameDecoder()
    assert decoder.receive_data(data[:-1]) == []
    assert decoder.receive_data(data[-1:]) == [frame]


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=4))
def test_no_input_crashes_the_decoder(data: bytes, cuts: list[int]) -> None:
    decoder = FrameDecoder()
    try:
        _feed(decoder, data, cuts)
    except MalformedDataError:
        assert decoder.error is not None


@given(st.lists(frames, min_size=1, max_size=3), st.binary(min_size=3, max_size=3))
def test_frames_before_a_bad_header_are_handed_out(sent: list[Frame], garbage: bytes) -> None:
    data = b"".join(map(encode_frame, sent)) + b"\x09" + garbage
    decoder = FrameDecoder()
    assert decoder.receive_data(data) == sent
    assert decoder.error is not None
    with pytest.raises(MalformedDataError, match="version 9"):
        decoder.receive_data(encode_frame(sent[0]))


def test_outfox_is_refused_when_its_packet_is_complete() -> None:
    decoder = FrameDecoder()
    packet = bytes(PacketSize.ACK.packet_length)
    assert decoder.receive_data(b"\x08\x02\x02\x00" + packet[:-1]) == []
    assert decoder.error is None
    assert decoder.receive_data(packet[-1:]) == []
    assert "Outfox" in str(decoder.error)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("060100", "too old"),
        ("090100", "not supported"),
        ("08060000", "size tag 6"),
        ("08010300", "packet type 3"),
        ("08010003", "key rotation 3"),
    ],
)
def test_bad_headers_say_what_is_wrong(data: str, complaint: str) -> None:
    with pytest.raises(MalformedDataError, match=complaint):
        parse_header(bytes.fromhex(data))
