"""Which channel ids were used up, for the life of the process and in a fixed amount of memory.

A gateway can deliver again what its client received hours ago, when everything else that was kept
of it is gone; a message that opens a session must not open a second one. (Rust 1.21.6 never forgets
a message, at a cost that grows without end.)
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes

FILTER_BYTES: Final = 1 << 21
FILTER_IDS: Final = 500_000
_HASHES: Final = 16
_HASH_BYTES: Final = 4
_BIT_MASK: Final = FILTER_BYTES * 8 - 1


class SpentIds:
    """Two Bloom filters of 2 MiB in turns: at least the last 500,000 ids are remembered, and an id
    that is new is taken for a spent one in less than 4 of 10 million cases. It is refused as a
    replay would be, and whoever drew it draws another for the next attempt.

    What they look like depends on a key of this process: nobody can choose ids that fill them
    faster, or that are taken for spent ones. Memory is used when the first id is added.

    Args:
        random_bytes: source of that key.
        filter_ids: ids in one filter.
    """

    __slots__ = ("_count", "_filter_ids", "_key", "_newer", "_older", "_random_bytes")

    def __init__(self, random_bytes: RandomBytes, *, filter_ids: int = FILTER_IDS) -> None:
        self._random_bytes = random_bytes
        self._filter_ids = filter_ids
        self._key = b""
        self._newer = self._older = bytearray()
        self._count = 0

    def add(self, identity: bytes) -> None:
        """Remember an id."""
        if not self._key:
            self._key = self._random_bytes(blake2b.MAX_KEY_SIZE)
        if not self._newer or self._count >= self._filter_ids:
            self._older, self._newer, self._count = self._newer, bytearray(FILTER_BYTES), 0
        bits, newer = self._bits(identity), self._newer
        if not _are_set(newer, bits):
            self._count += 1
            for bit in bits:
                newer[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, identity: bytes) -> bool:
        if not self._newer:
            return False
        bits = self._bits(identity)
        return _are_set(self._newer, bits) or (bool(self._older) and _are_set(self._older, bits))

    def _bits(self, identity: bytes) -> list[int]:
        digest = blake2b(identity, key=self._key, digest_size=_HASHES * _HASH_BYTES).digest()
        return [
            int.from_bytes(digest[start : start + _HASH_BYTES], "big") & _BIT_MASK
            for start in range(0, len(digest), _HASH_BYTES)
        ]


def _are_set(filter_bits: bytearray, bits: list[int]) -> bool:
    return all(filter_bits[bit >> 3] >> (bit & 7) & 1 for bit in bits)
