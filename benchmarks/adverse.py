"""W9, W10 and W11: transfers and echoes on a network that loses, delays, doubles and replays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.bulk import move
from benchmarks.echo import echo
from benchmarks.yardstick import beside
from nymproxy.localnet.faults import FaultPlan, LinkFaults, PushAction, PushFault

if TYPE_CHECKING:
    from benchmarks.cells import Cell
    from benchmarks.results import Results
    from benchmarks.stage import Pair

at_one_hop = partial(LinkFaults, source="mix-1-*", target="mix-2-*")
"""The place of the faults: every packet and every acknowledgement passes it once."""
BURST_PACKETS = 8.0
REPLAY_SECONDS = 10.0


def faults_of(cell: Cell) -> FaultPlan:
    """Return what goes wrong in a cell, the same each time."""
    params = cell.params
    if cell.workload == "W10":
        # Uniform up to twice the mean: as many packets overtake others as with exponential ones.
        jitter = at_one_hop(jitter_seconds=2 * params["delay_ms"] / 1000)
        return FaultPlan(seed=1, links=(jitter,))
    if cell.workload == "W11":
        twice = at_one_hop(duplicate=params["twice"])
        replays = PushFault(
            action=PushAction.REPLAY, probability=params["replayed"], delay_seconds=REPLAY_SECONDS
        )
        return FaultPlan(seed=1, links=(twice,), pushes=(replays,))
    loss = params["loss"]
    if params["burst"]:
        start = loss / BURST_PACKETS / (1 - loss)
        lossy = at_one_hop(burst_start=start, burst_packets=BURST_PACKETS)
    else:
        lossy = at_one_hop(loss=loss)
    return FaultPlan(seed=1, links=(lossy,) if loss else ())


async def adverse(cell: Cell, pair: Pair, results: Results, seed: int) -> None:
    """Move ``bytes`` up and down, then echo; every byte must be right, and be there once."""
    length = cell.params["bytes"]
    for index, direction in enumerate(("up", "down")):
        async with beside() as yardstick:
            await pair.begin()
            moved = await move(pair.target, direction, length, seed + index)
            spent = await pair.spent()
        if moved.problem is not None:
            results.fail(cell, f"goodput_{direction}", moved.problem)
            continue
        results.add(cell, f"goodput_{direction}", "MB/s", moved.goodput)
        packets = spent.network.packets_from_clients
        results.add(cell, f"packets_{direction}", "packets", packets)
        relative = yardstick.relative(spent.cpu_total / max(1, packets))
        results.add(cell, f"cpu_per_packet_relative_{direction}", "x25519", relative)
    run = await echo(pair.target, seed=seed, size=64, rate=5.0, requests=cell.params["requests"])
    if run.problem is not None:
        results.fail(cell, "rtt", run.problem)
        return
    for seconds in run.seconds:
        results.add(cell, "rtt", "s", seconds)
