"""Compares two result files, and fails when a packet costs more CPU time than before.

Only CPU time is judged, in multiples of an X25519 multiplication measured in the same run, so that
machines of another speed or load can be compared; and of it the minimum, since other work can make
a sample larger, never smaller. Wall times of two runs on a shared machine say nothing about the
code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.figures import Group, pool
from benchmarks.records import ENVIRONMENT, Record
from benchmarks.table import describe, markdown, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


ALLOWED_INCREASE = 0.15
JUDGED = frozenset({"cpu_per_packet_relative"})
"""W3, W7 and W8 record it in multiples already."""
PRIMITIVES = frozenset({"x25519", "x25519_base"})
"""Of libsodium, not ours: they say how fast the machine is."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure in both files.

    Attributes:
        group: what it is.
        before: the minimum in the baseline, in X25519 multiplications.
        after: the minimum in the new file.
    """

    group: Group
    before: float
    after: float

    @property
    def change(self) -> float:
        """The change as a share of the baseline."""
        return self.after / self.before - 1

    @property
    def is_regression(self) -> bool:
        """More CPU time than the allowance for noise explains."""
        return self.after > self.before * (1 + ALLOWED_INCREASE)


def _without_scale(group: Group) -> Group:
    """Return the group under which a quick and a full run meet: trials do not matter."""
    if group.workload != "W15":
        return group
    operation = group.param("operation")
    params = f'{{"operation": "{operation}"}}'
    return replace(group, params=params)


def _minima(records: Iterable[Record]) -> dict[Group, float]:
    groups = pool(records)
    multiplication = next(
        (
            _least(listed)
            for group, listed in groups.items()
            if group.workload == "W15" and group.param("operation") == "x25519"
        ),
        None,
    )
    found: dict[Group, float] = {}
    for group, listed in groups.items():
        best = _least(listed)
        if not best:
            continue
        if group.metric in JUDGED:
            found[group] = best
        elif (
            multiplication
            and group.workload == "W15"
            and group.param("operation") not in PRIMITIVES
        ):
            found[_without_scale(group)] = best / multiplication
    return found


def _least(records: Iterable[Record]) -> float | None:
    values = [record.sample.value for record in records if record.sample and record.ok]
    return min(values, default=None)


def least_of_each(records: Iterable[Record]) -> list[Record]:
    """Return what a baseline needs of a file: the conditions, and the least sample of each figure
    that is compared."""
    kept: dict[Group, Record] = {}
    conditions = []
    for record in records:
        if record.workload == ENVIRONMENT:
            conditions.append(record)
        elif record.sample and record.ok and _is_judged(Group.of(record)):
            best = kept.setdefault(Group.of(record), record)
            if best.sample is None or record.sample.value < best.sample.value:
                kept[Group.of(record)] = record
    return conditions + list(kept.values())


def _is_judged(group: Group) -> bool:
    return group.metric in JUDGED or group.workload == "W15"


def compare(baseline: Iterable[Record], new: Iterable[Record]) -> list[Comparison]:
    """Return what both files have, in the order of the baseline."""
    before, after = _minima(baseline), _minima(new)
    return [
        Comparison(group, value, after[group]) for group, value in before.items() if group in after
    ]


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """Return the comparison as Markdown."""
    rows = [
        [
            *(one.group.workload, one.group.profile, one.group.wire, describe(one.group)),
            *(number(one.before), number(one.after), f"{one.change:+.1%}"),
            "REGRESSION" if one.is_regression else "",
        ]
        for one in comparisons
    ]
    headings = ("workload", "profile", "wire", "what", "baseline (X25519)", "new", "change", "")
    return markdown(headings, rows)
