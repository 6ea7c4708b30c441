"""A table of reply keys without an object for each: they are many, and some stay for a day.

The key of each reply that a mix lost stays until nobody can use it any more. As Python objects in a
dict they take 350 bytes each, here 80 to 160.
"""

from __future__ import annotations

import struct
from array import array
from typing import Final, NamedTuple

from nymproxy.mixnet.messages.payload import reply_key_digest

_LEAST_SLOTS: Final = 64
_LEAST_STALE: Final = 256
_EMPTY: Final = 0
_RECORD: Final = struct.Struct("<16sdIII")
_NUMBER: Final = struct.Struct("<I")
_NUMBER_OFFSET: Final = _RECORD.size - _NUMBER.size


class KeyRecord(NamedTuple):
    """One key.

    Attributes:
        key: 16 bytes.
        added: when it was.
        holder: a number that the owner gives.
        rotation_id: of its SURB.
        number: counts what was added; no matter to the owner.
    """

    key: bytes
    added: float
    holder: int
    rotation_id: int
    number: int


class KeyTable:
    """Finds keys by their digests, and the oldest one. Open addressing by the first 64 bits of the
    digest, no more than two thirds full; the order is kept apart."""

    __slots__ = ("_head", "_marks", "_order", "_records", "count")

    def __init__(self) -> None:
        self.count = 0
        """How many there are."""
        self._marks = array("Q", bytes(8 * _LEAST_SLOTS))
        self._records = bytearray(_RECORD.size * _LEAST_SLOTS)
        self._order = array("Q")  # marks by number; those before the head are gone
        self._head = 0

    def add(self, digest: bytes, key: bytes, added: float, holder: int, rotation_id: int) -> None:
        """Add a key that is not there; it is the newest one."""
        if 3 * (self.count + 1) > 2 * len(self._marks):
            self._rebuild(2 * len(self._marks))
        elif len(self._order) > 3 * self.count + _LEAST_STALE:
            self._rebuild(len(self._marks))
        mark = _mark_of(digest)
        slot = self._slot_of(mark)
        self.count += self._marks[slot] == _EMPTY
        self._marks[slot] = mark
        values = (key, added, holder, rotation_id, len(self._order))
        _RECORD.pack_into(self._records, slot * _RECORD.size, *values)
        self._order.append(mark)

    def take(self, digest: bytes) -> KeyRecord | None:
        """Remove the key with a digest, and return it, if it is there."""
        slot = self._slot_of(_mark_of(digest))
        if self._marks[slot] == _EMPTY:
            return None
        record = self._read(slot)
        if reply_key_digest(record.key) != digest:
            return None
        self._remove(slot)
        return record

    def oldest(self) -> KeyRecord | None:
        """Return the oldest key."""
        while self._head < len(self._order):
            slot = self._slot_of(self._order[self._head])
            if self._marks[slot] != _EMPTY:
                record = self._read(slot)
                if record.number == self._head:
                    return record
            self._head += 1  # it was taken, or added again since
        return None

    def _slot_of(self, mark: int) -> int:
        """Return the slot of a mark, or the empty one where it would be."""
        marks = self._marks
        mask = len(marks) - 1
        slot = mark & mask
        while (taken := marks[slot]) != _EMPTY and taken != mark:
            slot = (slot + 1) & mask
        return slot

    def _read(self, slot: int) -> KeyRecord:
        return KeyRecord(*_RECORD.unpack_from(self._records, slot * _RECORD.size))

    def _remove(self, slot: int) -> None:
        """Empty a slot, and move those behind it that were pushed away by it."""
        marks, records, size = self._marks, self._records, _RECORD.size
        mask = len(marks) - 1
        empty = slot
        while marks[slot := (slot + 1) & mask] != _EMPTY:
            if (slot - marks[slot]) & mask >= (slot - empty) & mask:
                marks[empty] = marks[slot]
                moved = records[slot * size : (slot + 1) * size]
                records[empty * size : (empty + 1) * size] = moved
                empty = slot
        marks[empty] = _EMPTY
        records[empty * size : (empty + 1) * size] = bytes(size)
        self.count -= 1

    def _rebuild(self, slot_count: int) -> None:
        """Make the table anew, of a size that fits, and the order without what was taken."""
        while slot_count > _LEAST_SLOTS and slot_count >= 6 * (self.count + 1):
            slot_count //= 2
        other = KeyTable()
        other._marks = array("Q", bytes(8 * slot_count))
        other._records = bytearray(_RECORD.size * slot_count)
        for number in range(self._head, len(self._order)):
            mark = self._order[number]
            slot = self._slot_of(mark)
            record = self._records[slot * _RECORD.size : (slot + 1) * _RECORD.size]
            is_there = self._marks[slot] != _EMPTY
            if is_there and _NUMBER.unpack_from(record, _NUMBER_OFFSET)[0] == number:
                _NUMBER.pack_into(record, _NUMBER_OFFSET, len(other._order))
                slot = other._slot_of(mark)
                other._marks[slot] = mark
                other._records[slot * _RECORD.size : (slot + 1) * _RECORD.size] = record
                other._order.append(mark)
        self._marks, self._records, self._order = other._marks, other._records, other._order
        self._head = 0


def _mark_of(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "little") or 1
