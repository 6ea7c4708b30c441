"""Deadlines of many channels in one queue."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

_CLEAN_ABOVE = 64


class TimerQueue(Generic[T]):
    """Keeps at most one deadline for each item.

    A deadline only ever moves forward lazily: an item may be popped before its time, and is then
    scheduled again by its owner. That makes the common case, a deadline that keeps moving away,
    cost nothing.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._current: dict[T, tuple[float, int]] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._current)

    @property
    def next_deadline(self) -> float:
        """The earliest deadline; ``math.inf`` without one. It may belong to nobody any more."""
        return self._heap[0][0] if self._heap else math.inf

    def schedule(self, item: T, deadline: float) -> bool:
        """Have ``item`` popped at ``deadline`` at the latest; True if it is the earliest now."""
        current = self._current.get(item)
        if deadline == math.inf or (current is not None and current[0] <= deadline):
            return False
        number = next(self._numbers)
        self._current[item] = (deadline, number)
        heapq.heappush(self._heap, (deadline, number, item))
        self._clean()
        return self._heap[0][1] == number

    def cancel(self, item: T) -> None:
        """Forget an item."""
        self._current.pop(item, None)
        self._clean()

    def pop_due(self, now: float) -> list[T]:
        """Remove and return the items whose deadline has come."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            deadline, number, item = heapq.heappop(self._heap)
            if self._current.get(item) == (deadline, number):
                del self._current[item]
                due.append(item)
        return due

    def _clean(self) -> None:
        """Rebuild the heap when most of it is out of date, so that dead items do not stay."""
        if len(self._heap) > _CLEAN_ABOVE and len(self._heap) > 2 * len(self._current):
            self._heap = [(*entry, item) for item, entry in self._current.items()]
            heapq.heapify(self._heap)
