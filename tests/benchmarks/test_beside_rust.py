"""The workloads over the published Rust programs, which have to be there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from benchmarks.cells import Selection, of_rust, plan
from benchmarks.environment import environment_record
from benchmarks.figures import figures
from benchmarks.measure import measure
from benchmarks.results import Results
from benchmarks.stage import BenchStage
from benchmarks.table import beside_rows
from interop.programs import CLIENT_VARIABLE, PEERS_VARIABLE, SERVER_VARIABLE, locate

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = (CLIENT_VARIABLE, SERVER_VARIABLE, PEERS_VARIABLE)


@pytest.mark.interop
@pytest.mark.skipif(
    not all(os.environ.get(name) for name in VARIABLES),
    reason=f"needs the Rust programs, named in {', '.join(VARIABLES)}",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("workload", ["W8", "W9"])
async def test_both_are_measured_on_the_same_nodes(tmp_path: Path, workload: str) -> None:
    selection = Selection(only=(workload,), profile="default", wire="stream", quick=True)
    [cell] = plan(selection)
    twin = of_rust(cell)
    assert twin is not None
    results = Results(environment_record(seed=1, scale="quick", processes=1, runs=1))
    async with BenchStage("default", tmp_path, rust=locate()) as stage:
        for one in (cell, twin):
            await measure(one, stage, results, tmp_path, 1)
    assert results.ok
    assert beside_rows(figures(results.records))
