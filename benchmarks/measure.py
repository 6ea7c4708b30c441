"""Measures one run of one cell and records it."""

from __future__ import annotations

import itertools
import json
import math
import os
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from benchmarks import many, micro, migration_scan
from benchmarks.adverse import adverse, faults_of
from benchmarks.bulk import move
from benchmarks.echo import echo
from benchmarks.idle import idle
from benchmarks.nodes import node_costs
from benchmarks.soak import soak, soak_faults
from benchmarks.stage import PARTIES, WARM_UP_BYTES, BenchStage
from benchmarks.startup import import_times, ready_times
from benchmarks.statistics import slope
from benchmarks.yardstick import beside
from nymproxy.testing import workloads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.bulk import Moved
    from benchmarks.cells import Cell
    from benchmarks.results import Results
    from benchmarks.stage import Pair, Spent
    from nymproxy.localnet.faults import FaultPlan
from benchmarks.yardstick import Yardstick

LATER_CONNECTION = 10
_numbers = itertools.count(1)


async def measure(
    cell: Cell, stage: BenchStage, results: Results, directory: Path, seed: int
) -> None:
    """Do one run of a cell."""
    match cell.workload:
        case "W1":
            await _echo(cell, await stage.pair(cell.wire, cell.peer), results, seed)
        case "W2":
            await _first_byte(cell, stage, results)
        case "W3":
            await _bulk(cell, await stage.pair(cell.wire, cell.peer), results, seed)
        case "W4":
            await many.concurrent(cell, await stage.pair(cell.wire), results, seed)
        case "W5":
            await many.storm(cell, stage, results)
        case "W6":
            await many.idle_memory(cell, stage, results)
        case "W7":
            await _profiled(cell, stage, results, directory, seed)
        case "W8":
            await idle(cell, stage, results)
        case "W9" | "W10" | "W11":
            async with _on_faulty_nodes(cell, stage, faults_of(cell)) as pair:
                await adverse(cell, pair, results, seed)
        case "W12":
            await _start_up(cell, stage, results, directory)
        case "W13":
            await many.growth(cell, stage, results, seed)
        case "W14":
            faults = soak_faults(cell.params["seconds"])
            async with _on_faulty_nodes(cell, stage, faults, "--json") as pair:
                await soak(cell, pair, results, seed)
        case "W15":
            await anyio.to_thread.run_sync(measure_micro, cell, results, seed)
        case "W16":
            await anyio.to_thread.run_sync(measure_scans, cell, results, seed)
        case _:
            await _nodes(cell, stage, results, seed)


@asynccontextmanager
async def _on_faulty_nodes(
    cell: Cell, stage: BenchStage, faults: FaultPlan, *flags: str
) -> AsyncIterator[Pair]:
    """Start a client that has not yet learned anything of the network, then the faults."""
    async with stage.fresh_client(cell.wire, *flags, peer=cell.peer, mode="shared") as pair:
        await workloads.download(pair.target, WARM_UP_BYTES)
        async with stage.faults(faults):
            yield pair


async def _echo(cell: Cell, pair: Pair, results: Results, seed: int) -> None:
    params = cell.params
    await pair.begin()
    run = await echo(
        pair.target,
        seed=seed,
        size=params["size"],
        rate=params["rate"],
        requests=params["requests"],
    )
    spent = await pair.spent()
    if run.problem is not None:
        results.fail(cell, "rtt", run.problem)
        return
    for seconds in run.seconds:
        results.add(cell, "rtt", "s", seconds)
    results.add(cell, "lost", "requests", run.lost)
    results.add(cell, "schedule_missed", "s", run.late_seconds)
    results.add(cell, "cpu_per_request", "s", spent.cpu_total / run.sent)
    if spent.network.packets_from_clients:
        per_request = spent.network.packets_from_clients / run.sent
        results.add(cell, "packets_per_request", "packets", per_request)


async def _first_byte(cell: Cell, stage: BenchStage, results: Results) -> None:
    if cell.wire == "tcp":
        pair = await stage.pair("tcp")
        await _connections(cell, pair, results)
        return
    async with stage.fresh_client(cell.wire, peer=cell.peer) as pair:
        await _connections(cell, pair, results)


async def _connections(cell: Cell, pair: Pair, results: Results) -> None:
    """Connect ten times, one after the other; the first and the tenth count."""
    for number in range(1, LATER_CONNECTION + 1):
        await pair.begin()
        result = await workloads.first_byte(pair.target)
        spent = await pair.spent()
        if number not in (1, LATER_CONNECTION):
            continue
        metric = f"first_byte_{number}"
        if not result.ok or result.first_byte_seconds is None:
            results.fail(cell, metric, result.problem or "no byte")
            return
        results.add(cell, metric, "s", result.first_byte_seconds)
        results.add(cell, f"cpu_connection_{number}", "s", spent.cpu_total)


async def _bulk(cell: Cell, pair: Pair, results: Results, seed: int) -> None:
    async with beside() as yardstick:
        await pair.begin()
        moved = await move(pair.target, cell.params["direction"], cell.params["bytes"], seed)
        spent = await pair.spent()
    if moved.problem is not None:
        results.fail(cell, "goodput", moved.problem)
        return
    results.add(cell, "goodput", "MB/s", moved.goodput)
    if cell.wire != "tcp":
        record_costs(cell, results, moved, spent)
        record_relative(cell, results, spent, yardstick)


def record_relative(cell: Cell, results: Results, spent: Spent, yardstick: Yardstick) -> None:
    """Record what a packet cost all parties, by the speed of the machine meanwhile."""
    if packets := spent.network.packets_from_clients:
        relative = yardstick.relative(spent.cpu_total / packets)
        results.add(cell, "cpu_per_packet_relative", "x25519", relative)


def record_costs(cell: Cell, results: Results, moved: Moved, spent: Spent) -> None:
    """Record what a transfer cost, by party, by MB and by packet."""
    megabytes = moved.payload_bytes / 1e6
    packets = spent.network.packets_from_clients
    for party in PARTIES:
        results.add(cell, f"cpu_{party}", "s/MB", spent.cpu_of(party) / megabytes)
        results.add(cell, f"rss_{party}", "MB", spent.peak_memory_bytes[party] / 1e6)
        queued = spent.queued_of(party) / moved.seconds
        results.add(cell, f"queued_{party}", "share", queued)
    busiest = max(spent.cpu_by_process)
    cores = os.cpu_count() or 1
    seconds = max(spent.cpu_total / cores, busiest)
    results.add(cell, "cpu_bound", "MB/s", megabytes / seconds if seconds else 0.0)
    wire_bytes = spent.network.bytes_from_clients / moved.payload_bytes
    results.add(cell, "wire_bytes", "per byte", wire_bytes)
    results.add(cell, "packets", "packets", packets)
    results.add(cell, "dropped", "packets", spent.network.packets_dropped)
    if packets:
        for party in PARTIES:
            cost = spent.cpu_of(party) / packets * 1000
            results.add(cell, f"cpu_per_packet_{party}", "ms", cost)
        results.add(cell, "cpu_per_packet", "ms", spent.cpu_total / packets * 1000)


async def _profiled(
    cell: Cell, stage: BenchStage, results: Results, directory: Path, seed: int
) -> None:
    """Move some bytes with the sampling profiler in every process of ours, and record what it saw.

    Of the Rust programs only the whole is known.
    """
    if cell.peer == "rust":
        if spent := await _profiled_part(cell, await stage.pair(cell.wire, "rust"), results, seed):
            for party in PARTIES:
                results.add(cell, f"area_{party}", "ms", _per_packet(spent, party), area="whole")
        return
    with tempfile.TemporaryDirectory(dir=directory) as name:
        output = Path(name)
        async with BenchStage(cell.profile, output, sample_into=output) as sampled:
            pair = await sampled.pair(cell.wire)
            pair.forget_profile()
            spent = await _profiled_part(cell, pair, results, seed)
        if spent is None:
            return
        files = {"client": f"client-{cell.wire}", "server": "server", "nodes": "localnet"}
        for party, file in files.items():
            report = json.loads((output / f"{file}.json").read_text())
            milliseconds = _per_packet(spent, party)
            for area, share in report["areas"].items():
                results.add(cell, f"area_{party}", "ms", share * milliseconds, area=area)
            for function, share in report["functions"].items():
                results.add(cell, f"function_{party}", "share", share, function=function)


def _per_packet(spent: Spent, party: str) -> float:
    """Return a party's milliseconds of CPU for each packet."""
    return spent.cpu_of(party) / max(1, spent.network.packets_from_clients) * 1000


async def _profiled_part(cell: Cell, pair: Pair, results: Results, seed: int) -> Spent | None:
    async with beside() as yardstick:
        await pair.begin()
        moved = await move(pair.target, cell.params["direction"], cell.params["bytes"], seed)
        spent = await pair.spent()
    if moved.problem is not None:
        results.fail(cell, "area", moved.problem)
        return None
    record_relative(cell, results, spent, yardstick)
    return spent


async def _start_up(cell: Cell, stage: BenchStage, results: Results, directory: Path) -> None:
    state = cell.params["state"]
    if state == "import":
        wall, cpu = await anyio.to_thread.run_sync(import_times)
    else:
        config_dir = directory / f"{state}-{next(_numbers)}"
        if state == "existing":
            await ready_times(stage, config_dir)
        wall, cpu = await ready_times(stage, config_dir)
    results.add(cell, "ready", "s", wall)
    results.add(cell, "cpu", "s", cpu)


async def _nodes(cell: Cell, stage: BenchStage, results: Results, seed: int) -> None:
    packets = cell.params["packets"]
    spent = await node_costs(
        stage.processes, processes=cell.params["processes"], packets=packets, seed=seed
    )
    results.add(cell, "cpu_per_packet_nodes", "ms", sum(spent) / packets * 1000)
    results.add(cell, "node_rate", "packets/CPU s", packets / max(spent))


def measure_scans(cell: Cell, results: Results, seed: int) -> None:
    """Scan trees of several sizes (W16), each in a process of its own."""
    costs = []
    for files in cell.params["files"]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "tree")
            migration_scan.make_tree(root, files, seed)
            costs.append(migration_scan.measure(root, files))
        results.add(cell, f"scan_{files}", "s", costs[-1].wall_seconds)
        results.add(cell, f"scan_cpu_{files}", "s", costs[-1].cpu_seconds)
        results.add(cell, f"scan_rss_{files}", "MB", costs[-1].peak_mib * 1.048576)
    # The first size is the start of the program, mostly.
    points = [(math.log(cost.files), math.log(cost.cpu_seconds)) for cost in costs[1:]]
    results.add(cell, "exponent_cpu", "of n", slope(points))


def measure_micro(cell: Cell, results: Results, seed: int) -> None:
    """Time all operations of W15, and the primitives that bound them."""
    bench = micro.Bench(seed)
    divisor = cell.params["divisor"]
    listed = (*micro.operations(bench), *micro.scalar_multiplications(bench))
    for operation, values in micro.time_in_rounds(listed, divisor):
        for value in values:
            results.add(
                cell,
                "cpu",
                "us",
                value,
                wire=micro.WIRE_OF.get(operation.name),
                operation=operation.name,
            )
