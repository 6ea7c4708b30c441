"""Acknowledgements: packets to ourselves that the recipient's gateway sends off for us
(nym-sphinx-acknowledgements 1.21.6, src/identifier.rs, src/key.rs and src/surb_ack.rs).

An ack says that the recipient's gateway has the packet, not that the recipient has read it. Acks
are not authenticated. Vectors: tests/vectors/pipeline.json, ``ack_identifiers``, ``surb_acks``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.errors import MessageFormatError, SphinxError
from nymproxy.mixnet.messages._layout import (
    ACK_BLOCK_ADDRESS_LENGTH,
    ACK_BLOCK_LENGTH,
    ACK_PAYLOAD_LENGTH,
)
from nymproxy.mixnet.messages.fragments import (
    COVER_FRAGMENT_ID,
    FragmentId,
    parse_fragment_id,
)
from nymproxy.mixnet.sphinx import NodeAddress, PacketSize, build_packet
from nymproxy.mixnet.sphinx.primitives import AesCtr

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx import HeaderMaterial, PreparedHeader

_IV_LENGTH = 16


@dataclass(frozen=True, slots=True)
class AckKey:
    """The AES-128 key of a client's acks, 16 random bytes kept for its whole life."""

    value: bytes = field(repr=False)
    _cipher: AesCtr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.value) != 16:
            raise MessageFormatError(f"an ack key has 16 bytes, not {len(self.value)}")
        object.__setattr__(self, "_cipher", AesCtr(self.value))

    @classmethod
    def generate(cls, random_bytes: RandomBytes) -> AckKey:
        """Draw a new key."""
        return cls(random_bytes(16))

    def seal(self, identifier: FragmentId, random_bytes: RandomBytes) -> bytes:
        """Return the plaintext of an ack packet: IV (16) || encrypted identifier (5)."""
        iv = random_bytes(_IV_LENGTH)
        return iv + self._cipher.apply(iv, identifier)

    def open(self, payload: bytes) -> FragmentId | None:
        """Read the 21 bytes that our gateway pushes for an ack.

        Returns:
            The identifier of the acknowledged fragment, or ``None`` for the ack of a cover packet.

        Raises:
            MessageFormatError: another length, or not made with this key.
        """
        if len(payload) != ACK_PAYLOAD_LENGTH:
            raise MessageFormatError(f"an ack has {ACK_PAYLOAD_LENGTH} bytes, not {len(payload)}")
        iv, encrypted = payload[:_IV_LENGTH], payload[_IV_LENGTH:]
        identifier = parse_fragment_id(self._cipher.apply(iv, encrypted))
        return None if identifier == COVER_FRAGMENT_ID else identifier


@dataclass(frozen=True, slots=True)
class SurbAck:
    """A prepared ack, to be put in front of one fragment. (It is no SURB, despite its name.)

    Attributes:
        block: first hop of the ack, zero-padded (19) || ack packet (386).
        delay_ns: the delays that the ack will meet on its way, added up.
    """

    block: bytes = field(repr=False)
    delay_ns: int


def build_ack(
    header: HeaderMaterial | PreparedHeader,
    ack_key: AckKey,
    identifier: FragmentId,
    random_bytes: RandomBytes,
) -> SurbAck:
    """Make the ack of one fragment (or, with :data:`COVER_FRAGMENT_ID`, of a cover packet).

    Args:
        header: a fresh route to our own gateway with ourselves as destination. Its key rotation
            must be that of the packet that will carry the ack, which is sent off under it.
        ack_key: our key.
        identifier: what the ack acknowledges.
        random_bytes: source of the IV.
    """
    packet = build_packet(header, ack_key.seal(identifier, random_bytes), PacketSize.ACK)
    return SurbAck(header.first_hop.pad(ACK_BLOCK_ADDRESS_LENGTH) + packet, header.delay_ns)


@dataclass(frozen=True, slots=True)
class DetachedAck:
    """What the recipient's gateway makes of a data packet's plaintext.

    Attributes:
        first_hop: where the ack packet goes, at once and under the data packet's key rotation.
        packet: the ack packet, 386 bytes.
        pushed: what the client gets: key material (32) || encrypted fragment.
    """

    first_hop: NodeAddress
    packet: bytes = field(repr=False)
    pushed: bytes = field(repr=False)


def detach_ack(plaintext: bytes) -> DetachedAck:
    """Cut the ack off the plaintext of a data packet, as the recipient's gateway does.

    Raises:
        MessageFormatError: shorter than an ack, or the ack's first hop is no address.
    """
    if len(plaintext) < ACK_BLOCK_LENGTH:
        raise MessageFormatError("a data packet is too short to hold an ack")
    try:
        first_hop, _ = NodeAddress.unpack(plaintext[:ACK_BLOCK_ADDRESS_LENGTH])
    except SphinxError as error:
        raise MessageFormatError("the ack in a data packet has no first hop") from error
    packet = plaintext[ACK_BLOCK_ADDRESS_LENGTH:ACK_BLOCK_LENGTH]
    return DetachedAck(first_hop, packet, plaintext[ACK_BLOCK_LENGTH:])
