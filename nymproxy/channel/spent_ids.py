"""Which channel ids were used up, for the life of the process and in a fixed amount of memory.

A gateway can deliver again what its client received hours ago, when everything else that was kept
of it is gone; a message that opens a session must not open a second one. (Rust 1.21.6 never forgets
a message, at a cost that grows without end.)
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.mixnet.randomness import RandomBytes

STAGES: Final = ((1 << 17, 25_000), (1 << 19, 100_000), (1 << 21, 500_000))
"""Bytes of one filter after the other, and the ids that it takes; all further ones are as the
last."""
HASHES: Final = 16
_HASH_BYTES: Final = 4


class _Filter:
    """A Bloom filter.

    Args:
        size_bytes: a power of two.
        max_ids: how many it takes.
    """

    __slots__ = ("_bits", "_mask", "_max_ids", "count")

    def __init__(self, size_bytes: int, max_ids: int) -> None:
        self._bits = bytearray(size_bytes)
        self._mask = size_bytes * 8 - 1
        self._max_ids = max_ids
        self.count = 0
        """How many different ones are in it."""

    @property
    def is_full(self) -> bool:
        return self.count >= self._max_ids

    def has(self, hashes: Sequence[int]) -> bool:
        bits, mask = self._bits, self._mask
        return all(bits[(each & mask) >> 3] >> (each & 7) & 1 for each in hashes)

    def add(self, hashes: Sequence[int]) -> None:
        if not self.has(hashes):
            self.count += 1
            for each in hashes:
                self._bits[(each & self._mask) >> 3] |= 1 << (each & 7)


class SpentIds:
    """Bloom filters one after the other, each larger up to 2 MiB: at least the last 500,000 ids are
    remembered, in 4 MiB at most, and an id that is new is taken for a spent one in less than 4 of
    10 million cases. It is refused as a replay would be, and whoever drew it draws another for the
    next attempt.

    What they look like depends on a key of this process: nobody can choose ids that fill them
    faster, or that are taken for spent ones. Memory is used when the first id is added.

    Args:
        random_bytes: source of that key.
        stages: see :data:`STAGES`.
    """

    __slots__ = ("_begun", "_filters", "_key", "_random_bytes", "_stages")

    def __init__(
        self, random_bytes: RandomBytes, *, stages: Sequence[tuple[int, int]] = STAGES
    ) -> None:
        self._random_bytes = random_bytes
        self._stages = stages
        self._key = b""
        self._filters: list[_Filter] = []  # the newest last
        self._begun = 0

    def add(self, identity: bytes) -> None:
        """Remember an id."""
        if not self._filters or self._filters[-1].is_full:
            self._begin_another()
        self._filters[-1].add(self._hashes(identity))

    def __contains__(self, identity: bytes) -> bool:
        if not self._filters:
            return False
        hashes = self._hashes(identity)
        return any(each.has(hashes) for each in self._filters)

    def _begin_another(self) -> None:
        """Begin a filter, and forget those that hold none of the last ids."""
        if not self._key:
            self._key = self._random_bytes(blake2b.MAX_KEY_SIZE)
        _, enough = self._stages[-1]
        while sum(each.count for each in self._filters[1:]) >= enough:
            del self._filters[0]
        self._filters.append(_Filter(*self._stages[min(self._begun, len(self._stages) - 1)]))
        self._begun += 1

    def _hashes(self, identity: bytes) -> list[int]:
        digest = blake2b(identity, key=self._key, digest_size=HASHES * _HASH_BYTES).digest()
        return [
            int.from_bytes(digest[start : start + _HASH_BYTES], "big")
            for start in range(0, len(digest), _HASH_BYTES)
        ]
