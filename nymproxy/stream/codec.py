"""Stream frames: the LP frame of kind 3, and the extension NX1 in its spare values.

Format of nym-lp-data 1.21.6 (src/packet/frame.rs) and nym-sdk 1.21.6
(src/mixnet/stream/protocol.rs); types 2 to 4 of nym-lp-data 2.0.0. Vectors:
tests/vectors/apis.json, sections ``lp_frame_encode``, ``lp_frame_decode``, ``extension_frames``;
tests/vectors/lp_frames.json.

One frame is the whole content of one mixnet message, 16 bytes of header and the payload:

======  ====  ============================================================
offset  size  field
======  ====  ============================================================
0       2     frame kind, little endian; a stream frame has 3
2       8     stream id, big endian
10      1     message type
11      4     sequence number, big endian
15      1     capabilities: 0xA0 | bits (bit 2: sealed); reserved (0, ignored) in Rust
16      ...   payload, to the end of the message
======  ====  ============================================================
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.channel.reset_body import decode_reset, encode_reset
from nymproxy.channel.segment import WHOLE_KINDS, Capability, ChannelId, Segment, SegmentKind
from nymproxy.errors import ChannelFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER_LENGTH = 16
TYPE_OFFSET = 10
STREAM_KIND = 3
_HEADER = struct.Struct(">QBIB")  # behind the little-endian kind
_KIND = STREAM_KIND.to_bytes(2, "little")
_KNOWN_KINDS = {0: "opaque", 1: "registration", 2: "forward"}

_CAPABILITY_MARK = 0xA0
_CAPABILITY_BITS = Capability.END_SIGNALS | Capability.FLOW_CONTROL | Capability.NX2
_SEALED_BIT = 4
MAX_SEQUENCE = (1 << 32) - 1


class MessageType(enum.IntEnum):
    """Byte 10 of the header. Rust 1.21.6 knows the first two and drops the others unread."""

    OPEN = 0
    DATA = 1
    OPEN_ACK = 2
    PING = 3
    PONG = 4
    HELLO = 0xE0
    FIN = 0xE1
    RESET = 0xE2
    WINDOW = 0xE3
    PROBE = 0xE4
    # NX2: what they carry is in nymproxy.stream.nx2.frames.
    OFFER = 0xE5
    ACCEPT = 0xE6
    SEAL = 0xE7
    ACK = 0xE8
    RESUME = 0xE9
    ASK = 0xEA
    ALIVE = 0xEB
    ALONG = 0xEC  # brings frames of other streams along: StreamCodec.split alone reads it


MAX_ALONG = 16
_ALONG_HEADER = _KIND + _HEADER.pack(0, MessageType.ALONG, 0, _CAPABILITY_MARK | 11)

_KIND_OF_TYPE = {
    MessageType.OPEN: SegmentKind.OPEN,
    MessageType.DATA: SegmentKind.DATA,
    MessageType.OPEN_ACK: SegmentKind.OPEN_ACK,
    MessageType.PING: SegmentKind.PING,
    MessageType.PONG: SegmentKind.PONG,
    MessageType.HELLO: SegmentKind.HELLO,
    MessageType.FIN: SegmentKind.FIN,
    MessageType.RESET: SegmentKind.RESET,
    MessageType.WINDOW: SegmentKind.WINDOW,
    MessageType.PROBE: SegmentKind.PROBE,
    MessageType.OFFER: SegmentKind.OFFER,
    MessageType.ASK: SegmentKind.LIVENESS,
    MessageType.ALIVE: SegmentKind.LIVENESS,
}
_TYPE_OF_KIND = {kind: message_type for message_type, kind in _KIND_OF_TYPE.items()}


def display_stream_id(stream_id: int) -> str:
    """Return the text form of an id, as Rust logs it: ``StreamId(0x0011223344556677)``."""
    return f"StreamId(0x{stream_id:016x})"


@dataclass(frozen=True, slots=True)
class StreamFrame:
    """One frame, field by field.

    Attributes:
        stream_id: 64 bits.
        message_type: what the frame says.
        sequence: 32 bits.
        payload: the rest of the message.
        capability_byte: byte 15 as it is on the wire.
    """

    stream_id: int
    message_type: MessageType
    sequence: int = 0
    payload: bytes = b""
    capability_byte: int = 0

    def encode(self) -> bytes:
        """Return header and payload."""
        header = _HEADER.pack(
            self.stream_id, self.message_type, self.sequence, self.capability_byte
        )
        return _KIND + header + self.payload

    @classmethod
    def decode(cls, data: bytes) -> StreamFrame:
        """Read a frame.

        Raises:
            ChannelFormatError: shorter than a header, of another frame kind, or of a message type
                that nobody has defined.
        """
        if len(data) < HEADER_LENGTH:
            raise ChannelFormatError(
                f"a stream frame has {HEADER_LENGTH} bytes or more, not {len(data)}"
            )
        if data[:2] != _KIND:
            kind = int.from_bytes(data[:2], "little")
            name = _KNOWN_KINDS.get(kind, "unknown")
            raise ChannelFormatError(f"frame kind {kind} ({name}) is no stream frame")
        stream_id, type_byte, sequence, capability_byte = _HEADER.unpack_from(data, 2)
        try:
            message_type = MessageType(type_byte)
        except ValueError as error:
            raise ChannelFormatError(f"unknown stream message type {type_byte}") from error
        return cls(stream_id, message_type, sequence, data[HEADER_LENGTH:], capability_byte)

    @property
    def is_sealed(self) -> bool:
        """Whether byte 15 says that a MAC ends the frame (NX2)."""
        return self.capability_byte & (0xF0 | _SEALED_BIT) == _CAPABILITY_MARK | _SEALED_BIT

    @property
    def capabilities(self) -> Capability | None:
        """What byte 15 shows; ``None`` when its high nibble is not 0xA."""
        if self.capability_byte & 0xF0 != _CAPABILITY_MARK:
            return None
        return Capability(self.capability_byte & _CAPABILITY_BITS)


def along_bytes(frame_bytes: int) -> int:
    """Return how much longer a message gets by its first frame along with it."""
    return HEADER_LENGTH + 2 + frame_bytes


def write_along(frames: Sequence[bytes], carrier: bytes) -> bytes:
    """Return a message that brings frames along, 1 to 16 ACKs of at most 255 bytes."""
    parts = [_ALONG_HEADER, bytes([len(frames)])]
    for frame in frames:
        parts += (bytes([len(frame)]), frame)
    return b"".join((*parts, carrier))


def _read_along(payload: bytes) -> list[bytes] | None:
    """Return the frames along, and what they came with; ``None``: malformed."""
    count, rest = payload[HEADER_LENGTH : HEADER_LENGTH + 1], payload[HEADER_LENGTH + 1 :]
    if not count or not 1 <= count[0] <= MAX_ALONG:
        return None
    frames = []
    for _ in range(count[0]):
        length = rest[0] if rest else 0
        frame, rest = rest[1 : 1 + length], rest[1 + length :]
        if len(frame) < max(length, HEADER_LENGTH) or frame[TYPE_OFFSET] != MessageType.ACK:
            return None
        frames.append(frame)
    return [*frames, rest]


class StreamCodec:
    """Segments as stream frames."""

    name = "stream"

    def matches(self, payload: bytes) -> bool:
        """Tell by the frame kind, of which the first byte is distinct from a legacy message."""
        return payload[:1] == b"\x03"

    def split(self, payload: bytes) -> list[bytes]:
        """Return what came along with a message, and the message; one that is malformed is left
        for :meth:`decode` to refuse."""
        if payload[:HEADER_LENGTH] != _ALONG_HEADER:
            return [payload]
        return _read_along(payload) or [payload]

    def encode(self, segment: Segment) -> bytes:
        """Write one frame."""
        payload = segment.payload
        if segment.kind is SegmentKind.RESET:
            payload = encode_reset(segment.reset_code, segment.reason)
        elif segment.kind is SegmentKind.WINDOW:
            payload = segment.limit.to_bytes(8, "big")
        byte = 0
        if segment.capabilities is not None:
            byte = _CAPABILITY_MARK | int(segment.capabilities & _CAPABILITY_BITS)
        return StreamFrame(
            segment.channel_id, _TYPE_OF_KIND[segment.kind], segment.sequence, payload, byte
        ).encode()

    def decode(self, payload: bytes) -> Segment:
        """Read one frame.

        Raises:
            ChannelFormatError: no stream frame, an unknown type, or a control frame that is
                shorter than its fields.
        """
        frame = StreamFrame.decode(payload)
        if frame.message_type is MessageType.ALONG:
            raise ChannelFormatError("frames along in one that comes along, of a dialer, or cut")
        kind = _KIND_OF_TYPE.get(frame.message_type, SegmentKind.PROTECTED)
        channel_id = ChannelId(frame.stream_id)
        if frame.is_sealed:
            is_resume = frame.message_type is MessageType.RESUME
            kind = SegmentKind.RESUME if is_resume else SegmentKind.PROTECTED
        common = (kind, channel_id, frame.sequence)
        if kind in WHOLE_KINDS:
            return Segment(*common, payload=payload, capabilities=frame.capabilities)
        if kind is SegmentKind.DATA or kind is SegmentKind.OPEN:
            return Segment(*common, payload=frame.payload, capabilities=frame.capabilities)
        if kind is SegmentKind.RESET:
            code, reason = decode_reset(frame.payload)
            return Segment(*common, capabilities=frame.capabilities, reset_code=code, reason=reason)
        if kind is SegmentKind.WINDOW:
            if len(frame.payload) < 8:
                raise ChannelFormatError("a WINDOW frame without a whole limit")
            limit = int.from_bytes(frame.payload[:8], "big")
            return Segment(*common, capabilities=frame.capabilities, limit=limit)
        return Segment(*common, capabilities=frame.capabilities)
