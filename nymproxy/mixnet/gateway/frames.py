"""Binary frames of the gateway connection: packets to forward, and messages that arrived.

Format of nym-gateway-requests 1.21.6 src/types/helpers.rs::

    kind (1) || 1 || nonce (12) || ciphertext || tag (16)
    kind (1) || 0 || 12 ignored bytes || plaintext

The kind and the flag are not authenticated. No honest peer sends the second form, so it is refused
unless explicitly allowed: an attacker on the path could forge it. Vectors:
tests/vectors/gateway.json, sections ``binary_*``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.errors import GatewayProtocolError
from nymproxy.mixnet.gateway.keys import NONCE_BYTES, TAG_BYTES
from nymproxy.mixnet.gateway.versions import carries_key_rotation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.mixnet.gateway.keys import SharedKey
    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.mixnet.randomness import RandomBytes

FRAME_PREFIX_BYTES = 2 + NONCE_BYTES
MAX_FRAME_BYTES = FRAME_PREFIX_BYTES + 2 + 19 + 33133 + TAG_BYTES
"""The longest honest frame: the largest packet, forwarded to an IPv6 address."""


class RequestKind(enum.IntEnum):
    """Frames from a client. Version 2 carries the key rotation of the packet."""

    FORWARD_SPHINX = 1
    FORWARD_SPHINX_V2 = 2


class ResponseKind(enum.IntEnum):
    """Frames from a gateway."""

    PUSHED_MIX_MESSAGE = 1


Kind = TypeVar("Kind", RequestKind, ResponseKind)


@dataclass(frozen=True, slots=True)
class Frame(Generic[Kind]):
    """An opened frame."""

    kind: Kind
    plaintext: bytes


def seal_frame(
    key: SharedKey, kind: RequestKind | ResponseKind, plaintext: bytes, nonce: bytes
) -> bytes:
    """Seal one frame with a fresh nonce of 12 bytes."""
    return b"".join((bytes((kind, 1)), nonce, key.seal(plaintext, nonce)))


def open_frame(
    key: SharedKey, frame: bytes, kinds: type[Kind], *, allow_unencrypted: bool = False
) -> Frame[Kind]:
    """Open one frame.

    Args:
        key: the shared key.
        frame: the whole frame.
        kinds: the kinds of this direction.
        allow_unencrypted: accept the second form, as the Rust peers do.

    Raises:
        GatewayProtocolError: too short, an unknown kind or flag, in the clear, or not sealed with
            this key.
    """
    if len(frame) < FRAME_PREFIX_BYTES:
        raise GatewayProtocolError("a frame is too short")
    try:
        kind = kinds(frame[0])
    except ValueError as error:
        raise GatewayProtocolError(f"a frame is of the unknown kind {frame[0]}") from error
    body = bytes(frame[FRAME_PREFIX_BYTES:])
    if frame[1] == 1:
        return Frame(kind, key.open(body, bytes(frame[2:FRAME_PREFIX_BYTES])))
    if frame[1] == 0 and allow_unencrypted:
        return Frame(kind, body)
    raise GatewayProtocolError("a frame is not encrypted: anybody could have made it")


def seal_packets(
    key: SharedKey, packets: Iterable[MixPacket], protocol_version: int, random_bytes: RandomBytes
) -> list[bytes]:
    """Seal packets for a gateway, in the form of a protocol version."""
    if carries_key_rotation(protocol_version):
        plaintexts = (packet.encode_v2() for packet in packets)
        kind = RequestKind.FORWARD_SPHINX_V2
    else:
        plaintexts = (packet.encode_v1() for packet in packets)
        kind = RequestKind.FORWARD_SPHINX
    return [seal_frame(key, kind, plaintext, random_bytes(NONCE_BYTES)) for plaintext in plaintexts]
