"""Which fragments of finished messages have come, in a bounded amount of memory.

A fragment whose ack was lost comes again when its message is long complete; it must not begin a
second one. The set id alone would not tell: ids are 31 random bits, so among a hundred thousand
remembered ones a new message in twenty thousand would be taken for an old one, and lost. So each
fragment is remembered, by 64 bits of a hash of all of it, of which Python keys the part that hashes
the payload: nobody can choose fragments that look like others.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nymproxy.mixnet.messages.fragments import Fragment

_SLOT_BYTES: Final = 8
_LEAST_SLOTS: Final = 64
_HASH_BITS: Final = (1 << 64) - 1


class _Table:
    """A set of hashes: open addressing, half of the slots stay empty.

    It grows with what is in it: hashes fall everywhere, so of a large one each takes a page of
    memory of its own, and an identity for one connection has some hundred.
    """

    __slots__ = ("_mask", "_slots", "count")

    def __init__(self, slot_count: int = _LEAST_SLOTS) -> None:
        self._slots = array("Q", bytes(slot_count * _SLOT_BYTES))
        self._mask = slot_count - 1
        self.count = 0

    def with_room(self, more: int) -> _Table:
        """Return the table for so many more: itself, or a larger one."""
        if 2 * (self.count + more) <= len(self._slots):
            return self
        larger = _Table(1 << (2 * (self.count + more) - 1).bit_length())
        larger.add(value for value in self._slots if value)
        return larger

    def __contains__(self, value: int) -> bool:
        slots, mask = self._slots, self._mask
        slot = value & mask
        while (taken := slots[slot]) and taken != value:
            slot = (slot + 1) & mask
        return taken == value

    def add(self, values: Iterable[int]) -> None:
        slots, mask = self._slots, self._mask
        for value in values:
            slot = value & mask
            while (taken := slots[slot]) and taken != value:
                slot = (slot + 1) & mask
            if not taken:
                slots[slot] = value
                self.count += 1


class FinishedFragments:
    """Remembers the last ones, in two tables in turns: each for ``seconds`` at least and twice as
    long at most, and of them the last half of ``maximum`` at least.

    A table takes 16 to 32 bytes for each, of the usual maximum 1 MiB.

    Args:
        maximum: of fragments, and 255 more: a set is not split.
        seconds: 0 switches the memory off.
    """

    __slots__ = (
        "_added_at",
        "_capacity",
        "_newer",
        "_older",
        "_older_until",
        "_seconds",
        "_turned_at",
    )

    def __init__(self, maximum: int, seconds: float) -> None:
        self._capacity = max(1, maximum // 2)
        self._seconds = seconds
        self._newer: _Table | None = None
        self._older: _Table | None = None
        self._turned_at = self._added_at = self._older_until = float("-inf")

    def __contains__(self, fragment: Fragment) -> bool:
        if self._newer is None and self._older is None:
            return False
        value = _hash_of(fragment)
        newer, older = self._newer, self._older
        return (newer is not None and value in newer) or (older is not None and value in older)

    def add(self, fragments: Sequence[Fragment], now: float) -> None:
        """Remember the fragments of a message that is complete, or of a part of one."""
        if self._seconds <= 0:
            return
        if self._newer is not None and self._newer.count >= self._capacity:
            self._turn(now)
        table = _Table() if self._newer is None else self._newer
        self._newer = table.with_room(len(fragments))
        self._newer.add(map(_hash_of, fragments))
        self._added_at = now

    def prune(self, now: float) -> None:
        """Forget what is too old."""
        if now - self._turned_at >= self._seconds:
            self._turn(now)
        if now >= self._older_until:
            self._older = None

    def _turn(self, now: float) -> None:
        self._older, self._newer, self._turned_at = self._newer, None, now
        self._older_until = self._added_at + self._seconds


def _hash_of(fragment: Fragment) -> int:
    return hash(fragment) & _HASH_BITS or 1  # 0 is an empty slot
