"""One task that hands out many items, each after its own delay."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from nymproxy._signal import Signal
from nymproxy.localnet.delay_queue import DelayQueue

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DELAY_LIMIT = 100_000


class Delayer(Generic[T]):
    """A :class:`DelayQueue` with the task that empties it.

    Args:
        release: called with each item when its time has come; must not wait.
        clock: monotonic seconds of the event loop.
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
        self._queue: DelayQueue[T] = DelayQueue(limit)
        self._earlier = Signal()

    def push(self, delay_seconds: float, item: T) -> bool:
        """Hand an item out after a delay, at once when it is 0. ``False``: full, not taken."""
        if delay_seconds <= 0:
            self._release(item)
            return True
        release_at = self._clock() + delay_seconds
        next_release = self._queue.next_release
        if not self._queue.push(release_at, item):
            return False
        if next_release is None or release_at < next_release:
            self._earlier.set()
        return True

    def clear(self) -> int:
        """Forget all items; returns how many they were."""
        return self._queue.clear()

    async def run(self) -> None:
        """Hand items out until cancelled."""
        while True:
            deadline = self._queue.next_release
            with anyio.CancelScope(deadline=math.inf if deadline is None else deadline):
                await self._earlier.wait()
            for item in self._queue.pop_due(self._clock()):
                self._release(item)
