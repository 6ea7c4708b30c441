"""How long packets take to their ack: a histogram, for people and monitoring. No I/O."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Final

BOUNDS_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, math.inf)
"""The upper bounds of the classes."""


class RoundTrips:
    """Counts round trips by how long they took."""

    __slots__ = ("counts", "total_seconds")

    def __init__(self) -> None:
        self.counts = [0] * len(BOUNDS_SECONDS)
        """In each class, those of the lower classes not counted."""
        self.total_seconds = 0.0

    def measured(self, seconds: float) -> None:
        """Take one in."""
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.total_seconds += seconds

    def by_bound(self) -> dict[str, int]:
        """Return the counts by the upper bound of their class, as text."""
        pairs = zip(BOUNDS_SECONDS, self.counts, strict=True)
        return {f"{bound:g}": count for bound, count in pairs}
