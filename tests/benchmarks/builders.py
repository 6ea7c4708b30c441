"""Records for tests."""

from __future__ import annotations

from typing import Any

from benchmarks.records import Record, Sample


def record(
    value: float | None,
    unit: str = "s",
    *,
    workload: str = "W1",
    profile: str = "default",
    wire: str = "stream",
    metric: str = "rtt",
    error: str | None = None,
    peer: str = "python",
    **params: Any,
) -> Record:
    """One record; without a value it is a failed run."""
    return Record(
        workload=workload,
        profile=profile,
        peer_client=peer,
        peer_server=peer,
        params={**params, "wire": wire, "metric": metric},
        sample=None if value is None else Sample(unit, value),
        ok=error is None,
        error=error,
        t=1000.0,
        env_id="abc",
    )


def micro(operation: str, *values: float) -> list[Record]:
    """Trials of one operation."""
    return [
        record(
            value, "us", workload="W15", wire="both", metric="cpu", operation=operation, divisor=1
        )
        for value in values
    ]
