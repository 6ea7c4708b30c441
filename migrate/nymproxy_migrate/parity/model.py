"""The result of a parity run: rows with a verdict, and the series behind the plots.

A *side* is one way of carrying connections. The legacy side is the reference; a row asks whether
the stream side does at least as well.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(enum.StrEnum):
    """How the stream side of a row compares with the legacy side."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    SKIPPED = "skipped"
    """It could not be measured here; the row's note says why."""


MIXED_ECHO = "mixed_echo"
WORKLOADS = {
    "first_byte": "First byte",
    "echo": "Echo round trips",
    MIXED_ECHO: "Echo round trips with mix delays",
    "download": "Download",
    "upload": "Upload",
    "half_close": "Half-close",
    "greeting": "Server speaks first",
    "at_once": "Connections at once",
}
"""The workloads in their order, with titles for people."""
FAILURES = {
    "upstream_aborts": "Upstream breaks off: app sees",
    "app_aborts": "App breaks off: upstream sees",
    "altered": "Gateway alters packets: app sees",
    "restart": "Server killed and restarted: app sees",
    "gateway": "Server's gateway gone for good: app sees",
}
"""What is broken on purpose, in this order, with titles for people."""


def title_of(group: str) -> str:
    """Return the name of a workload, or another group of rows, for people."""
    words = group.replace("_", " ")
    return WORKLOADS.get(group) or words[:1].upper() + words[1:]


class Side(enum.StrEnum):
    """The two ways that are compared."""

    LEGACY = "legacy"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Row:
    """One question that was asked of both sides.

    Attributes:
        name: stable and machine-readable: ``download.digest``, ``echo.rtt_p50_ms``.
        title: for people.
        group: rows of one workload or subject stand together.
        unit: of both values; empty for counts and yes/no.
        legacy: the value, ``None`` where there is none.
        stream: the value, ``None`` where there is none.
        verdict: what follows from them.
        allowance: how far the stream side may fall behind, in words: ``"none"``, ``"25 %"``.
        note: what was wrong, why it was skipped, or what else a reader must know.
    """

    name: str
    title: str
    group: str
    unit: str
    legacy: float | int | bool | str | None
    stream: float | int | bool | str | None
    verdict: Verdict
    allowance: str = "none"
    note: str = ""


@dataclass(frozen=True, slots=True)
class GoodputSeries:
    """Bytes over time of one transfer.

    Attributes:
        name: the workload, ``download`` say.
        side: which way it took.
        seconds: since the connection's start, ascending.
        payload_bytes: received by then, ascending, as many as ``seconds``.
    """

    name: str
    side: Side
    seconds: tuple[float, ...]
    payload_bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PacketsSeries:
    """What one workload cost on one side.

    Attributes:
        name: the workload.
        side: which way it took.
        packets: Sphinx packets that clients sent meanwhile, acks and cover included.
        wire_bytes: their bytes.
        payload_bytes: of both directions.
    """

    name: str
    side: Side
    packets: int
    wire_bytes: int
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class MixDelays:
    """The delays that the network adds on purpose, for the theoretical curve of the round trips.

    Attributes:
        hops_each_way: mix nodes that delay a packet on its way.
        mean_seconds: mean of the exponential delay of one hop.
    """

    hops_each_way: int
    mean_seconds: float


@dataclass(frozen=True, slots=True)
class ParityReport:
    """Everything that one run found.

    Attributes:
        tool_version: of this tool.
        started_at: RFC 3339, UTC.
        seconds: how long it took.
        against: ``localnet``, ``servers`` or ``plan``.
        compared: what stands on each side, in words.
        command: what runs it again as it was run; empty where nobody typed it.
        machine: what a reader needs to judge the figures: Python, processors, load.
        doubt: why the figures say little, in a sentence; empty where they do.
        rows: in the order in which they are shown.
        echo_round_trips_seconds: by side, in the order of measuring.
        goodput: one series for each side and transfer.
        packets: one for each side and workload.
        mix_delays: ``None`` where they are not known.
    """

    tool_version: str
    started_at: str
    seconds: float
    against: str
    machine: dict[str, str]
    rows: tuple[Row, ...]
    echo_round_trips_seconds: dict[Side, tuple[float, ...]] = field(default_factory=dict)
    goodput: tuple[GoodputSeries, ...] = ()
    packets: tuple[PacketsSeries, ...] = ()
    mix_delays: MixDelays | None = None
    compared: Mapping[Side, str] = field(default_factory=dict)
    command: str = ""
    doubt: str = ""

    @property
    def worse(self) -> tuple[Row, ...]:
        """The rows in which the stream side falls behind by more than its allowance."""
        return tuple(row for row in self.rows if row.verdict is Verdict.WORSE)
