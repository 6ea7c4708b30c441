"""Waiting for a time or for a call, whichever comes first, thousands of times at little cost."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import anyio

from nymproxy._signal import Signal
from nymproxy._waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm:
    """Wakes a task at a time that it names, or before.

    The same as a cancel scope with a deadline around an event, which on asyncio ends in an
    exception thrown into the task. There a timer does, which goes on with the task itself.

    Args:
        clock: monotonic seconds.
    """

    __slots__ = ("_clock", "_rings_at", "_signal", "_timer", "_waiter")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rings_at = -math.inf  # while nobody waits
        self._waiter: Waiter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._signal = Signal()

    def wake_before(self, time: float) -> None:
        """Wake the task if it waits for longer than until ``time``."""
        if time < self._rings_at:
            self._signal.set()
            if self._waiter is not None and self._waiter.wake_soon():
                self._stop_timer()

    async def wait_until(self, time: float) -> None:
        """Wait until the clock shows ``time``, or less. One task at a time."""
        seconds = time - self._clock()
        if seconds <= 0:
            return
        self._rings_at = time
        try:
            await self._wait(seconds)
        finally:
            self._rings_at = -math.inf

    async def _wait(self, seconds: float) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            with anyio.move_on_after(seconds):
                await self._signal.wait()
            return
        self._waiter = waiter = Waiter(loop)
        self._timer = None if seconds == math.inf else loop.call_later(seconds, waiter.wake)
        try:
            await waiter
        except BaseException:
            self._stop_timer()
            raise
        finally:
            self._waiter = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
