"""Runs the jobs of all profiles, one after the other, with fresh processes for each profile."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.cells import WORKLOADS, Cell, Selection, plan, shuffled_jobs
from benchmarks.environment import environment_record
from benchmarks.measure import measure
from benchmarks.results import Results, say
from benchmarks.stage import BenchStage
from benchmarks.usage import load_average
from nymproxy.errors import NymError

if TYPE_CHECKING:
    from benchmarks.records import Record
    from interop.programs import RustPrograms

PAYLOAD_SEEDS = 1_000_000


async def run(
    selection: Selection, *, seed: int, processes: int, rust: RustPrograms | None = None
) -> list[Record]:
    """Measure what was selected and return the records, the ``env`` line first.

    Args:
        selection: workloads, profile and scale.
        seed: of payloads and of the order.
        processes: of the nodes.
        rust: the Rust programs, if the selection is for them, too.
    """
    jobs = shuffled_jobs(plan(selection), seed, rust=selection.rust)
    results = Results(
        environment_record(
            seed=seed,
            scale="quick" if selection.quick else "full",
            processes=processes,
            runs=selection.runs or 0,
        )
    )
    for profile, listed in jobs.items():
        with tempfile.TemporaryDirectory(prefix="nymproxy-bench-") as name:
            directory = Path(name)
            async with BenchStage(profile, directory, node_processes=processes, rust=rust) as stage:
                await _run_profile(listed, stage, results, directory, seed)
    return results.records


async def _run_profile(
    jobs: list[Cell], stage: BenchStage, results: Results, directory: Path, seed: int
) -> None:
    jobs = _in_order(jobs)
    for index, cell in enumerate(jobs, start=1):
        started = time.perf_counter()
        try:
            await measure(cell, stage, results, directory, seed + index * PAYLOAD_SEEDS)
        except (NymError, httpx.HTTPError) as error:
            results.fail(cell, "run", str(error) or type(error).__name__)
        say(
            f"  {cell.workload} {cell.profile} {cell.wire} {cell.peer} {_words(cell)}:"
            f" {time.perf_counter() - started:.1f} s, load {load_average():.1f}"
            f" ({index} of {len(jobs)})"
        )


def _in_order(jobs: list[Cell]) -> list[Cell]:
    """What needs no processes goes first, and the profiled run, with processes of its own, last.
    Single operations are measured again before that: what else the machine did may have ended."""
    micro = [cell for cell in jobs if cell.workload == "W15"]
    profiled = [cell for cell in jobs if cell.workload == "W7"]
    others = [cell for cell in jobs if cell.workload not in {"W7", "W15"}]
    return micro[:1] + others + micro[1:] + profiled


def _words(cell: Cell) -> str:
    return " ".join(str(value) for value in cell.params.values())


def unknown_workloads(names: tuple[str, ...]) -> list[str]:
    """Return the names that are no workloads here."""
    return [name for name in names if name not in WORKLOADS]
