"""Which fragments of finished messages have come, in a bounded amount of memory.

A fragment whose ack was lost comes again when its message is long complete; it must not begin a
second one. The set id alone would not tell: ids are 31 random bits, so among a hundred thousand
remembered ones a new message in twenty thousand would be taken for an old one, and lost. So each
fragment is remembered, by 64 bits of a hash of all of it, of which Python keys the part that hashes
the payload: nobody can choose fragments that look like others, or that make others forgotten.

How many: copies come while the sender waits for an ack, the first a quarter of a second or more
behind, and each further one at most 30 s behind the one before; those through reply SURBs also when
there is one again. What a gateway had stored comes in the order in which it came there. The last
16,384 fragments are those of half a minute at a megabyte a second, and of seven minutes in the
default profile. A copy that comes later still begins a set that is never complete, or, if its
message has no other fragment, is delivered once more: channels, which know each of their messages
by its number, drop it.
"""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.mixnet.messages.fragments import Fragment

_HASH: Final = struct.Struct("=Q")  # as in an array
_HASH_BITS: Final = (1 << 64) - 1
_EMPTY: Final = (0,)
_BUCKET_SLOTS: Final = 64


class FinishedFragments:
    """Remembers the last ones, in buckets by their hashes; a full bucket forgets its oldest.

    The table is small until many have come, and takes 8 bytes for each of ``maximum`` at most. Of
    the last half of them one in four million is forgotten, where its bucket has taken twice what
    buckets take.

    Args:
        maximum: of fragments; 0 switches the memory off.
    """

    __slots__ = ("_bucket_bytes", "_most_buckets", "_next_slots", "_slots")

    def __init__(self, maximum: int) -> None:
        bucket_slots = min(maximum, _BUCKET_SLOTS)
        self._bucket_bytes = bucket_slots * _HASH.size
        self._most_buckets = max(1, maximum // _BUCKET_SLOTS)
        self._slots = bytearray(self._bucket_bytes)
        self._next_slots = bytearray(1)  # of each bucket: where its oldest is, or nothing yet

    def __contains__(self, fragment: Fragment) -> bool:
        value = _hash_of(fragment)
        needle = _HASH.pack(value)
        slots, size = self._slots, self._bucket_bytes
        start = (value & (len(self._next_slots) - 1)) * size
        found = slots.find(needle, start, start + size)
        while found > 0 and found % _HASH.size:  # the end of one and the beginning of the next
            found = slots.find(needle, found + 1, start + size)
        return found >= 0

    def add(self, fragments: Iterable[Fragment]) -> None:
        """Remember the fragments of a message that is complete, or of a part of one."""
        if self._bucket_bytes:
            for fragment in fragments:
                self._put(_hash_of(fragment))

    def _put(self, value: int) -> None:
        bucket = value & (len(self._next_slots) - 1)
        slot = self._next_slots[bucket]
        at = bucket * self._bucket_bytes + slot * _HASH.size
        is_full = _HASH.unpack_from(self._slots, at) != _EMPTY
        if is_full and 2 * len(self._next_slots) <= self._most_buckets:
            self._double()
            self._put(value)
            return
        _HASH.pack_into(self._slots, at, value)
        self._next_slots[bucket] = (slot + 1) % (self._bucket_bytes // _HASH.size)

    def _double(self) -> None:
        """Give each bucket a second one, and share out what is in it, the oldest first."""
        slots, next_slots, size = self._slots, self._next_slots, self._bucket_bytes
        self._slots, self._next_slots = bytearray(2 * len(slots)), bytearray(2 * len(next_slots))
        for bucket, next_slot in enumerate(next_slots):
            start, oldest = bucket * size, bucket * size + next_slot * _HASH.size
            by_age = slots[oldest : start + size] + slots[start:oldest]
            for value in array("Q", by_age):
                if value:
                    self._put(value)


def _hash_of(fragment: Fragment) -> int:
    return hash(fragment) & _HASH_BITS or 1  # 0 is an empty slot
