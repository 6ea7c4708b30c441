"""Compares two result files, and fails when a packet costs more CPU time than before.

Only CPU time is judged, and of it the minimum: other work on the machine can make a sample larger,
never smaller. Wall times of two runs on a shared machine say nothing about the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.figures import Group, pool
from benchmarks.table import describe, markdown, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.records import Record

ALLOWED_INCREASE = 0.10
JUDGED = frozenset({"cpu_per_packet"})
PRIMITIVES = frozenset({"x25519", "x25519_base"})
"""Of libsodium, not ours: they say how fast the machine is."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure in both files.

    Attributes:
        group: what it is.
        unit: of both values.
        before: the minimum in the baseline.
        after: the minimum in the new file.
    """

    group: Group
    unit: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """The change as a share of the baseline."""
        return self.after / self.before - 1

    @property
    def is_regression(self) -> bool:
        """More than a tenth more CPU time than before."""
        return self.after > self.before * (1 + ALLOWED_INCREASE)


def _without_scale(group: Group) -> Group:
    """Return the group under which a quick and a full run meet: trials do not matter."""
    if group.workload != "W15":
        return group
    operation = group.param("operation")
    params = f'{{"operation": "{operation}"}}'
    return Group(group.workload, group.profile, group.wire, params, group.metric)


def _minima(records: Iterable[Record]) -> dict[Group, tuple[str, float]]:
    found: dict[Group, tuple[str, float]] = {}
    for group, listed in pool(records).items():
        if group.metric not in JUDGED and group.workload != "W15":
            continue
        if group.param("operation") in PRIMITIVES:
            continue
        samples = [record.sample for record in listed if record.sample is not None and record.ok]
        if samples:
            best = min(sample.value for sample in samples)
            if best > 0:
                found[_without_scale(group)] = (samples[0].unit, best)
    return found


def compare(baseline: Iterable[Record], new: Iterable[Record]) -> list[Comparison]:
    """Return what both files have, in the order of the baseline."""
    before, after = _minima(baseline), _minima(new)
    return [
        Comparison(group, unit, value, after[group][1])
        for group, (unit, value) in before.items()
        if group in after
    ]


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """Return the comparison as Markdown."""
    rows = [
        [
            *(one.group.workload, one.group.profile, one.group.wire, describe(one.group)),
            *(one.unit, number(one.before), number(one.after), f"{one.change:+.1%}"),
            "REGRESSION" if one.is_regression else "",
        ]
        for one in comparisons
    ]
    headings = ("workload", "profile", "wire", "what", "unit", "baseline", "new", "change", "")
    return markdown(headings, rows)
