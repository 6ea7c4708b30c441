"""When others are told that a forward is ready, and when that it is not. No I/O.

Ready is told at once. A gateway that is lost and back within ten seconds is nobody's business: the
sessions wait for it, and a supervisor that hears of it would do harm.
"""

from __future__ import annotations

import math

LOST_SECONDS = 10.0
"""So long without being ready, and it is told."""


class Readiness:
    """Follows what is, and decides what is told."""

    def __init__(self) -> None:
        self.is_told = False
        """What others should believe now: ready or not."""
        self._lost_at = math.inf

    def update(self, *, is_ready: bool, now: float) -> bool:
        """Take note of what is. Returns whether :attr:`is_told` has changed by it.

        Args:
            is_ready: traffic can flow now.
            now: the clock, in seconds.
        """
        before = self.is_told
        if is_ready:
            self.is_told = True
            self._lost_at = math.inf
        elif self.is_told:
            self._lost_at = min(self._lost_at, now)
            self.is_told = now < self._lost_at + LOST_SECONDS
        return self.is_told != before

    def end(self) -> bool:
        """It has ended, which is told at once. Returns whether that changes what is told."""
        before, self.is_told, self._lost_at = self.is_told, False, math.inf
        return before

    @property
    def deadline(self) -> float:
        """When :meth:`update` has to be called even if nothing changes."""
        return self._lost_at + LOST_SECONDS if self.is_told else math.inf
