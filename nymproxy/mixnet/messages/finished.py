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
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.mixnet.messages.fragments import Fragment

_HASH: Final = struct.Struct("=Q")
_HASH_BITS: Final = (1 << 64) - 1  # of which 0 is an empty slot
_BUCKET_SLOTS: Final = 64
_SMALL_BUCKETS: Final = 16


class FinishedFragments:
    """Remembers the last ones, in buckets by their hashes; a full bucket forgets its oldest.

    The table is small until many have come, and takes 8 bytes for each of ``maximum`` at most. Of
    the last half of them one in four million is forgotten, where its bucket has taken twice what
    buckets take.

    Args:
        maximum: of fragments; 0 switches the memory off.
    """

    __slots__ = ("_bucket_slots", "_most_buckets", "_next_slots", "_numbers", "_slots")

    def __init__(self, maximum: int) -> None:
        self._bucket_slots = min(maximum, _BUCKET_SLOTS)
        self._most_buckets = max(1, maximum // _BUCKET_SLOTS)
        self._make_buckets(1)

    def _make_buckets(self, count: int) -> None:
        self._slots = bytearray(count * self._bucket_slots * _HASH.size)
        self._numbers = memoryview(self._slots).cast("Q")
        self._next_slots = bytearray(count)  # of each: where its oldest is, or nothing yet

    def __contains__(self, fragment: Fragment) -> bool:
        value = hash(fragment) & _HASH_BITS or 1
        next_slots, numbers = self._next_slots, self._numbers
        bucket = value & (len(next_slots) - 1)
        first = bucket * self._bucket_slots
        end = first + next_slots[bucket]
        if self._bucket_slots and numbers[end]:  # it is full
            end = first + self._bucket_slots
        needle, start, end = _HASH.pack(value), first * _HASH.size, end * _HASH.size
        found = self._slots.find(needle, start, end)
        while found > 0 and found % _HASH.size:  # the end of one and the beginning of the next
            found = self._slots.find(needle, found + 1, end)
        return found >= 0

    def add(self, fragments: Iterable[Fragment]) -> None:
        """Remember the fragments of a message that is complete, or of a part of one."""
        if self._bucket_slots:
            self._put([hash(fragment) & _HASH_BITS or 1 for fragment in fragments])

    def _put(self, values: Iterable[int]) -> None:
        size, numbers, next_slots = self._bucket_slots, self._numbers, self._next_slots
        for value in values:
            bucket = value & (len(next_slots) - 1)
            at = bucket * size + next_slots[bucket]
            if numbers[at] and 2 * len(next_slots) <= self._most_buckets:
                self._grow()
                self._put([value])
                numbers, next_slots = self._numbers, self._next_slots
            else:
                numbers[at] = value
                next_slots[bucket] = (next_slots[bucket] + 1) % size

    def _grow(self) -> None:
        """Make four buckets of each, or from 1,024 slots on all there may be, since who has needed
        so many soon needs the others, and share out what is in it, the oldest first."""
        size, numbers, next_slots = self._bucket_slots, self._numbers, self._next_slots
        doublings = (self._most_buckets // len(next_slots)).bit_length() - 1
        if len(next_slots) < _SMALL_BUCKETS:
            doublings = min(doublings, 2)
        self._make_buckets(len(next_slots) << doublings)
        for bucket, next_slot in enumerate(next_slots):
            start, oldest = bucket * size, bucket * size + next_slot
            self._put(filter(None, numbers[oldest : start + size]))
            self._put(filter(None, numbers[start:oldest]))
