"""Replay protection: the tags of the packets that a node has already processed."""

from __future__ import annotations

DEFAULT_GENERATION_SIZE = 500_000
"""At about 100 bytes a tag, the two generations of one rotation hold at most 100 MB."""

_KEPT_BYTES = 16


class ReplayFilter:
    """Remembers replay tags, at least the last ``generation_size`` ones.

    Real nodes use a Bloom filter that is sized for a whole rotation and may refuse a new packet by
    chance; sets are exact, and two generations bound them: when the younger one is full, the older
    is forgotten. A replay that comes later than that passes.
    """

    def __init__(self, generation_size: int = DEFAULT_GENERATION_SIZE) -> None:
        self._generation_size = generation_size
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def check_and_set(self, tag: bytes) -> bool:
        """Return whether the tag is new, and remember it."""
        # The tag is uniform, so half of it tells packets apart.
        key = tag[:_KEPT_BYTES]
        if key in self._young or key in self._old:
            return False
        if len(self._young) >= self._generation_size:
            self._old, self._young = self._young, set()
        self._young.add(key)
        return True
