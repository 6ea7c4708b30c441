"""From pooled samples to the figures of a table: minimum, percentiles, and whether they are noisy.

Percentiles are of all samples together, never averages of percentiles. Below a thousand samples
the 99th is the opinion of a handful of them, so there the maximum stands in its place.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MINIMUM_FOR_P99 = 1000
NOISY_DIFFERENCE = 0.10
MINIMUM_FOR_INTERVAL = 5
RESAMPLES = 2000


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted samples, interpolated between neighbours.

    Raises:
        ValueError: there are no samples, or the percentage is none.
    """
    if not ordered:
        raise ValueError("no samples have no percentile")
    if not 0 <= percent <= 100:
        raise ValueError(f"a percentage lies between 0 and 100, not {percent}")
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def bootstrap_interval(ordered: Sequence[float], percent: float) -> tuple[float, float]:
    """Return where a percentile lies with a confidence of 95 %, by the bootstrap.

    A percentile of a resample is one of the samples, and its index is a beta variate: so each
    resample takes one draw, not as many as there are samples. The dice are the same each time.
    """
    if len(ordered) < MINIMUM_FOR_INTERVAL:
        return ordered[0], ordered[-1]
    count = len(ordered)
    rank = min(count, math.floor((count - 1) * percent / 100) + 1)
    dice = random.Random(count)
    drawn = sorted(dice.betavariate(rank, count - rank + 1) for _ in range(RESAMPLES))
    low, high = (drawn[round((RESAMPLES - 1) * share)] for share in (0.025, 0.975))
    return ordered[math.floor(low * count)], ordered[min(math.floor(high * count), count - 1)]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of a cell.

    Attributes:
        count: samples.
        minimum: the smallest.
        p50: the median.
        p90: the 90th percentile.
        p50_interval: where the median lies with a confidence of 95 % (:func:`bootstrap_interval`).
        p90_interval: the same of the 90th percentile.
        p99: the 99th, or ``None`` with fewer than a thousand samples.
        maximum: the largest.
    """

    count: int
    minimum: float
    p50: float
    p90: float
    p50_interval: tuple[float, float]
    p90_interval: tuple[float, float]
    p99: float | None
    maximum: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Summary:
        """Sum up at least one sample.

        Raises:
            ValueError: there is none.
        """
        ordered = sorted(samples)
        return cls(
            count=len(ordered),
            minimum=percentile(ordered, 0),
            p50=percentile(ordered, 50),
            p90=percentile(ordered, 90),
            p50_interval=bootstrap_interval(ordered, 50),
            p90_interval=bootstrap_interval(ordered, 90),
            p99=percentile(ordered, 99) if len(ordered) >= MINIMUM_FOR_P99 else None,
            maximum=percentile(ordered, 100),
        )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line through (x, y); 0 with fewer than two x."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def is_noisy(samples: Sequence[float], *, larger_is_better: bool = False) -> bool:
    """Tell whether the two best of several runs differ by more than a tenth.

    One run alone says nothing about noise.
    """
    if len(samples) < 2:
        return False
    best, second = sorted(samples, reverse=larger_is_better)[:2]
    return abs(second - best) > NOISY_DIFFERENCE * abs(best)
