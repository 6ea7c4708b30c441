"""The Erlang distribution: the sum of independent exponential delays of equal mean.

A packet waits at every mix node for such a delay, so the delays of a whole round trip follow it.
"""

from __future__ import annotations

import math

_LARGEST_SHAPE = 100_000
_BISECTIONS = 200


def cumulative(shape: int, mean: float, value: float) -> float:
    """Return the probability that ``shape`` delays together take at most ``value``.

    Args:
        shape: how many delays are added up; with none, the sum is always zero.
        mean: of one delay, in the unit of ``value``.
        value: any number; the sum is never below zero.

    Raises:
        ValueError: If the shape or the mean is negative, or far from any real network.
    """
    _check(shape, mean)
    if value < 0:
        return 0.0
    if shape == 0 or mean == 0:
        return 1.0
    arrivals = value / mean
    if arrivals == 0:
        return 0.0
    if math.isinf(arrivals):
        return 1.0
    # The sum is at most `value` exactly if a Poisson process has made at least `shape` arrivals by
    # then. Each side of the middle adds up its smaller half, so no digits cancel out.
    if arrivals < shape:
        return min(1.0, _poisson_from(shape, arrivals))
    below = math.fsum(_poisson(count, arrivals) for count in range(shape))
    return max(0.0, 1.0 - below)


def quantile(shape: int, mean: float, probability: float) -> float:
    """Return the value that the sum stays below with ``probability``.

    Raises:
        ValueError: As `cumulative`, or if the probability is not in [0, 1).
    """
    _check(shape, mean)
    if not 0 <= probability < 1:
        message = f"a quantile needs a probability from 0 to below 1, not {probability}"
        raise ValueError(message)
    if shape == 0 or mean == 0 or probability == 0:
        return 0.0
    high = shape * mean
    while cumulative(shape, mean, high) < probability:
        high *= 2
    low = 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if cumulative(shape, mean, middle) < probability:
            low = middle
        else:
            high = middle
    return high


def _check(shape: int, mean: float) -> None:
    if not 0 <= shape <= _LARGEST_SHAPE:
        message = f"the number of delays must be from 0 to {_LARGEST_SHAPE}, not {shape}"
        raise ValueError(message)
    if not 0 <= mean < math.inf:
        message = f"the mean of a delay must be zero or more, and finite, not {mean}"
        raise ValueError(message)


def _poisson(count: int, arrivals: float) -> float:
    return math.exp(count * math.log(arrivals) - arrivals - math.lgamma(count + 1))


def _poisson_from(first: int, arrivals: float) -> float:
    """Add up the probabilities of ``first`` or more; ``first`` is above the mean."""
    term = total = _poisson(first, arrivals)
    count = first
    while term > total * 1e-17:
        count += 1
        term *= arrivals / count
        total += term
    return total
