"""lp_frames.json: stream frames of nym-lp-data 2.0.0, with the types that 1.21.6 has not."""

from __future__ import annotations

from typing import Any

import pytest

from nymproxy.channel import SegmentKind
from nymproxy.stream.codec import MessageType, StreamCodec, StreamFrame
from tests.vectors.files import load

FILE = load("lp_frames.json")
FRAMES: list[dict[str, Any]] = FILE["frames"]
CODEC = StreamCodec()
KINDS = {
    "open": SegmentKind.OPEN,
    "data": SegmentKind.DATA,
    "open_ack": SegmentKind.OPEN_ACK,
    "ping": SegmentKind.PING,
    "pong": SegmentKind.PONG,
}


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: f"{case['name']}-{case['seq']}")
def test_frames_are_written_and_read_as_by_rust(case: dict[str, Any]) -> None:
    frame = StreamFrame(
        stream_id=int(case["stream_id_hex"], 16),
        message_type=MessageType[case["name"].upper()],
        sequence=case["seq"],
        payload=bytes.fromhex(case["payload"]),
    )
    encoded = bytes.fromhex(case["encoded"])
    assert frame.message_type == case["msg_type"]
    assert frame.encode() == encoded
    assert StreamFrame.decode(encoded) == frame


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: f"{case['name']}-{case['seq']}")
def test_streams_take_them_for_what_they_are(case: dict[str, Any]) -> None:
    encoded = bytes.fromhex(case["encoded"])
    assert CODEC.matches(encoded)
    segment = CODEC.decode(encoded)
    assert segment.kind is KINDS[case["name"]]
    assert f"{segment.channel_id:016x}" == case["stream_id_hex"]
    assert segment.sequence == case["seq"]
    assert segment.capabilities is None
    if segment.kind in {SegmentKind.OPEN, SegmentKind.DATA}:
        assert segment.payload.hex() == case["payload"]
    if segment.payload.hex() == case["payload"]:  # The others have none that anybody reads.
        assert CODEC.encode(segment) == encoded


def test_every_type_of_rust_is_known_and_none_of_the_extensions_is_one_of_it() -> None:
    known = {number for number, is_known in enumerate(FILE["types"]) if is_known}
    assert {case["name"] for case in FRAMES} == KINDS.keys()
    assert known == {MessageType[name.upper()] for name in KINDS}
    assert known < set(MessageType)
