"""Randomness as an argument: every step that needs random bytes is given a :data:`RandomBytes`.

The default everywhere is :func:`os.urandom`; tests pass a seeded source, and vectors are replayed
by passing recorded bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import TypeAlias

RandomBytes: TypeAlias = Callable[[int], bytes]
"""``random_bytes(n)`` returns n bytes, uniform and unpredictable."""

system_random_bytes: RandomBytes = os.urandom

_NANOSECONDS = 1_000_000_000


def uniform_fraction(random_bytes: RandomBytes) -> float:
    """Draw a float uniform in (0, 1], so that its logarithm is finite (53 bits)."""
    return ((int.from_bytes(random_bytes(7), "big") >> 3) + 1) / (1 << 53)


def exponential_seconds(random_bytes: RandomBytes, mean_seconds: float) -> float:
    """Draw an exponential sample with the given mean; a zero mean gives zero."""
    if mean_seconds == 0:
        return 0.0
    return -math.log(uniform_fraction(random_bytes)) * mean_seconds


def exponential_delay_ns(random_bytes: RandomBytes, mean_seconds: float) -> int:
    """Draw one hop delay in whole nanoseconds, as the Sphinx header carries it."""
    return round(exponential_seconds(random_bytes, mean_seconds) * _NANOSECONDS)


def uniform_index(random_bytes: RandomBytes, count: int) -> int:
    """Draw an index in ``range(count)`` without bias (64 bits, the remainder redrawn)."""
    limit = (1 << 64) - (1 << 64) % count
    while True:
        value = int.from_bytes(random_bytes(8), "big")
        if value < limit:
            return value % count
