"""From records to figures: pooled samples of one cell and metric, with the bound that applies."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.bounds import Bound, delay_bound, packets_for, sending_rate_bound
from benchmarks.micro import floor_us
from benchmarks.records import ENVIRONMENT, Record
from benchmarks.statistics import Summary, is_noisy
from nymproxy.legacy import LegacySettings
from nymproxy.stream.traits import StreamOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGER_IS_BETTER = frozenset({"goodput", "goodput_up", "goodput_down", "node_rate"})
BOUNDED_METRICS = frozenset(
    {"rtt", "first_byte_1", "first_byte_10", "goodput", "goodput_up", "goodput_down", "ready"}
)
"""Those with a bound; W15 has one metric only."""
MAIN_METRICS = BOUNDED_METRICS | {
    *("slowest", "fairness", "open", "all_open", "registered"),
    *("kib_per_stream_client", "kib_per_stream_server", "kib_left_client", "kib_left_server"),
    *("exponent_cpu", "exponent_memory"),
    *("rss_growth_client", "rss_growth_server", "descriptors_client", "descriptors_server"),
    *("connections", "failed", "small_first", "small_last", "scan_1000", "scan_10000"),
    *("node_rate", "idle_cpu_client", "idle_cpu_server", "idle_packets"),
    *("cpu_of_connection", "connections_a_core"),
}
"""Those of the first table; the others are costs, and go into the second one or the file alone."""
RUN_METRICS = frozenset({"goodput", "ready", "first_byte_1", "first_byte_10"})
"""One sample is a whole run, so that the two best runs say how noisy it is."""
FRAME_BYTES = 32 * 1024
"""Application bytes in one message of a long transfer, on both wires."""


@dataclass(frozen=True, slots=True)
class Group:
    """What a figure belongs to; the same in every file.

    Attributes:
        workload: ``W1`` and so on.
        profile: the traffic profile.
        wire: ``legacy``, ``stream``, ``tcp`` or ``both``.
        params: the rest, as JSON with sorted keys.
        metric: the figure.
        peer: what both ends are, ``python`` or ``rust``.
    """

    workload: str
    profile: str
    wire: str
    params: str
    metric: str
    peer: str = "python"

    @classmethod
    def of(cls, record: Record) -> Group:
        """Return the group of a record."""
        params = {
            name: value for name, value in record.params.items() if name not in ("wire", "metric")
        }
        return cls(
            record.workload,
            record.profile,
            record.wire,
            json.dumps(params, sort_keys=True),
            record.metric,
            record.peer_client,
        )

    @property
    def ends(self) -> str:
        """The wire, and whose programs are at its ends if they are not ours."""
        return self.wire if self.peer == "python" else f"{self.wire}, Rust"

    def param(self, name: str) -> object:
        """Return a parameter, or ``None``."""
        return json.loads(self.params).get(name)

    def integer(self, name: str) -> int:
        """Return a parameter that is a whole number; 0 without it."""
        value = self.param(name)
        return value if isinstance(value, int) else 0

    def sibling(self, metric: str) -> Group:
        """Return the same cell's other figure."""
        return replace(self, metric=metric)

    def of_peer(self, peer: str) -> Group:
        """Return the same figure of other programs."""
        return replace(self, peer=peer)


@dataclass(frozen=True, slots=True)
class Figure:
    """The samples of one group.

    Attributes:
        group: what it is.
        unit: of the samples.
        samples: pooled, as they came.
        failures: runs that went wrong, and so have none.
        bound: the bound that applies, if one does.
    """

    group: Group
    unit: str
    samples: tuple[float, ...]
    failures: int
    bound: Bound | None

    @property
    def summary(self) -> Summary | None:
        """The figures; ``None`` when every run went wrong."""
        return Summary.of(self.samples) if self.samples else None

    @property
    def quotient(self) -> float | None:
        """The median (of CPU times: the minimum) in bounds."""
        if self.bound is None or not self.samples:
            return None
        summary = Summary.of(self.samples)
        value = summary.minimum if self.group.workload == "W15" else summary.p50
        return self.bound.quotient(value)

    @property
    def is_noisy(self) -> bool:
        """The two best runs differ by more than a tenth."""
        return self.group.metric in RUN_METRICS and is_noisy(
            self.samples, larger_is_better=self.group.metric in LARGER_IS_BETTER
        )


def pool(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """Return the records by group, in the order in which the groups first come."""
    groups: dict[Group, list[Record]] = {}
    for record in records:
        if record.workload != ENVIRONMENT:
            groups.setdefault(Group.of(record), []).append(record)
    return groups


def figures(records: Iterable[Record]) -> list[Figure]:
    """Return all figures, in the order of workload, profile, wire and parameters."""
    groups = pool(records)
    medians = {group: _median(listed) for group, listed in groups.items()}
    result = []
    for group, listed in sorted(groups.items(), key=lambda item: _order(item[0])):
        samples = [record.sample for record in listed if record.sample is not None]
        result.append(
            Figure(
                group,
                samples[0].unit if samples else "-",
                tuple(sample.value for sample in samples),
                sum(not record.ok for record in listed),
                bound_of(group, medians),
            )
        )
    return result


def _order(group: Group) -> tuple[int, str, str, str, str]:
    number = int(group.workload.removeprefix("W"))
    return number, group.profile, group.params, group.wire, group.peer


def _median(records: list[Record]) -> float | None:
    values = [record.sample.value for record in records if record.sample is not None]
    return Summary.of(values).p50 if values else None


def bound_of(group: Group, medians: dict[Group, float | None]) -> Bound | None:
    """Return the bound of a figure of ours; ``medians`` are those of all groups of the file."""
    if group.peer != "python":
        return None
    if group.workload == "W15":
        return _micro_bound(group, medians)
    if group.metric not in BOUNDED_METRICS or group.wire == "tcp":
        return None
    if group.metric.startswith("goodput_"):
        return _rate_bound(group, group.metric.removeprefix("goodput_"))
    if group.metric == "goodput":
        return _rate_bound(group, group.param("direction")) or _cpu(
            medians, group.sibling("cpu_bound"), rate=True
        )
    if group.metric == "ready":
        return _cpu(medians, group.sibling("cpu"))
    if group.metric == "rtt":
        size = group.integer("size")
        up, down = packets_for(size, group.wire), packets_for(size, group.wire, reply=True)
        cpu = group.sibling("cpu_per_request")
    else:
        up, down = _first_request_packets(group), 1
        cpu = group.sibling(group.metric.replace("first_byte", "cpu_connection"))
    return delay_bound(group.profile, up, down) or _cpu(medians, cpu)


def _cpu(medians: dict[Group, float | None], group: Group, *, rate: bool = False) -> Bound | None:
    value = medians.get(group)
    return Bound("CPU", value, larger_is_better=rate) if value else None


def _rate_bound(group: Group, direction: object) -> Bound | None:
    up = sending_rate_bound(group.profile, group.wire, FRAME_BYTES, reply=False)
    down = sending_rate_bound(group.profile, group.wire, FRAME_BYTES, reply=True)
    if up is None or down is None:
        return None
    if direction == "both":  # each end has a schedule of its own
        return Bound(up.kind, up.value + down.value, larger_is_better=True)
    return up if direction == "up" else down


def _first_request_packets(group: Group) -> int:
    """Return the packets up before an answer can come: SURBs first, on both wires."""
    size = group.integer("request")
    if group.wire == "legacy":
        return packets_for(size, "legacy", surbs=LegacySettings().surbs_initial)
    return packets_for(0, "stream", surbs=StreamOptions().open_surbs) + packets_for(size, "stream")


def _micro_bound(group: Group, medians: dict[Group, float | None]) -> Bound | None:
    primitives = {
        str(other.param("operation")): value
        for other, value in medians.items()
        if other.workload == "W15" and value is not None
    }
    if not {"x25519", "x25519_base"} <= primitives.keys():
        return None
    floor = floor_us(str(group.param("operation")), primitives["x25519"], primitives["x25519_base"])
    return None if floor is None else Bound("X25519", floor)
