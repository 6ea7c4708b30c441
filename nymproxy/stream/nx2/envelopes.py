"""Whole frames with their MAC: header, fields, MAC; and NX1's frames in their sealed form.

A sealed frame has bit 2 of byte 15 set. DATA, FIN, PROBE, WINDOW and RESET keep what they carry,
and gain around it: a counter in front (only those without a place in the order of their
direction), the next sequence expected of the other direction, and the MAC.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.errors import ChannelFormatError
from nymproxy.stream.codec import HEADER_LENGTH, MessageType, StreamFrame
from nymproxy.stream.nx2.keys import MAC_LENGTH, add_mac, has_valid_mac

if TYPE_CHECKING:
    from collections.abc import Iterable

SEALED_BIT = 4
KNOWS_NX2_BIT = 8
CAPABILITY_BYTE = 0xA0 | 1 | 2 | KNOWS_NX2_BIT
"""Byte 15 of NX2's own frames: all of NX1, and NX2."""

NUMBERED_TYPES = frozenset({MessageType.DATA, MessageType.FIN})
SEALABLE_TYPES = NUMBERED_TYPES | {MessageType.PROBE, MessageType.WINDOW, MessageType.RESET}
_ALWAYS_SEALED = frozenset({MessageType.SEAL, MessageType.ACK, MessageType.RESUME})
_OWN_TYPES = _ALWAYS_SEALED | {
    MessageType.OFFER,
    MessageType.ACCEPT,
    MessageType.ASK,
    MessageType.ALIVE,
}
_BIT_OFFSET = HEADER_LENGTH - 1
_ACK_BYTES = 4
_COUNTER_BYTES = 4
_UINT32 = struct.Struct(">I")


def is_marked(frame: bytes) -> bool:
    """Tell whether a stream frame claims to be sealed."""
    return len(frame) >= HEADER_LENGTH and frame[_BIT_OFFSET] & (0xF0 | SEALED_BIT) == (
        0xA0 | SEALED_BIT
    )


def shows_nx2(frame: bytes) -> bool:
    """Tell whether a stream frame shows that its sender knows NX2."""
    return len(frame) >= HEADER_LENGTH and frame[_BIT_OFFSET] & (0xF0 | KNOWS_NX2_BIT) == (
        0xA0 | KNOWS_NX2_BIT
    )


def write_own(
    message_type: MessageType,
    stream_id: int,
    sequence: int,
    fields: bytes,
    *,
    key: bytes,
    context: bytes,
) -> bytes:
    """Return one of NX2's own frames.

    Args:
        message_type: OFFER to ALIVE.
        stream_id: of the header.
        sequence: of the header.
        fields: from the class of that frame.
        key: of its MAC.
        context: what the MAC covers besides: sender tag, and in OFFER, ACCEPT, RESUME, ASK and
            ALIVE the acceptor's address.
    """
    bits = CAPABILITY_BYTE | (SEALED_BIT if message_type in _ALWAYS_SEALED else 0)
    frame = StreamFrame(stream_id, message_type, sequence, fields, bits).encode()
    return add_mac(key, context, frame)


def read_own(frame: bytes) -> StreamFrame:
    """Split one of NX2's own frames; its payload is the fields, without the MAC (unchecked).

    Raises:
        ChannelFormatError: no frame of NX2, too short for a MAC, or with the wrong mark.
    """
    own = StreamFrame.decode(frame)
    if own.message_type not in _OWN_TYPES:
        raise ChannelFormatError(f"{own.message_type.name} is no frame of NX2's own")
    if is_marked(frame) != (own.message_type in _ALWAYS_SEALED):
        raise ChannelFormatError(f"{own.message_type.name} with the mark of another kind of frame")
    return StreamFrame(
        own.stream_id,
        own.message_type,
        own.sequence,
        _without_mac(own.payload),
        own.capability_byte,
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a sealed frame.

    Attributes:
        frame: as it was before it was sealed.
        message_type: of it.
        sequence: of its header.
        next_expected: the lowest sequence that its sender still expects of us.
        counter: of a frame without a place in the order; ``None`` for DATA and FIN.
        key_index: which of the keys it was sealed with.
    """

    frame: bytes
    message_type: MessageType
    sequence: int
    next_expected: int
    counter: int | None
    key_index: int


def seal(
    key: bytes, context: bytes, frame: bytes, *, next_expected: int, counter: int | None
) -> bytes:
    """Return the sealed form of a DATA, FIN, PROBE, WINDOW or RESET frame.

    Args:
        key: of the sender's direction.
        context: the sender tag.
        frame: header and payload.
        next_expected: the lowest sequence that we still expect.
        counter: ``None`` for DATA and FIN; else one more than that of the frame before.
    """
    front = b"" if counter is None else _UINT32.pack(counter)
    body = b"".join(
        (
            frame[:_BIT_OFFSET],
            bytes([frame[_BIT_OFFSET] | SEALED_BIT]),
            front,
            frame[HEADER_LENGTH:],
            _UINT32.pack(next_expected),
        )
    )
    return add_mac(key, context, body)


def unseal(keys: Iterable[bytes], context: bytes, frame: bytes) -> Opened | None:
    """Open a sealed frame with the first key that fits; ``None``: none does.

    Raises:
        ChannelFormatError: no frame that can be sealed, or too short.
    """
    header = StreamFrame.decode(frame)
    if header.message_type not in SEALABLE_TYPES or not is_marked(frame):
        raise ChannelFormatError(f"{header.message_type.name} that is not sealed")
    is_numbered = header.message_type in NUMBERED_TYPES
    front = 0 if is_numbered else _COUNTER_BYTES
    inner = _without_mac(header.payload)
    if len(inner) < front + _ACK_BYTES:
        raise ChannelFormatError("a sealed frame without its own fields")
    fits = (index for index, key in enumerate(keys) if has_valid_mac(key, context, frame))
    key_index = next(fits, None)
    if key_index is None:
        return None
    plain = frame[:_BIT_OFFSET] + bytes([frame[_BIT_OFFSET] & ~SEALED_BIT])
    return Opened(
        plain + inner[front:-_ACK_BYTES],
        header.message_type,
        header.sequence,
        _UINT32.unpack(inner[-_ACK_BYTES:])[0],
        None if is_numbered else _UINT32.unpack(inner[:_COUNTER_BYTES])[0],
        key_index,
    )


def _without_mac(payload: bytes) -> bytes:
    if len(payload) < MAC_LENGTH:
        raise ChannelFormatError("a frame that ends before its MAC")
    return payload[:-MAC_LENGTH]
