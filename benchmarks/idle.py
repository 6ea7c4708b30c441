"""W8: what a client and a server cost that have nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from benchmarks.yardstick import beside

if TYPE_CHECKING:
    from benchmarks.cells import Cell
    from benchmarks.results import Results
    from benchmarks.stage import BenchStage, Pair

SETTLE_SECONDS = 5.0
"""Identities register, header pools fill, and connections settle first."""


async def idle(cell: Cell, stage: BenchStage, results: Results) -> None:
    """Let client and server be idle for ``seconds``: one identity each, or with a reserve."""
    if cell.params.get("mode") is None:
        await _idle(cell, await stage.pair("stream", cell.peer), results)
        return
    flags = ("--client-pool-reserve", str(cell.params["reserve"]))
    async with stage.fresh_client("legacy", *flags, peer=cell.peer) as pair:
        await _idle(cell, pair, results)


async def _idle(cell: Cell, pair: Pair, results: Results) -> None:
    seconds = cell.params["seconds"]
    await anyio.sleep(SETTLE_SECONDS)
    async with beside() as yardstick:
        await pair.begin()
        await anyio.sleep(seconds)
        spent = await pair.spent()
    ends = {party: spent.cpu_of(party) for party in ("client", "server")}
    for party, cpu in ends.items():
        results.add(cell, f"idle_cpu_{party}", "% of a core", 100 * cpu / seconds)
        results.add(cell, f"rss_{party}", "MB", spent.peak_memory_bytes[party] / 1e6)
    packets = spent.network.packets_from_clients
    results.add(cell, "idle_packets", "packets/s", packets / seconds)
    if packets:
        relative = yardstick.relative(sum(ends.values()) / packets)
        results.add(cell, "cpu_per_packet_relative", "x25519", relative)
