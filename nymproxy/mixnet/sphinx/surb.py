"""Single-use reply blocks: a header made by the recipient, filled by somebody else.

Format of sphinx-packet 0.6.0 (src/surb.rs); vectors: tests/vectors/sphinx.json, ``surbs`` and
``surb_parse``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.errors import SphinxError, SphinxErrorKind
from nymproxy.mixnet.sphinx.addressing import NodeAddress
from nymproxy.mixnet.sphinx.constants import (
    HEADER_LENGTH,
    NODE_ADDRESS_LENGTH,
    PAYLOAD_KEY_LENGTH,
    PAYLOAD_KEY_SEED_LENGTH,
)
from nymproxy.mixnet.sphinx.keys import payload_key
from nymproxy.mixnet.sphinx.packet import check_plaintext
from nymproxy.mixnet.sphinx.payload import seal_payload

if TYPE_CHECKING:
    from nymproxy.mixnet.sphinx.constants import PacketSize
    from nymproxy.mixnet.sphinx.header import HeaderMaterial

_KEYS_OFFSET = HEADER_LENGTH + NODE_ADDRESS_LENGTH


@dataclass(frozen=True, slots=True, repr=False)
class Surb:
    """A SURB, made by us or received. It must be used once: nodes drop a second packet of it.

    Attributes:
        header: 348 bytes.
        first_hop_field: the padded address of the first hop, 32 bytes.
        key_material: one entry for each hop, in route order: 16-byte seeds, or (version 258) whole
            192-byte payload keys.
    """

    header: bytes
    first_hop_field: bytes
    key_material: tuple[bytes, ...]

    @classmethod
    def from_material(cls, material: HeaderMaterial) -> Surb:
        """Make the SURB that lets somebody else use ``material``, whose route must lead to us."""
        return cls(
            material.header,
            material.first_hop.pad(NODE_ADDRESS_LENGTH),
            material.payload_key_seeds,
        )

    @classmethod
    def parse(cls, data: bytes) -> Surb:
        """Read header (348) || first hop (32) || key material (the rest).

        Less than 192 bytes of key material are seeds of 16 bytes, more are keys of 192. The content
        is not checked; see :attr:`first_hop`.

        Raises:
            SphinxError: a length that no SURB has (``INVALID_SURB``).
        """
        key_bytes = len(data) - _KEYS_OFFSET
        length = PAYLOAD_KEY_SEED_LENGTH if key_bytes < PAYLOAD_KEY_LENGTH else PAYLOAD_KEY_LENGTH
        if key_bytes < PAYLOAD_KEY_SEED_LENGTH or key_bytes % length:
            raise SphinxError(SphinxErrorKind.INVALID_SURB, f"no SURB has {len(data)} bytes")
        return cls(
            data[:HEADER_LENGTH],
            data[HEADER_LENGTH:_KEYS_OFFSET],
            tuple(data[start : start + length] for start in range(_KEYS_OFFSET, len(data), length)),
        )

    def to_bytes(self) -> bytes:
        """Return the form that :meth:`parse` reads: 380 bytes plus 16 (or 192) for each hop."""
        return b"".join((self.header, self.first_hop_field, *self.key_material))

    @property
    def first_hop(self) -> NodeAddress:
        """Where a packet made from this SURB goes.

        Raises:
            SphinxError: the field of a received SURB holds no address (``INVALID_ROUTING``).
        """
        return NodeAddress.unpack(self.first_hop_field)[0]

    def use(self, plaintext: bytes, size: PacketSize) -> bytes:
        """Return the packet that carries ``plaintext`` to the SURB's creator.

        Raises:
            SphinxError: the plaintext does not fill the packet exactly (``INVALID_PAYLOAD``).
        """
        check_plaintext(plaintext, size)
        return self.header + self.seal(plaintext, size.payload_length)

    def seal(self, plaintext: bytes, payload_length: int) -> bytes:
        """Return the payload for behind the header, of any length.

        Raises:
            SphinxError: a length that does not fit (``INVALID_PAYLOAD``).
        """
        keys = [payload_key(material) for material in self.key_material]
        return seal_payload(plaintext, payload_length, keys)
