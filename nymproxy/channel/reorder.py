"""The reorder buffer: takes numbered items in any order, gives them back in order, once each.

Nothing is ever skipped. Rust peers skip a gap when 257 frames wait behind it (nym-sdk 1.21.6
src/mixnet/stream/mod.rs), and old legacy peers after 7 s (src/tcp_proxy/utils.rs); here both are
errors that the owner reports.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.channel.serial import serial_distance

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Insertion(enum.Enum):
    """What became of an inserted item."""

    ACCEPTED = "accepted"
    OLD = "old"
    """Its number was released before."""
    DUPLICATE = "duplicate"
    """Its number is waiting; the first one stays."""
    OVERFLOW = "overflow"
    """No room: the gap in front can no longer be waited for."""


class ReorderBuffer(Generic[T]):
    """Orders items by serial number.

    Args:
        modulus: of the sequence numbers.
        first: the first number expected.
        limit_items: most items that wait behind a gap.
        limit_bytes: most bytes of them.
    """

    def __init__(self, *, modulus: int, first: int, limit_items: int, limit_bytes: int) -> None:
        self._modulus = modulus
        self._next = first
        self._limit_items = limit_items
        self._limit_bytes = limit_bytes
        self._pending: dict[int, tuple[T, int]] = {}
        self._pending_bytes = 0
        self._gap_since: float | None = None

    @property
    def next_sequence(self) -> int:
        """The number that is released next."""
        return self._next

    @property
    def pending_items(self) -> int:
        """Items that wait, whether or not the next one is among them."""
        return len(self._pending)

    @property
    def pending_bytes(self) -> int:
        """Bytes of the items that wait."""
        return self._pending_bytes

    @property
    def gap_since(self) -> float | None:
        """Since when the next number is missing while later ones wait; ``None`` without a gap."""
        return self._gap_since

    def pending(self) -> Iterator[tuple[int, T]]:
        """Iterate over what waits: distance from the next number, and item."""
        for sequence, (item, _) in self._pending.items():
            yield serial_distance(self._next, sequence, self._modulus), item

    def insert(self, sequence: int, item: T, size: int, now: float) -> Insertion:
        """Take one item in.

        Only items that would wait behind a gap can overflow: the missing one is always accepted.
        """
        distance = serial_distance(self._next, sequence, self._modulus)
        if distance < 0:
            return Insertion.OLD
        if sequence in self._pending:
            return Insertion.DUPLICATE
        if distance > 0 and (
            len(self._pending) >= self._limit_items
            or self._pending_bytes + size > self._limit_bytes
        ):
            return Insertion.OVERFLOW
        self._pending[sequence] = (item, size)
        self._pending_bytes += size
        if self._gap_since is None and self._next not in self._pending:
            self._gap_since = now
        return Insertion.ACCEPTED

    def release(self, now: float) -> Iterator[T]:
        """Yield, and forget, the items whose turn it is."""
        released = False
        while (entry := self._pending.pop(self._next, None)) is not None:
            released = True
            item, size = entry
            self._pending_bytes -= size
            self._next = (self._next + 1) % self._modulus
            yield item
        if released:  # whatever still waits, waits behind another gap
            self._gap_since = now if self._pending else None

    def discard(self) -> None:
        """Forget all that waits; the next number stays."""
        self._pending.clear()
        self._pending_bytes = 0
        self._gap_since = None
