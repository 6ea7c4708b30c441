"""The mixing itself: packets wait until their release time, and leave in that order."""

from __future__ import annotations

import heapq
import itertools
from typing import Generic, TypeVar

T = TypeVar("T")


class DelayQueue(Generic[T]):
    """A bounded heap of items by release time (monotonic seconds). No clock of its own.

    Items of equal release time leave in the order in which they came.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[float, int, T]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_release(self) -> float | None:
        """When the next item is due, or ``None`` if there is none."""
        return self._heap[0][0] if self._heap else None

    def push(self, release_at: float, item: T) -> bool:
        """Add an item. Returns ``False`` when the queue is full: the item is not added."""
        if len(self._heap) >= self._limit:
            return False
        heapq.heappush(self._heap, (release_at, next(self._order), item))
        return True

    def pop_due(self, now: float) -> list[T]:
        """Remove and return all items whose release time has come."""
        due: list[T] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def clear(self) -> int:
        """Forget everything; returns how many items that were."""
        count = len(self._heap)
        self._heap.clear()
        return count
