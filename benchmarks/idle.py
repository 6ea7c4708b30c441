"""W8: what a client and a server cost that have nothing to do, and what connections that do nothing
cost a client that has an identity for each."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

import anyio

from benchmarks.many import held_connections
from benchmarks.statistics import slope
from benchmarks.usage import ran_seconds
from benchmarks.yardstick import beside

if TYPE_CHECKING:
    from benchmarks.cells import Cell
    from benchmarks.results import Results
    from benchmarks.stage import BenchStage, Pair

SETTLE_SECONDS = 5.0
"""Identities register, header pools fill, and connections settle first."""

SLICES = 4
"""Each gives a sample of what a packet costs. What else runs on a machine comes in bursts: the
least of several short samples has met fewer of them than one long sample."""
ENDS = ("client", "server")


class _Slice(NamedTuple):
    """What was used in a part of the time.

    Attributes:
        cpu_seconds: of each end.
        packets: that both have sent.
        relative: CPU time of a packet, in X25519 multiplications of the same seconds.
        peak_memory_bytes: of each party.
    """

    cpu_seconds: dict[str, float]
    packets: int
    relative: float
    peak_memory_bytes: dict[str, int]


async def idle(cell: Cell, stage: BenchStage, results: Results) -> None:
    """Let client and server be idle for ``seconds``: one identity each, or with a reserve, or with
    ``open`` connections."""
    if cell.params.get("mode") is None:
        await _idle(cell, await stage.pair("stream", cell.peer), results)
        return
    flags = ("--client-pool-reserve", str(cell.params["reserve"]))
    async with stage.fresh_client("legacy", *flags, peer=cell.peer) as pair:
        if "open" in cell.params:
            await _with_open(cell, pair, stage, results)
        else:
            await _idle(cell, pair, results)


async def _with_open(cell: Cell, pair: Pair, stage: BenchStage, results: Results) -> None:
    """Measure the client with more and more connections open; the line through the points says how
    many would take all of a core."""
    seconds = cell.params["seconds"]
    points: list[tuple[float, float]] = []
    async with held_connections(pair, stage) as hold:
        for count in cell.params["open"]:
            await hold(count)
            await anyio.sleep(SETTLE_SECONDS)
            before = ran_seconds(pair.pids["client"])
            await anyio.sleep(seconds)
            share = 100 * (ran_seconds(pair.pids["client"]) - before) / seconds
            results.add(cell, "idle_cpu_client", "% of a core", share, open=count)
            points.append((count, share))
    each = slope(points)
    results.add(cell, "cpu_of_connection", "% of a core", each)
    if each > 0:  # profiles without cover cost next to nothing
        count, share = (statistics.mean(values) for values in zip(*points, strict=True))
        fill = count + (100 - share) / each
        results.add(cell, "connections_a_core", "connections", fill)


async def _idle(cell: Cell, pair: Pair, results: Results) -> None:
    seconds = cell.params["seconds"]
    await anyio.sleep(SETTLE_SECONDS)
    slices = [await _slice(pair, seconds / SLICES) for _ in range(SLICES)]
    for party in ENDS:
        cpu = sum(each.cpu_seconds[party] for each in slices)
        results.add(cell, f"idle_cpu_{party}", "% of a core", 100 * cpu / seconds)
        peak = max(each.peak_memory_bytes[party] for each in slices)
        results.add(cell, f"rss_{party}", "MB", peak / 1e6)
    packets = sum(each.packets for each in slices)
    results.add(cell, "idle_packets", "packets/s", packets / seconds)
    for each in slices:
        if each.packets:
            results.add(cell, "cpu_per_packet_relative", "x25519", each.relative)


async def _slice(pair: Pair, seconds: float) -> _Slice:
    before = {party: ran_seconds(pair.pids[party]) for party in ENDS}
    async with beside() as yardstick:
        await pair.begin()
        await anyio.sleep(seconds)
        spent = await pair.spent()
    cpu = {party: ran_seconds(pair.pids[party]) - before[party] for party in ENDS}
    packets = spent.network.packets_from_clients
    relative = yardstick.relative(sum(cpu.values()) / packets) if packets else 0.0
    return _Slice(cpu, packets, relative, spent.peak_memory_bytes)
