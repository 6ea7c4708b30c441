"""What is due when, in order of time. No clock: whoever owns a heap tells it the time."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

_CLEAN_ABOVE = 16


class TimeHeap(Generic[T]):
    """Items by the time at which they are due; those of one time in the order they came in."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_time(self) -> float:
        """When the first item is due; ``math.inf`` without one."""
        return self._heap[0][0] if self._heap else math.inf

    @property
    def first(self) -> T:
        """The item that is due first.

        Raises:
            IndexError: there is none.
        """
        return self._heap[0][2]

    def push(self, time: float, item: T) -> None:
        """Add an item."""
        heapq.heappush(self._heap, (time, next(self._numbers), item))

    def pop(self) -> tuple[float, T]:
        """Remove and return the first item with its time.

        Raises:
            IndexError: there is none.
        """
        time, _, item = heapq.heappop(self._heap)
        return time, item

    def pop_due(self, now: float) -> list[T]:
        """Remove and return the items whose time has come."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def clear(self) -> int:
        """Forget everything; returns how many items that were."""
        forgotten = len(self._heap)
        self._heap.clear()
        return forgotten


class TimerQueue(Generic[T]):
    """Keeps at most one deadline for each item.

    A deadline only ever moves forward lazily: an item may be popped before its time, and is then
    scheduled again by its owner. That makes the common case, a deadline that keeps moving away,
    cost nothing.
    """

    def __init__(self) -> None:
        self._heap: TimeHeap[T] = TimeHeap()
        self._deadlines: dict[T, float] = {}

    def __len__(self) -> int:
        return len(self._deadlines)

    @property
    def next_deadline(self) -> float:
        """The earliest deadline; ``math.inf`` without one. It may belong to nobody any more."""
        return self._heap.next_time

    def schedule(self, item: T, deadline: float) -> bool:
        """Have ``item`` popped at ``deadline`` at the latest; True if it is the earliest now."""
        current = self._deadlines.get(item)
        if deadline == math.inf or (current is not None and current <= deadline):
            return False
        is_earliest = deadline < self._heap.next_time
        self._deadlines[item] = deadline
        self._heap.push(deadline, item)
        self._clean()
        return is_earliest

    def cancel(self, item: T) -> None:
        """Forget an item."""
        self._deadlines.pop(item, None)
        self._clean()

    def pop_due(self, now: float) -> list[T]:
        """Remove and return the items whose deadline has come."""
        due = []
        while self._heap.next_time <= now:
            deadline, item = self._heap.pop()
            if self._deadlines.get(item) == deadline:
                del self._deadlines[item]
                due.append(item)
        return due

    def _clean(self) -> None:
        """Make the heap anew when most of it is out of date, so that dead items do not stay."""
        if len(self._heap) > _CLEAN_ABOVE and len(self._heap) > 2 * len(self._deadlines):
            self._heap.clear()
            for item, deadline in self._deadlines.items():
                self._heap.push(deadline, item)
