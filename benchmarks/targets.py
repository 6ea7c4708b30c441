"""The figures that this project has promised, and whether a run keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.statistics import Summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.figures import Figure


@dataclass(frozen=True, slots=True)
class Target:
    """One promise.

    Attributes:
        name: for people.
        limit: in the figure's unit.
        unit: the unit.
        larger_is_better: the limit is a least value.
        value: what was measured.
    """

    name: str
    limit: float
    unit: str
    larger_is_better: bool
    value: float

    @property
    def is_met(self) -> bool:
        """The promise is kept."""
        if self.larger_is_better:
            return self.value >= self.limit
        return self.value <= self.limit


def targets(listed: Iterable[Figure]) -> list[Target]:
    """Return the promises that the figures say something about."""
    return [target for figure in listed if (target := _target(figure)) is not None]


def _target(figure: Figure) -> Target | None:
    group = figure.group
    if not figure.samples or group.peer != "python":
        return None
    summary = Summary.of(figure.samples)
    if group.workload == "W15":
        limits = {"data_packet": 700.0, "data_packet_prepared": 250.0}
        operation = str(group.param("operation"))
        if operation in limits:
            limit = limits[operation]
            return Target(f"W15 {operation}, minimum", limit, "us", False, summary.minimum)
    if group.workload == "W3" and group.profile == "bare" and group.metric == "goodput":
        direction = group.param("direction")
        if group.wire != "tcp" and direction != "both":
            name = f"W3 bare {group.wire} {direction}, {group.integer('bytes') // 10**6} MB, median"
            return Target(name, 0.5, "MB/s", True, summary.p50)
    if (group.workload, group.profile, group.wire) == ("W1", "default", "stream") and (
        group.metric == "rtt" and group.param("size") == 64
    ):
        return Target("W1 default stream 64 B, median", 0.160, "s", False, summary.p50)
    return None
