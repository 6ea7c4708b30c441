"""Frames beyond the vectors: every field, every malformed input, and arbitrary bytes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nymproxy.channel import Capability, ChannelId, Segment, SegmentKind
from nymproxy.channel.reset_body import MAX_REASON_BYTES
from nymproxy.channel.segment import WHOLE_KINDS
from nymproxy.errors import ChannelFormatError, ResetCode
from nymproxy.stream.codec import (
    HEADER_LENGTH,
    MAX_ALONG,
    MAX_SEQUENCE,
    MessageType,
    StreamCodec,
    StreamFrame,
    along_bytes,
    write_along,
)

CODEC = StreamCodec()
ID = ChannelId(0x0011223344556677)
KNOWN_TYPES = {int(member) for member in MessageType}


@pytest.mark.parametrize(
    ("segment", "encoded"),
    [
        (
            Segment(SegmentKind.OPEN, ID, capabilities=Capability(3)),
            "0300 0011223344556677 00 00000000 a3",
        ),
        (Segment(SegmentKind.OPEN, ID), "0300 0011223344556677 00 00000000 00"),
        (
            Segment(SegmentKind.HELLO, ID, capabilities=Capability(3)),
            "0300 0011223344556677 e0 00000000 a3",
        ),
        (
            Segment(SegmentKind.FIN, ID, 7, capabilities=Capability(3)),
            "0300 0011223344556677 e1 00000007 a3",
        ),
        (
            Segment(
                SegmentKind.RESET,
                ID,
                7,
                capabilities=Capability(3),
                reset_code=ResetCode.REFUSED,
                reason="connection refused",
            ),
            "0300 0011223344556677 e2 00000007 a3 00000001" + b"connection refused".hex(),
        ),
        (
            Segment(SegmentKind.WINDOW, ID, 2, capabilities=Capability(3), limit=1 << 20),
            "0300 0011223344556677 e3 00000002 a3 0000000000100000",
        ),
        (
            Segment(SegmentKind.PROBE, ID, 9, capabilities=Capability(3)),
            "0300 0011223344556677 e4 00000009 a3",
        ),
        (
            Segment(SegmentKind.DATA, ID, 0, b"hello stream"),
            "0300 0011223344556677 01 00000000 00 68656c6c6f2073747265616d",
        ),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Segment) else "",
)
def test_segments_have_their_documented_bytes(segment: Segment, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert CODEC.encode(segment) == data
    assert CODEC.decode(data) == segment


segments = st.builds(
    Segment,
    kind=st.sampled_from(sorted(set(SegmentKind) - WHOLE_KINDS, key=lambda kind: kind.value)),
    channel_id=st.integers(0, (1 << 64) - 1).map(ChannelId),
    sequence=st.integers(0, MAX_SEQUENCE),
    payload=st.binary(max_size=100),
    capabilities=st.none() | st.integers(0, 3).map(Capability),
    limit=st.integers(0, (1 << 64) - 1),
    reset_code=st.sampled_from(ResetCode),
    reason=st.text(max_size=MAX_REASON_BYTES),
)


@given(segments)
def test_every_segment_survives_the_wire(segment: Segment) -> None:
    decoded = CODEC.decode(CODEC.encode(segment))
    assert decoded.kind is segment.kind
    assert decoded.channel_id == segment.channel_id
    assert decoded.sequence == segment.sequence
    assert decoded.capabilities == segment.capabilities
    if segment.kind in {SegmentKind.OPEN, SegmentKind.DATA}:
        assert decoded.payload == segment.payload
    if segment.kind is SegmentKind.WINDOW:
        assert decoded.limit == segment.limit
    if segment.kind is SegmentKind.RESET:
        assert decoded.reset_code is segment.reset_code
        assert segment.reason.startswith(decoded.reason)
        assert len(decoded.reason.encode()) <= MAX_REASON_BYTES


@example(b"\x03\x00" + bytes(8) + b"\xe5" + bytes(5))
@example(b"\x03\x00" + bytes(8) + b"\xe6" + bytes(5))
@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda tail: b"\x03\x00" + tail))
def test_arbitrary_bytes_decode_or_raise_the_one_error(data: bytes) -> None:
    try:
        segment = CODEC.decode(data)
    except ChannelFormatError:
        return
    assert len(data) >= HEADER_LENGTH
    if segment.kind in WHOLE_KINDS:  # a frame of NX2's, which its own codec writes and reads
        assert segment.payload == data
    else:
        assert CODEC.decode(CODEC.encode(segment)) == segment


@pytest.mark.parametrize("length", range(HEADER_LENGTH))
def test_anything_shorter_than_a_header_is_refused(length: int) -> None:
    whole = CODEC.encode(Segment(SegmentKind.DATA, ID))
    with pytest.raises(ChannelFormatError, match="16 bytes"):
        CODEC.decode(whole[:length])


@pytest.mark.parametrize("number", sorted(set(range(256)) - KNOWN_TYPES))
def test_types_that_nobody_defined_are_refused(number: int) -> None:
    data = bytearray(CODEC.encode(Segment(SegmentKind.DATA, ID, payload=b"x" * 8)))
    data[10] = number
    with pytest.raises(ChannelFormatError, match=f"type {number}"):
        CODEC.decode(bytes(data))


@pytest.mark.parametrize("kind", [0, 1, 2, 4, 768])
def test_other_frame_kinds_are_refused(kind: int) -> None:
    data = kind.to_bytes(2, "little") + bytes(14)
    assert not CODEC.matches(data) or kind == 3
    with pytest.raises(ChannelFormatError, match=f"kind {kind}"):
        CODEC.decode(data)


def test_an_empty_message_matches_nothing() -> None:
    assert not CODEC.matches(b"")


@pytest.mark.parametrize(("kind", "length"), [(SegmentKind.RESET, 3), (SegmentKind.WINDOW, 7)])
def test_control_frames_shorter_than_their_fields_are_refused(
    kind: SegmentKind, length: int
) -> None:
    data = CODEC.encode(Segment(kind, ID))[:HEADER_LENGTH] + bytes(length)
    with pytest.raises(ChannelFormatError, match="without a whole"):
        CODEC.decode(data)


def test_control_frames_longer_than_their_fields_are_accepted() -> None:
    window = Segment(SegmentKind.WINDOW, ID, limit=5)
    assert CODEC.decode(CODEC.encode(window) + b"future").limit == 5
    fin = Segment(SegmentKind.FIN, ID, 3)
    assert CODEC.decode(CODEC.encode(fin) + b"future") == fin


def test_unknown_reset_codes_read_as_cancelled() -> None:
    data = CODEC.encode(Segment(SegmentKind.RESET, ID))[:HEADER_LENGTH] + b"\xff\xff\xff\xffwhy"
    segment = CODEC.decode(data)
    assert segment.reset_code is ResetCode.CANCELLED
    assert segment.reason == "why"


def test_a_reason_that_is_no_utf_8_is_still_read() -> None:
    data = CODEC.encode(Segment(SegmentKind.RESET, ID)) + b"\xff\xfe"
    assert CODEC.decode(data).reason == "\ufffd\ufffd"


def test_a_long_reason_is_cut_between_characters() -> None:
    segment = Segment(SegmentKind.RESET, ID, reason="é" * 150)
    assert CODEC.decode(CODEC.encode(segment)).reason == "é" * 100
    odd = Segment(SegmentKind.RESET, ID, reason="x" + "é" * 150)
    assert CODEC.decode(CODEC.encode(odd)).reason == "x" + "é" * 99


@given(st.integers(0, 255))
def test_the_capability_byte_counts_only_with_its_mark(byte: int) -> None:
    capabilities = StreamFrame(ID, MessageType.DATA, capability_byte=byte).capabilities
    if byte >> 4 == 0xA:
        assert capabilities == Capability(byte & 0b1011)
    else:
        assert capabilities is None


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (StreamFrame(ID, MessageType.DATA, 3, b"sealed", 0xAF), SegmentKind.PROTECTED),
        (StreamFrame(ID, MessageType.ACK, 3, b"fields", 0xAF), SegmentKind.PROTECTED),
        (StreamFrame(ID, MessageType.ACCEPT, 0, b"fields", 0xAB), SegmentKind.PROTECTED),
        (StreamFrame(ID, MessageType.OFFER, 0, b"fields", 0xAB), SegmentKind.OFFER),
        (StreamFrame(0, MessageType.ASK, 1, b"fields", 0xAB), SegmentKind.LIVENESS),
        (StreamFrame(0, MessageType.ALIVE, 1, b"fields", 0xAB), SegmentKind.LIVENESS),
    ],
)
def test_what_only_keys_open_is_kept_whole(frame: StreamFrame, kind: SegmentKind) -> None:
    segment = CODEC.decode(frame.encode())
    assert (segment.kind, segment.channel_id) == (kind, frame.stream_id)
    assert segment.payload == frame.encode()


# Frames along.

ACK = StreamFrame(ID, MessageType.ACK, 3, b"fields", 0xAF).encode()
DATA = StreamFrame(ID, MessageType.DATA, 3, b"payload").encode()
ALONG_HEADER = bytes.fromhex("0300 0000000000000000 ec 00000000 ab")


@given(st.lists(st.binary(max_size=255 - HEADER_LENGTH), min_size=1, max_size=MAX_ALONG))
def test_frames_along_and_what_they_came_with_are_split(fields: list[bytes]) -> None:
    frames = [StreamFrame(ID, MessageType.ACK, 3, each, 0xAF).encode() for each in fields]
    message = write_along(frames, DATA)
    assert CODEC.split(message) == [*frames, DATA]
    assert len(message) == len(DATA) + along_bytes(len(frames[0])) + sum(
        1 + len(each) for each in frames[1:]
    )


def test_frames_along_by_their_bytes() -> None:
    message = write_along([ACK, ACK], DATA)
    assert message == ALONG_HEADER + b"\x02" + 2 * (bytes([len(ACK)]) + ACK) + DATA


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"\x00" + DATA,
        b"\x01",
        b"\x01\x00" + DATA,
        bytes([MAX_ALONG + 1]) + (MAX_ALONG + 1) * (bytes([len(ACK)]) + ACK) + DATA,
        b"\x02" + bytes([len(ACK)]) + ACK,
        b"\x01" + bytes([len(ACK) + 1]) + ACK,
        b"\x01\x0f" + ACK[:15] + DATA,
        b"\x01" + bytes([len(DATA)]) + DATA + DATA,
    ],
    ids=["empty", "none", "cut", "no-length", "many", "missing", "short", "no-frame", "no-ack"],
)
def test_malformed_frames_along_are_left_and_refused(fields: bytes) -> None:
    message = ALONG_HEADER + fields
    assert CODEC.split(message) == [message]
    with pytest.raises(ChannelFormatError):
        CODEC.decode(message)


def test_nothing_along_brings_others_along() -> None:
    inner = write_along([ACK], DATA)
    assert CODEC.split(write_along([ACK], inner)) == [ACK, inner]
    with pytest.raises(ChannelFormatError):
        CODEC.decode(inner)


@given(st.binary(max_size=200))
def test_any_bytes_are_split_or_left(payload: bytes) -> None:
    for message in (payload, ALONG_HEADER + payload):
        assert b"".join(CODEC.split(message)) in message or len(CODEC.split(message)) > 1
