"""What the matrix found, as data: the content of ``report.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

from interop.cells import Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.testing.workloads import WorkloadResult


class Outcome(Enum):
    """What came of one workload in one cell."""

    PASSED = "passed"
    FAILED = "failed"
    IMPOSSIBLE = "n/a"


@dataclass(frozen=True, slots=True)
class WorkloadRecord:
    """One workload in one cell.

    Attributes:
        workload: which one.
        outcome: passed means that every byte was right at both ends, and that the end of data came
            where a peer can tell it.
        problem: what was wrong, or why it is impossible.
        payload_bytes: moved, both directions together.
        first_byte_seconds: of the slowest connection; ``None`` for uploads.
        seconds: from the first connection's start to the last one's end.
        packets: that all clients of the network sent meanwhile, cover included.
        connections: how many there were.
        ends_of_data: how many of them saw the answer's end of data.
        no_end_of_data: why the end of data cannot come, if it cannot.
    """

    workload: Workload
    outcome: Outcome
    problem: str | None = None
    payload_bytes: int = 0
    first_byte_seconds: float | None = None
    seconds: float = 0.0
    packets: int = 0
    connections: int = 0
    ends_of_data: int = 0
    no_end_of_data: str | None = None

    @classmethod
    def impossible(cls, workload: Workload, reason: str) -> Self:
        """Return the record of what the peers cannot do."""
        return cls(workload, Outcome.IMPOSSIBLE, reason)

    @classmethod
    def failed(cls, workload: Workload, problem: str) -> Self:
        """Return the record of a workload that could not even begin."""
        return cls(workload, Outcome.FAILED, problem)

    @classmethod
    def from_result(
        cls, workload: Workload, result: WorkloadResult, packets: int, no_end_of_data: str | None
    ) -> Self:
        """Return the record of a workload that ran."""
        first_byte = result.first_byte_seconds
        return cls(
            workload=workload,
            outcome=Outcome.PASSED if result.ok else Outcome.FAILED,
            problem=result.problem,
            payload_bytes=result.payload_bytes,
            first_byte_seconds=None if first_byte is None else round(first_byte, 3),
            seconds=round(result.seconds, 3),
            packets=packets,
            connections=result.connections,
            ends_of_data=result.ends_of_data,
            no_end_of_data=no_end_of_data,
        )

    def with_warnings(self, lines: Sequence[str]) -> WorkloadRecord:
        """Return it as failed if Rust programs warned of something meanwhile."""
        if not lines:
            return self
        problem = f"{len(lines)} warnings of a Rust program, the first: {lines[0][:200]}"
        return replace(self, outcome=Outcome.FAILED, problem=self.problem or problem)

    @property
    def goodput_bytes_per_second(self) -> float:
        """Payload over time."""
        return self.payload_bytes / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "workload": self.workload.value, "outcome": self.outcome.value}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Return the record of a JSON object that :meth:`to_json` made."""
        known = {"workload": Workload(value["workload"]), "outcome": Outcome(value["outcome"])}
        return cls(**{**value, **known})


@dataclass(frozen=True, slots=True)
class CellRecord:
    """One cell.

    Attributes:
        client: who dialed.
        server: who answered.
        must: whether everything possible has to pass.
        load_before: the machine's load (one minute) when it began.
        load_after: the same when it ended.
        workloads: what came of each.
    """

    client: str
    server: str
    must: bool
    load_before: float
    load_after: float
    workloads: tuple[WorkloadRecord, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed that must not."""
        failed = any(one.outcome is Outcome.FAILED for one in self.workloads)
        return not (self.must and failed)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "workloads": [one.to_json() for one in self.workloads]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Return the record of a JSON object that :meth:`to_json` made."""
        records = tuple(WorkloadRecord.from_json(one) for one in value["workloads"])
        return cls(**{**value, "workloads": records})


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """One server's turn on the directory that the first one made.

    Attributes:
        server: which one.
        is_killed: it was ended with SIGKILL.
        is_same_address: its Nym address was that of the first turn.
        problem: why it did not start, or what was wrong with the bytes that it carried.
    """

    server: str
    is_killed: bool
    is_same_address: bool
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it had the address and carried every byte."""
        return self.is_same_address and self.problem is None


@dataclass(frozen=True, slots=True)
class ExampleRecord:
    """One example with one server.

    Attributes:
        name: its file.
        server: which one.
        problem: what was wrong.
    """

    name: str
    server: str
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every message came back as it was sent."""
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run.

    Attributes:
        scale: ``quick`` or ``full``.
        bulk_bytes: length of the download and of the upload.
        environment: versions, machine, and when.
        cells: the cells in the order in which they ran.
        identity: the turns of Rust's server and ours on one directory; none if they did not run.
        examples: the examples with either server; none if they did not run.
    """

    scale: str
    bulk_bytes: int
    environment: dict[str, Any]
    cells: tuple[CellRecord, ...]
    identity: tuple[IdentityRecord, ...] = ()
    examples: tuple[ExampleRecord, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything is as it must be."""
        parts = (self.cells, self.identity, self.examples)
        return all(one.ok for part in parts for one in part)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {
            **fields,
            "cells": [cell.to_json() for cell in self.cells],
            "identity": [asdict(turn) for turn in self.identity],
            "examples": [asdict(example) for example in self.examples],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Return the report of a JSON object that :meth:`to_json` made."""
        cells = tuple(CellRecord.from_json(one) for one in value["cells"])
        identity = tuple(IdentityRecord(**one) for one in value["identity"])
        examples = tuple(ExampleRecord(**one) for one in value["examples"])
        return cls(**{**value, "cells": cells, "identity": identity, "examples": examples})
