"""What workloads of many connections and of bad networks compute, and that they run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from benchmarks.adverse import BURST_PACKETS, faults_of
from benchmarks.cells import Cell, Selection, plan
from benchmarks.environment import environment_record
from benchmarks.many import fairness
from benchmarks.measure import measure
from benchmarks.results import Results
from benchmarks.soak import FailureCodes, soak_faults
from benchmarks.stage import BenchStage
from benchmarks.statistics import slope
from benchmarks.usage import descriptors, resident_bytes
from benchmarks.yardstick import beside
from nymproxy.localnet.faults import FaultAction, FaultPlan, PushAction

if TYPE_CHECKING:
    from pathlib import Path


def test_fairness_is_jains_index() -> None:
    assert fairness([2.0, 2.0, 2.0]) == pytest.approx(1.0)
    assert fairness([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_a_slope_is_that_of_the_line() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2.0)
    assert slope([(0, 0), (1, 3), (2, 0)]) == pytest.approx(0.0)
    assert slope([(1, 5)]) == 0.0


def test_faults_follow_from_the_cell() -> None:
    def faults(workload: str, **params: object) -> FaultPlan:
        return faults_of(Cell(workload, "bare", "stream", params))

    assert not faults("W9", loss=0.0, burst=False)
    assert faults("W9", loss=0.05, burst=False).links[0].loss == 0.05
    [bursts] = faults("W9", loss=0.05, burst=True).links
    # Packets lost of all: a burst of mean length 8 for each 1/p packets that pass between.
    length = BURST_PACKETS
    assert length / (length + 1 / bursts.burst_start) == pytest.approx(0.05)
    assert faults("W10", delay_ms=50).links[0].jitter_seconds == 0.1
    doubled = faults("W11", twice=0.1, replayed=0.2)
    assert (doubled.links[0].duplicate, doubled.pushes[0].probability) == (0.1, 0.2)
    assert doubled.pushes[0].action is PushAction.REPLAY


def test_a_soak_restarts_the_gateways_in_turn() -> None:
    events = soak_faults(1800).events
    assert [event.action for event in events] == [FaultAction.KILL, FaultAction.START] * 6
    assert {event.node for event in events} == {"gateway-0", "gateway-1"}


def test_a_failure_of_the_soak_has_the_code_that_the_client_logs(tmp_path: Path) -> None:
    log = tmp_path / "client.log"
    codes = FailureCodes(log)
    log.write_text(
        '{"event": "session-ended", "code": null}\n'
        '{"event": "session-cut", "code": "client-disconnected"}\n{"event": "session-'
    )
    assert codes.new() == ["client-disconnected"]
    assert codes.new() == []
    with log.open("a") as file:
        file.write('failed", "reason": "unknown-gateway"}\n')
    assert codes.new() == ["unknown-gateway"]
    assert FailureCodes(None).new() == []


def test_a_process_has_memory_and_files() -> None:
    assert resident_bytes(os.getpid()) > 1_000_000
    assert descriptors(os.getpid()) > 2
    assert resident_bytes(2**22) == descriptors(2**22) == 0


async def test_x25519_is_a_yardstick() -> None:
    async with beside() as yardstick:
        pass
    yardstick.samples = [30.0, 40.0, 1000.0]
    assert yardstick.relative(0.004) == pytest.approx(100)


@pytest.mark.exhaustive
@pytest.mark.timeout(200)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("workload", ["W4", "W5", "W6", "W9", "W10", "W11", "W13", "W17"])
async def test_its_short_form_runs_and_every_byte_is_right(tmp_path: Path, workload: str) -> None:
    cell = next(iter(plan(Selection(only=(workload,), quick=True))))
    results = Results(environment_record(seed=1, scale="quick", processes=1, runs=1))
    async with BenchStage(cell.profile, tmp_path) as stage:
        await measure(cell, stage, results, tmp_path, 1)
    assert results.ok
    assert len(results.records) > 1


@pytest.mark.exhaustive
@pytest.mark.timeout(200)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_more_and_more_connections_are_held_open(tmp_path: Path) -> None:
    params = {"seconds": 1, "mode": "per-connection", "reserve": 1, "open": [0, 2]}
    results = Results(environment_record(seed=1, scale="quick", processes=1, runs=1))
    async with BenchStage("fast", tmp_path) as stage:
        await measure(Cell("W8", "fast", "both", params), stage, results, tmp_path, 1)
    shares = {
        record.params["open"]: record.sample.value
        for record in results.records
        if record.params.get("metric") == "idle_cpu_client" and record.sample is not None
    }
    assert shares.keys() == {0, 2}
    assert shares[2] > shares[0] > 0
