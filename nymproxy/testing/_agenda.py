"""What is to happen when, on a clock that somebody else keeps or on one that only jumps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy._timers import TimeHeap

if TYPE_CHECKING:
    from collections.abc import Callable


class Agenda:
    """Actions by time; those of the same time keep their order.

    Args:
        clock: tells the time in seconds.
        on_earlier: called when something is planned before everything else.
    """

    def __init__(
        self, clock: Callable[[], float], on_earlier: Callable[[], None] | None = None
    ) -> None:
        self._clock = clock
        self._on_earlier = on_earlier
        self._actions: TimeHeap[Callable[[], None]] = TimeHeap()

    @property
    def now(self) -> float:
        """The time."""
        return self._clock()

    @property
    def next_time(self) -> float:
        """When the next action is due; ``math.inf`` without one."""
        return self._actions.next_time

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Run ``action`` at a time; never before now. ``math.inf``: never."""
        if time == math.inf:
            return
        time = max(time, self.now)
        is_earlier = time < self._actions.next_time
        self._actions.push(time, action)
        if is_earlier and self._on_earlier is not None:
            self._on_earlier()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` so long from now."""
        self.at(self.now + seconds, action)

    def run_due(self) -> None:
        """Run every action that is due, also those that running ones plan for now."""
        while self._actions.next_time <= self.now:
            self._actions.pop()[1]()


class VirtualAgenda(Agenda):
    """Time that passes only when the next action is taken."""

    def __init__(self) -> None:
        self._time = 0.0
        super().__init__(lambda: self._time)

    def step(self) -> None:
        """Go to the next action and run it.

        Raises:
            IndexError: there is none.
        """
        self._time, action = self._actions.pop()
        action()
