"""W8: what a pair costs that has nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from benchmarks.yardstick import beside

if TYPE_CHECKING:
    from benchmarks.cells import Cell
    from benchmarks.results import Results
    from benchmarks.stage import Pair

SETTLE_SECONDS = 2.0
"""Header pools fill and connections settle first."""


async def idle(cell: Cell, pair: Pair, results: Results) -> None:
    """Let client and server, one identity each, be idle for ``seconds``."""
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
    results.add(cell, "idle_packets", "packets/s", packets / 2 / seconds)
    if packets:
        relative = yardstick.relative(sum(ends.values()) / packets)
        results.add(cell, "cpu_per_packet_relative", "x25519", relative)
