"""Collects records while they are measured, and says on stderr what goes on."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.records import Record, Sample

if TYPE_CHECKING:
    from benchmarks.cells import Cell


def say(text: str) -> None:
    """Tell a person how far it is."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Results:
    """The records of one run, the ``env`` line first."""

    def __init__(self, environment: Record) -> None:
        self.environment = environment
        self.records: list[Record] = [environment]

    @property
    def ok(self) -> bool:
        """Nothing went wrong."""
        return all(record.ok for record in self.records)

    def add(
        self,
        cell: Cell,
        metric: str,
        unit: str,
        value: float,
        *,
        wire: str | None = None,
        **params: Any,  # noqa: ANN401
    ) -> None:
        """Record one value of a cell."""
        self._append(cell, metric, Sample(unit, value), None, wire, params)

    def fail(self, cell: Cell, metric: str, error: str) -> None:
        """Record that an operation went wrong: it has no value."""
        say(f"  {cell.workload} {cell.profile} {cell.wire} {cell.peer}: FAILED, {error}")
        self._append(cell, metric, None, error, None, {})

    def _append(
        self,
        cell: Cell,
        metric: str,
        sample: Sample | None,
        error: str | None,
        wire: str | None,
        params: dict[str, Any],
    ) -> None:
        is_micro = cell.workload in ("W12", "W15", "W16", "W17")
        self.records.append(
            Record(
                workload=cell.workload,
                profile=cell.profile,
                peer_client=cell.peer,
                peer_server="none" if is_micro else cell.peer,
                params={**cell.params, **params, "wire": wire or cell.wire, "metric": metric},
                sample=sample,
                ok=error is None,
                error=error,
                t=time.time(),
                env_id=self.environment.env_id,
            )
        )
