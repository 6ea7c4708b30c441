"""Sphinx packets with their next hop, as clients hand them to their gateway
(nym-sphinx-forwarding 1.21.6, src/packet.rs).

Vectors: tests/vectors/pipeline.json, ``mix_packets``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nymproxy.errors import MessageFormatError, SphinxError
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize

_MIX = 0
"""The only packet type in use; 2 was Outfox."""


@dataclass(frozen=True, slots=True)
class MixPacket:
    """A packet ready to leave.

    Attributes:
        first_hop: the node that gets it from our gateway: the first mix of the route.
        rotation: the key rotation for which the packet was made.
        packet: the Sphinx packet.
    """

    first_hop: NodeAddress
    rotation: KeyRotation
    packet: bytes = field(repr=False)

    def encode_v2(self) -> bytes:
        """Return ``packet type(1) || key rotation(1) || first hop(7 or 19) || packet``."""
        return b"".join((bytes((_MIX, self.rotation)), self.first_hop.pack(), self.packet))

    def encode_v1(self) -> bytes:
        """Return ``packet type(1) || first hop(7 or 19) || packet``, for old gateways."""
        return b"".join((bytes((_MIX,)), self.first_hop.pack(), self.packet))

    @classmethod
    def decode_v2(cls, data: bytes) -> MixPacket:
        """Read what :meth:`encode_v2` writes.

        Raises:
            MessageFormatError: another packet type, an unknown key rotation, no address, or a
                length that no packet has.
        """
        if len(data) < 2:
            raise MessageFormatError("a mix packet is cut off")
        try:
            rotation = KeyRotation(data[1])
        except ValueError as error:
            raise MessageFormatError("a mix packet has an unknown key rotation") from error
        return cls._decode(data, 2, rotation)

    @classmethod
    def decode_v1(cls, data: bytes) -> MixPacket:
        """Read what :meth:`encode_v1` writes; the key rotation is then unknown.

        Raises:
            MessageFormatError: as :meth:`decode_v2`.
        """
        return cls._decode(data, 1, KeyRotation.UNKNOWN)

    @classmethod
    def _decode(cls, data: bytes, offset: int, rotation: KeyRotation) -> MixPacket:
        if not data or data[0] != _MIX:
            raise MessageFormatError("a mix packet of another type")
        try:
            first_hop, length = NodeAddress.unpack(data[offset : offset + 19])
            packet = data[offset + length :]
            PacketSize.from_packet_length(len(packet))
        except SphinxError as error:
            raise MessageFormatError(f"a mix packet does not parse: {error}") from error
        return cls(first_hop, rotation, packet)
