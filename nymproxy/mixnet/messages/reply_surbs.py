"""Reply SURBs: what an anonymous sender hands out so that it can be answered
(nym-sphinx-anonymous-replies 1.21.6, src/reply_surb.rs, src/requests/v1.rs and v2.rs).

Vectors: tests/vectors/pipeline.json, ``reply_surbs`` and ``repliable_parsing``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from nymproxy.errors import MessageFormatError, SphinxError
from nymproxy.mixnet.messages._layout import REPLY_KEY_LENGTH
from nymproxy.mixnet.messages.payload import reply_key_digest
from nymproxy.mixnet.sphinx import KeyRotation, Surb

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx import HeaderMaterial, NodeAddress

_FIXED_LENGTH = 396
"""Encryption key (16), header (348) and first hop (32)."""
_SEED_LENGTH = 16
REPLY_SURB_LENGTH = _FIXED_LENGTH + 4 * _SEED_LENGTH
"""Of one over four hops, as ours are, in version 2."""
_LENGTH_V1 = 1164
"""Always four hops with whole payload keys of 192 bytes."""
_FIRST_HOP_OFFSET = 364
"""Behind encryption key and header."""
_ADDRESS_TAGS = b"\x04\x06"
_MAX_HOPS = 5
MAX_SURBS_PER_MESSAGE = 0xFFFF
_PREAMBLE_V1 = struct.Struct(">I")
_PREAMBLE_V2 = struct.Struct(">HBB")


@dataclass(frozen=True, slots=True, repr=False)
class ReplySurb:
    """A SURB with the key that its user encrypts to its creator with. One packet uses it up.

    Attributes:
        encryption_key: 16 random bytes.
        surb: the Sphinx part.
        rotation: the key rotation in which the SURB was made; ``UNKNOWN`` if it came in version 1.
    """

    encryption_key: bytes
    surb: Surb
    rotation: KeyRotation

    def __post_init__(self) -> None:
        if len(self.encryption_key) != REPLY_KEY_LENGTH:
            raise MessageFormatError("the encryption key of a reply SURB has another length")

    @classmethod
    def create(cls, header: HeaderMaterial, random_bytes: RandomBytes) -> ReplySurb:
        """Make a SURB from a fresh route to ourselves.

        Remember its key (:class:`~nymproxy.mixnet.messages.ReplyKeyStore`) before it is sent.
        """
        encryption_key = random_bytes(REPLY_KEY_LENGTH)
        return cls(encryption_key, Surb.from_material(header), header.rotation)

    @classmethod
    def parse(cls, data: bytes, rotation: KeyRotation) -> ReplySurb:
        """Read encryption key (16) || SURB (the rest); the rotation comes from elsewhere.

        Raises:
            MessageFormatError: a length that no reply SURB has, or a first hop that is no address.
        """
        try:
            surb = Surb.parse(data[REPLY_KEY_LENGTH:])
            _ = surb.first_hop
        except SphinxError as error:
            raise MessageFormatError(f"a reply SURB does not parse: {error}") from error
        return cls(data[:REPLY_KEY_LENGTH], surb, rotation)

    def to_bytes(self) -> bytes:
        """Return the form that :meth:`parse` reads: 396 bytes and 16 for each hop (version 2)."""
        return self.encryption_key + self.surb.to_bytes()

    @property
    def first_hop(self) -> NodeAddress:
        """Where the packet made from it goes."""
        return self.surb.first_hop

    @property
    def hops(self) -> int:
        """The number of hops of its route."""
        return len(self.surb.key_material)

    @property
    def key_digest(self) -> bytes:
        """The 32 bytes by which the reply will name the encryption key."""
        return reply_key_digest(self.encryption_key)

    def __repr__(self) -> str:
        return f"ReplySurb(hops={self.hops}, rotation={self.rotation.name})"


class SurbBundle(Sequence[ReplySurb]):
    """The reply SURBs of one received message, each parsed when it is taken out.

    What could fail then is checked for all of them at once, without a loop: a message of 65,535
    SURBs costs a copy, and a receiver that keeps a thousand parses a thousand.

    Args:
        encoded: all SURBs, one behind the other.
        length: of each of them, in bytes.
        rotation: of all of them.

    Raises:
        MessageFormatError: the first hop of one is no address.
    """

    __slots__ = ("_encoded", "_length", "rotation")

    def __init__(self, encoded: bytes, length: int, rotation: KeyRotation) -> None:
        if encoded[_FIRST_HOP_OFFSET::length].strip(_ADDRESS_TAGS):
            raise MessageFormatError("the first hop of a reply SURB is no address")
        self._encoded = encoded
        self._length = length
        self.rotation = rotation

    def __len__(self) -> int:
        return len(self._encoded) // self._length

    @overload
    def __getitem__(self, index: int) -> ReplySurb: ...
    @overload
    def __getitem__(self, index: slice) -> list[ReplySurb]: ...
    def __getitem__(self, index: int | slice) -> ReplySurb | list[ReplySurb]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        start = range(len(self))[index] * self._length
        return ReplySurb.parse(self._encoded[start : start + self._length], self.rotation)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash((self._encoded, self.rotation))

    def __repr__(self) -> str:
        return f"SurbBundle({len(self)} SURBs, rotation={self.rotation.name})"


def encode_surbs(surbs: Sequence[ReplySurb]) -> bytes:
    """Return ``count(2) || hops(1) || key rotation(1) || SURBs`` (version 2).

    Raises:
        MessageFormatError: too many, whole payload keys (version 1), or not all with the number of
            hops and the key rotation of the first.
    """
    if not surbs:
        return bytes(_PREAMBLE_V2.size)
    if len(surbs) > MAX_SURBS_PER_MESSAGE:
        raise MessageFormatError(f"one message carries at most {MAX_SURBS_PER_MESSAGE} reply SURBs")
    hops, rotation = surbs[0].hops, surbs[0].rotation
    length = _FIXED_LENGTH + _SEED_LENGTH * hops
    parts = [_PREAMBLE_V2.pack(len(surbs), hops, rotation)]
    for surb in surbs:
        encoded = surb.to_bytes()
        if surb.rotation != rotation or len(encoded) != length:
            raise MessageFormatError(
                "the reply SURBs of one message must be of one key rotation and route length; "
                "make them from one topology"
            )
        parts.append(encoded)
    return b"".join(parts)


def parse_surbs(data: bytes, offset: int) -> tuple[SurbBundle, int]:
    """Read the SURBs of version 2 (see :func:`encode_surbs`) at ``offset``.

    Returns:
        The SURBs, and the offset behind them.

    Raises:
        MessageFormatError: cut off, an unknown key rotation, an impossible number of hops, or a
            SURB that does not parse.
    """
    if len(data) - offset < _PREAMBLE_V2.size:
        raise MessageFormatError("the reply SURBs of a message are cut off")
    count, hops, rotation_byte = _PREAMBLE_V2.unpack_from(data, offset)
    try:
        rotation = KeyRotation(rotation_byte)
    except ValueError as error:
        raise MessageFormatError("reply SURBs of an unknown key rotation") from error
    if count and not 1 <= hops <= _MAX_HOPS:
        raise MessageFormatError(f"reply SURBs with {hops} hops")
    length = _FIXED_LENGTH + _SEED_LENGTH * hops
    return _bundle(data, offset + _PREAMBLE_V2.size, count, length, rotation)


def parse_surbs_v1(data: bytes, offset: int) -> tuple[SurbBundle, int]:
    """Read the SURBs of version 1, ``count(4) || SURBs of 1164 bytes``, at ``offset``.

    Returns:
        The SURBs, and the offset behind them.

    Raises:
        MessageFormatError: cut off, or a SURB that does not parse.
    """
    if len(data) - offset < _PREAMBLE_V1.size:
        raise MessageFormatError("the reply SURBs of a message are cut off")
    (count,) = _PREAMBLE_V1.unpack_from(data, offset)
    return _bundle(data, offset + _PREAMBLE_V1.size, count, _LENGTH_V1, KeyRotation.UNKNOWN)


def _bundle(
    data: bytes, offset: int, count: int, length: int, rotation: KeyRotation
) -> tuple[SurbBundle, int]:
    end = offset + count * length
    if end > len(data):
        raise MessageFormatError(f"a message announces {count} reply SURBs but is too short")
    return SurbBundle(data[offset:end], length, rotation), end
