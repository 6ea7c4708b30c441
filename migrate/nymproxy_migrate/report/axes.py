"""Axes of the report's plots: from a value to its place in percent, and the ticks to label."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.report.figures import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOGARITHMIC_FROM = 20.0
_MOST_DECADES_LABELLED = 6
# Beyond these, arithmetic with floats would overflow or lose its digits; nothing measured is.
_SMALLEST, _LARGEST = 1e-300, 1e300


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled line across the plot, at ``percent`` of the axis."""

    percent: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of values.

    Attributes:
        title: with the unit.
        low: the value at 0 percent.
        high: the value at 100 percent; above ``low``.
        ticks: ascending.
        logarithmic: whether equal distances are equal factors; ``low`` is then above zero.
    """

    title: str
    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def percent(self, value: float) -> float:
        """Return where a value stands; what lies outside is moved to the end it is beyond."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return round(100 * ((value - low) / (high - low)), 3)


def from_zero(title: str, largest: float, *, ticks: int = 5) -> Axis:
    """Return an axis from zero to a round value, at least ``largest``; to 1 where that is none."""
    if not _SMALLEST < largest < _LARGEST:
        largest = 1.0
    step = _round_up(largest / ticks)
    count = max(1, math.ceil(largest / step - 1e-9))
    high = step * count
    marks = tuple(
        Tick(round(100 * index / count, 3), figure(step * index)) for index in range(count + 1)
    )
    return Axis(title, 0.0, high, marks)


def fractions(title: str) -> Axis:
    """Return an axis from 0 to 100 %, for shares given as 0 to 1."""
    marks = tuple(Tick(percent, f"{percent} %") for percent in (0, 25, 50, 75, 100))
    return Axis(title, 0.0, 1.0, marks)


def for_ratios(title: str, values: Sequence[float]) -> Axis:
    """Return an axis from zero, or a logarithmic one where the small values would be lost on it."""
    positive = [value for value in values if _SMALLEST < value < _LARGEST]
    if len(positive) < len(values) or not positive:
        return from_zero(title, max(positive, default=1.0))
    if max(positive) / min(positive) < _LOGARITHMIC_FROM:
        return from_zero(title, max(positive))
    return _logarithmic(title, min(positive), max(positive))


def _logarithmic(title: str, smallest: float, largest: float) -> Axis:
    first = math.floor(math.log10(smallest))
    last = max(first + 1, math.ceil(math.log10(largest)))
    every = math.ceil((last - first) / _MOST_DECADES_LABELLED)
    marks = tuple(
        Tick(round(100 * (decade - first) / (last - first), 3), figure(10.0**decade))
        for decade in range(first, last + 1, every)
    )
    return Axis(f"{title}, logarithmic", 10.0**first, 10.0**last, marks, logarithmic=True)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        (step * power for step in _ROUND_STEPS if step * power >= value * (1 - 1e-9)), 10 * power
    )
