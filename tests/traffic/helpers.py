"""Fragments, SURBs and randomness for the tests of the traffic machines."""

from __future__ import annotations

import random
from itertools import count
from typing import TYPE_CHECKING

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.mixnet.messages import ReplySurb
from nymproxy.mixnet.records import DeliveryRecord
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize, Surb
from nymproxy.mixnet.traffic import Lane, OutgoingFragment, OutgoingMessage, PacketKind

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes

TAG = SenderTag(bytes(16))
OTHER_TAG = SenderTag(bytes(15) + b"\x01")
_POINT = bytes([0x58] + [0x66] * 31)
ADDRESS = NymAddress(_POINT, bytes(32), NodeIdentity(_POINT))

_numbers = count(1)


def seeded(seed: int = 1) -> RandomBytes:
    """Return a reproducible source of random bytes."""
    return random.Random(seed).randbytes


def make_message(
    packets: int = 1,
    *,
    kind: PacketKind = PacketKind.DATA,
    to: NymAddress | SenderTag = TAG,
    lane: Lane = 0,
    maximum_retransmissions: int = 12,
    any_surb: bool = False,
) -> OutgoingMessage:
    record = DeliveryRecord(packets)
    return OutgoingMessage(record, kind, to, lane, maximum_retransmissions, any_surb=any_surb)


def make_fragments(message: OutgoingMessage) -> list[OutgoingFragment]:
    """Return as many fragments as the message's delivery counts, with ids of their own."""
    return [
        OutgoingFragment(message, next(_numbers).to_bytes(5, "big"), b"", PacketSize.REGULAR)
        for _ in range(message.delivery.packet_count)
    ]


def make_fragment(message: OutgoingMessage | None = None) -> OutgoingFragment:
    return make_fragments(message or make_message())[0]


EVEN_ID = 2
"""A key rotation with the marker ``EVEN``."""


def make_surbs(amount: int, rotation: KeyRotation = KeyRotation.EVEN) -> list[ReplySurb]:
    """Return distinct SURBs of a rotation. Nothing can be sent with them."""
    return [
        ReplySurb(next(_numbers).to_bytes(16, "big"), Surb(b"", b"", ()), rotation)
        for _ in range(amount)
    ]
