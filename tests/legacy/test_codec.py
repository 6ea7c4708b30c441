"""Segments to messages and back."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.channel import Capability, ChannelId, Segment, SegmentKind
from nymproxy.errors import ChannelFormatError, ResetCode, UsageError
from nymproxy.legacy.codec import LegacyCodec
from nymproxy.legacy.message import Close, Data, ProxiedMessage

CODEC = LegacyCodec()
SESSION = uuid.UUID("2489e9ad-2ee2-8e00-8ec9-32d5f69181c0")

segments = st.builds(
    lambda session, sequence, payload, shown: Segment(
        SegmentKind.FIN if payload is None else SegmentKind.DATA,
        ChannelId(session),
        sequence,
        payload or b"",
        shown,
    ),
    st.integers(0, 2**128 - 1),
    st.integers(0, 65535),
    st.none() | st.binary(max_size=100),
    st.none() | st.just(Capability.SINGLE_CLOSE),
)


@given(segments)
def test_round_trip(segment: Segment) -> None:
    encoded = CODEC.encode(segment)
    assert CODEC.matches(encoded)
    assert CODEC.decode(encoded) == segment


@given(st.binary(max_size=80))
def test_decode_raises_only_the_documented_error(payload: bytes) -> None:
    assert CODEC.matches(payload) == (payload[:1] in (b"\0", b"\1"))
    with contextlib.suppress(ChannelFormatError):
        CODEC.decode(payload)


def test_a_close_is_a_fin_and_data_is_data() -> None:
    close = CODEC.decode(ProxiedMessage(Close(), SESSION, 7).encode())
    assert close == Segment(SegmentKind.FIN, ChannelId(SESSION.int), 7)
    data = CODEC.decode(ProxiedMessage(Data(b"x"), SESSION, 8).encode())
    assert data == Segment(SegmentKind.DATA, ChannelId(SESSION.int), 8, b"x")


@pytest.mark.parametrize(
    ("trailer", "shown"),
    [
        (b"NYP1\x01", Capability.SINGLE_CLOSE),
        (b"NYP1\xf0", Capability.NONE),
        (b"NYP1\xf8", Capability.ASKS),
        (b"NYP1\x03", Capability.SINGLE_CLOSE | Capability.STREAMS),
        (b"other", None),
    ],
)
def test_r14_the_trailer_is_a_capability(trailer: bytes, shown: Capability | None) -> None:
    encoded = ProxiedMessage(Data(b"x"), SESSION, 0, trailer).encode()
    assert CODEC.decode(encoded).capabilities == shown


def test_r14_only_what_shows_the_capability_has_the_trailer() -> None:
    plain = Segment(SegmentKind.DATA, ChannelId(SESSION.int), 0, b"x")
    assert not CODEC.encode(plain).endswith(b"NYP1\x01")
    stamped = Segment(SegmentKind.DATA, ChannelId(SESSION.int), 0, b"x", Capability.SINGLE_CLOSE)
    assert CODEC.encode(stamped) == CODEC.encode(plain) + b"NYP1\x01"


def test_an_abort_is_a_close_with_a_mark_that_rust_ignores() -> None:
    abort = Segment(SegmentKind.RESET, ChannelId(SESSION.int), 7)
    encoded = CODEC.encode(abort)
    assert encoded == ProxiedMessage(Close(), SESSION, 7, b"NYP1\x04\0\0\0\0").encode()
    shown = replace(
        abort,
        capabilities=Capability.SINGLE_CLOSE | Capability.STREAMS,
        reset_code=ResetCode.REFUSED,
        reason="no room",
    )
    assert CODEC.encode(shown).endswith(b"NYP1\x07\0\0\0\x01no room")
    for segment in (abort, shown):
        assert CODEC.decode(CODEC.encode(segment)) == replace(
            segment, capabilities=segment.capabilities or Capability.NONE
        )


def test_an_older_nymproxy_gives_no_reason() -> None:
    for trailer in (b"NYP1\x05", b"NYP1\x05\0\0\0"):
        segment = CODEC.decode(ProxiedMessage(Close(), SESSION, 7, trailer).encode())
        assert (segment.kind, segment.reset_code) == (SegmentKind.RESET, ResetCode.CANCELLED)


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in SegmentKind
        if kind not in {SegmentKind.DATA, SegmentKind.FIN, SegmentKind.RESET}
    ],
)
def test_other_segments_do_not_exist_here(kind: SegmentKind) -> None:
    with pytest.raises(UsageError):
        CODEC.encode(Segment(kind, ChannelId(1)))


def test_stream_frames_are_not_ours() -> None:
    assert not CODEC.matches(bytes.fromhex("0300" + "00" * 14))
    assert not CODEC.matches(b"")


def test_no_messages_are_sent_as_one() -> None:
    assert CODEC.split(b"\x00 anything") == [b"\x00 anything"]
