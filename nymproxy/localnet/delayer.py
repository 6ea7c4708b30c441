"""One task that hands out many items, each after its own delay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from nymproxy._signal import Signal
from nymproxy._timers import TimeHeap

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DELAY_LIMIT = 100_000


class Delayer(Generic[T]):
    """Keeps items until they are due.

    Args:
        release: called with each item when its time has come; must not wait.
        clock: monotonic seconds of the event loop.
        limit: how many items may wait.
    """

    def __init__(
        self,
        release: Callable[[T], None],
        *,
        clock: Callable[[], float] = anyio.current_time,
        limit: int = DELAY_LIMIT,
    ) -> None:
        self._release = release
        self._clock = clock
        self._limit = limit
        self._waiting: TimeHeap[T] = TimeHeap()
        self._earlier = Signal()

    def push(self, delay_seconds: float, item: T) -> bool:
        """Hand an item out after a delay, at once when it is 0. ``False``: full, not taken."""
        if delay_seconds <= 0:
            self._release(item)
            return True
        if len(self._waiting) >= self._limit:
            return False
        release_at = self._clock() + delay_seconds
        if release_at < self._waiting.next_time:
            self._earlier.set()
        self._waiting.push(release_at, item)
        return True

    def clear(self) -> int:
        """Forget all items; returns how many they were."""
        return self._waiting.clear()

    async def run(self) -> None:
        """Hand items out until cancelled."""
        while True:
            with anyio.CancelScope(deadline=self._waiting.next_time):
                await self._earlier.wait()
            for item in self._waiting.pop_due(self._clock()):
                self._release(item)
