"""The lines of a result file: one measured operation each, and one ``env`` line for the machine.

Raw samples are kept, never averages: whoever reads several files pools them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ENVIRONMENT = "env"
PEERS = frozenset({"python", "rust", "none"})
NODES = frozenset({"python", "nym-node"})
WIRES = frozenset({"legacy", "stream", "tcp", "both"})
"""``tcp`` is the baseline without a mixnet; ``both`` is what does not depend on the wire."""


class RecordError(ValueError):
    """A line that is no record of the schema."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value and its unit (``s``, ``us``, ``MB/s``, ...)."""

    unit: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line.

    Attributes:
        workload: ``W1`` and so on, or ``env``.
        profile: the traffic profile, or ``none`` where there is no traffic.
        peer_client: ``python``, ``rust`` or ``none``.
        peer_server: the same.
        nodes: ``python`` or ``nym-node``.
        params: what was varied; always ``wire`` and ``metric``, which names the figure.
        sample: the value, or ``None`` when the operation failed (a failed run has no rate).
        ok: every byte was right.
        error: what went wrong.
        t: Unix seconds.
        env_id: names the ``env`` line.
    """

    workload: str
    profile: str
    peer_client: str
    peer_server: str
    nodes: str = "python"
    params: dict[str, Any] = field(default_factory=dict)
    sample: Sample | None
    ok: bool = True
    error: str | None = None
    t: float
    env_id: str

    def to_line(self) -> str:
        """Return the JSON, without the end of line."""
        sample = self.sample
        return json.dumps(
            {
                "workload": self.workload,
                "profile": self.profile,
                "peer_client": self.peer_client,
                "peer_server": self.peer_server,
                "nodes": self.nodes,
                "params": self.params,
                "sample": None if sample is None else {"unit": sample.unit, "value": sample.value},
                "ok": self.ok,
                "error": self.error,
                "t": self.t,
                "env_id": self.env_id,
            }
        )

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read one line.

        Raises:
            RecordError: it is not of the schema.
        """
        try:
            data = json.loads(line)
        except ValueError as error:
            raise RecordError(f"a line is no JSON: {error}") from error
        if not isinstance(data, dict) or set(data) != set(cls.__slots__):
            raise RecordError("a line has not exactly the keys of the schema")
        record = cls(**{**data, "sample": _sample(data["sample"])})
        record.check()
        return record

    def check(self) -> None:
        """Make sure that the record is of the schema.

        Raises:
            RecordError: it is not.
        """
        texts = (self.workload, self.profile, self.env_id)
        if not all(isinstance(text, str) and text for text in texts):
            raise RecordError("workload, profile and env_id are words")
        if self.peer_client not in PEERS or self.peer_server not in PEERS:
            raise RecordError(f"a peer is one of {', '.join(sorted(PEERS))}")
        if self.nodes not in NODES:
            raise RecordError(f"nodes are one of {', '.join(sorted(NODES))}")
        if not isinstance(self.ok, bool) or not isinstance(self.t, (int, float)):
            raise RecordError("ok is a truth value, and t a number")
        if self.ok == (self.error is not None):
            raise RecordError("a record says what went wrong exactly if something did")
        if not isinstance(self.params, dict):
            raise RecordError("params is an object")
        if self.workload == ENVIRONMENT:
            return
        if self.params.get("wire") not in WIRES or not isinstance(self.params.get("metric"), str):
            raise RecordError("params has a wire and a metric")
        if self.ok and self.sample is None:
            raise RecordError("a run that went well has a sample")

    @property
    def wire(self) -> str:
        """The wire."""
        return str(self.params.get("wire"))

    @property
    def metric(self) -> str:
        """The figure."""
        return str(self.params.get("metric"))


def _sample(data: object) -> Sample | None:
    if data is None:
        return None
    if not isinstance(data, dict) or set(data) != {"unit", "value"}:
        raise RecordError("a sample has a unit and a value")
    unit, value = data["unit"], data["value"]
    if not isinstance(unit, str) or isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RecordError("a sample is a number with a unit")
    return Sample(unit, value)


def read_records(path: Path) -> list[Record]:
    """Read a result file.

    Raises:
        RecordError: a line is not of the schema (the message has its number).
        OSError: the file cannot be read.
    """
    records = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            records.append(Record.from_line(line))
        except RecordError as error:
            raise RecordError(f"{path}, line {number}: {error}") from error
    return records


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write a result file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(record.to_line() + "\n" for record in records))
