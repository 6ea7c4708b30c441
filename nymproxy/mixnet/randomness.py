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
_FRACTION_BYTES = 7


def uniform_fraction(random_bytes: RandomBytes) -> float:
    """Draw a float uniform in (0, 1], so that its logarithm is finite (53 bits)."""
    return _fraction(random_bytes(_FRACTION_BYTES))


def _fraction(drawn: bytes) -> float:
    return ((int.from_bytes(drawn, "big") >> 3) + 1) / (1 << 53)


def exponential_seconds(random_bytes: RandomBytes, mean_seconds: float) -> float:
    """Draw an exponential sample with the given mean; a zero mean gives zero."""
    if mean_seconds == 0:
        return 0.0
    return -math.log(uniform_fraction(random_bytes)) * mean_seconds


def exponential_delays_ns(random_bytes: RandomBytes, mean_seconds: float, count: int) -> list[int]:
    """Draw hop delays in whole nanoseconds, as Sphinx headers carry them, in one draw."""
    if mean_seconds == 0:
        return [0] * count
    drawn = random_bytes(_FRACTION_BYTES * count)
    mean_ns = mean_seconds * _NANOSECONDS
    return [
        round(-math.log(_fraction(drawn[at : at + _FRACTION_BYTES])) * mean_ns)
        for at in range(0, len(drawn), _FRACTION_BYTES)
    ]


def uniform_index(random_bytes: RandomBytes, count: int) -> int:
    """Draw an index in ``range(count)`` without bias (64 bits, the remainder redrawn)."""
    limit = (1 << 64) - (1 << 64) % count
    while True:
        value = int.from_bytes(random_bytes(8), "big")
        if value < limit:
            return value % count
