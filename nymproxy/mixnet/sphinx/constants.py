"""Sizes, packet size classes and key rotation markers of Nym's Sphinx packets.

Formats of sphinx-packet 0.6.0 (src/constants.rs) and nym-sphinx-params 1.21.6
(src/packet_sizes.rs, src/key_rotation.rs); vectors: tests/vectors/sphinx.json, ``constants``.
"""

from __future__ import annotations

import enum

from nymproxy.errors import SphinxError, SphinxErrorKind

MAX_HOPS = 5
NODE_ADDRESS_LENGTH = 32
DESTINATION_LENGTH = 32
IDENTIFIER_LENGTH = 16
KEY_LENGTH = 32
MAC_LENGTH = 16

HOP_BLOCK_LENGTH = 60
"""What one forward hop takes in the routing information: flag, version, address, delay, MAC."""
FINAL_BLOCK_LENGTH = 52
"""What the last hop takes: flag, version, destination, identifier."""
ROUTING_LENGTH = MAX_HOPS * HOP_BLOCK_LENGTH
KEYSTREAM_LENGTH = ROUTING_LENGTH + HOP_BLOCK_LENGTH
HEADER_LENGTH = KEY_LENGTH + MAC_LENGTH + ROUTING_LENGTH

EXPANDED_SECRET_LENGTH = 288
PAYLOAD_KEY_LENGTH = 192
PAYLOAD_KEY_SEED_LENGTH = 16

PAYLOAD_ZEROS_LENGTH = 16
PAYLOAD_OVERHEAD = PAYLOAD_ZEROS_LENGTH + 1
MIN_PACKET_LENGTH = HEADER_LENGTH + PAYLOAD_OVERHEAD

VERSION = 259
"""The version of everything we build: clamped blinding, payload keys from 16-byte seeds."""
VERSION_EXPLICIT_KEYS = 258
"""As 259, but SURBs carry whole payload keys."""
LEGACY_VERSIONS = frozenset({1, 257})
"""Unclamped blinding and explicit payload keys: processed, never built."""


class PacketSize(enum.Enum):
    """A packet size class. A packet's class follows from its length alone.

    Attributes:
        tag: the byte in the frame between nodes. Tags are not in order of size; 6 and 7 belonged
            to Outfox and are refused.
        plaintext_length: bytes of plaintext; always filled completely.
        payload_length: the plaintext plus 16 leading zeros and one end marker.
        packet_length: the payload plus the header.
    """

    REGULAR = (1, 2048)
    ACK = (2, 21)
    EXTENDED32 = (3, 32768)
    EXTENDED8 = (4, 8192)
    EXTENDED16 = (5, 16384)

    def __init__(self, tag: int, plaintext_length: int) -> None:
        self.tag = tag
        self.plaintext_length = plaintext_length
        self.payload_length = plaintext_length + PAYLOAD_OVERHEAD
        self.packet_length = self.payload_length + HEADER_LENGTH

    @classmethod
    def from_tag(cls, tag: int) -> PacketSize:
        """Return the class with this tag.

        Raises:
            SphinxError: no class has it (``INVALID_PACKET``).
        """
        for size in cls:
            if size.tag == tag:
                return size
        raise SphinxError(SphinxErrorKind.INVALID_PACKET, f"no packet size has the tag {tag}")

    @classmethod
    def from_packet_length(cls, length: int) -> PacketSize:
        """Return the class of whole packets of this length.

        Raises:
            SphinxError: no class has it (``INVALID_PACKET``).
        """
        for size in cls:
            if size.packet_length == length:
                return size
        raise SphinxError(SphinxErrorKind.INVALID_PACKET, f"no packet size has {length} bytes")


class KeyRotation(enum.IntEnum):
    """The parity of the key rotation a packet was made in; one byte beside each packet.

    A node picks its private key by it; for ``UNKNOWN`` it tries all that it has.
    """

    UNKNOWN = 0
    ODD = 1
    EVEN = 2

    @classmethod
    def from_rotation_id(cls, rotation_id: int) -> KeyRotation:
        """Return the marker of a rotation id; 0 and 0xFFFFFFFF mean that there is no rotation."""
        if rotation_id in (0, 0xFFFF_FFFF):
            return cls.UNKNOWN
        return cls.ODD if rotation_id % 2 else cls.EVEN
