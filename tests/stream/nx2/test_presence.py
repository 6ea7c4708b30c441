"""The question that opens nothing is a RESUME, and its answer a RESET of the same stream id."""

from __future__ import annotations

import os

from nymproxy.channel.segment import Capability, ChannelId, Segment, SegmentKind
from nymproxy.errors import ResetCode
from nymproxy.stream.codec import StreamCodec
from nymproxy.stream.presence import make_question


def test_the_answer_is_told_by_how_it_begins() -> None:
    codec = StreamCodec()
    asked, other = make_question(os.urandom), make_question(os.urandom)
    segment = codec.decode(asked.question)
    assert segment.kind is SegmentKind.RESUME
    for code in (ResetCode.UNKNOWN_STREAM, ResetCode.NOT_ACCEPTED):
        for sequence in (0, 0xFFFF_FFFF):
            reset = Segment(
                SegmentKind.RESET,
                ChannelId(segment.channel_id),
                sequence,
                capabilities=Capability.END_SIGNALS,
                reset_code=code,
                reason="why",
            )
            payload = codec.encode(reset)
            assert payload.startswith(asked.answer)
            assert not payload.startswith(other.answer)
    data = Segment(SegmentKind.DATA, ChannelId(segment.channel_id), payload=b"x")
    assert not codec.encode(data).startswith(asked.answer)
