"""W14: does anything grow, or get slower, in half an hour of mixed work with losses?"""

from __future__ import annotations

import json
import random
import statistics
import time
from typing import TYPE_CHECKING

import anyio

from benchmarks.statistics import slope
from nymproxy.localnet.faults import FaultAction, FaultEvent, FaultPlan, LinkFaults
from nymproxy.testing import workloads

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.cells import Cell
    from benchmarks.results import Results
    from benchmarks.stage import Pair

RESTART_EVERY_SECONDS = 300.0
DOWN_SECONDS = 2.0
SETTLED_SECONDS = 300.0
"""Memory of the first minutes is caches and pools that fill."""
SAMPLE_SECONDS = 5.0
PAUSE_SECONDS = 0.5
"""Between two connections; together they make about a fifth of what ``bare`` carries."""


def soak_faults(seconds: float) -> FaultPlan:
    """Return 1 % loss, and a gateway that goes for two seconds every five minutes."""
    events = []
    for number in range(1, int(seconds / RESTART_EVERY_SECONDS) + 1):
        at, node = number * RESTART_EVERY_SECONDS, f"gateway-{number % 2}"
        events.append(FaultEvent(at_seconds=at, action=FaultAction.KILL, node=node))
        events.append(FaultEvent(at_seconds=at + DOWN_SECONDS, action=FaultAction.START, node=node))
    return FaultPlan(seed=1, links=(LinkFaults(loss=0.01 / 3),), events=tuple(events))


class FailureCodes:
    """Why connections failed, as the client's log says.

    Args:
        log: JSON lines; ``None``: nobody says.
    """

    EVENTS = ("session-cut", "session-failed")

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._read_bytes = 0

    def new(self) -> list[str]:
        """Return the codes of the errors since the last call."""
        if self._log is None:
            return []
        with self._log.open("rb") as file:
            file.seek(self._read_bytes)
            lines = file.read().splitlines(keepends=True)
        codes = []
        for line in lines:
            if not line.endswith(b"\n"):
                break  # the rest of it comes
            self._read_bytes += len(line)
            entry = json.loads(line)
            if entry.get("event") in self.EVENTS:
                codes.append(str(entry.get("code") or entry.get("reason")))
        return codes


async def soak(cell: Cell, pair: Pair, results: Results, seed: int) -> None:
    """Work for ``seconds``: small and larger transfers, up and down, one after the other."""
    seconds = cell.params["seconds"]
    started = time.perf_counter()
    memory: dict[str, list[tuple[float, float]]] = {"client": [], "server": []}
    trips: list[tuple[float, float]] = []
    failed = done = 0
    codes = FailureCodes(pair.client_log)

    def elapsed() -> float:
        return time.perf_counter() - started

    async def watch() -> None:
        while True:
            for party, points in memory.items():
                points.append((elapsed() / 60, pair.resident_bytes(party) / 1024))
            await anyio.sleep(SAMPLE_SECONDS)

    dice = random.Random(seed)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        while elapsed() < seconds:
            length = dice.choice((64, 5_000, 100_000))
            work = dice.choice((workloads.download, workloads.upload, workloads.echo))
            began = elapsed()
            result = await work(pair.target, length, dice.randrange(1 << 30))
            done, failed = done + 1, failed + (not result.ok)
            if not result.ok:
                said = ", ".join(codes.new()) or "the client says nothing"
                what = f"{result.name} of {length} bytes at {began:.1f} s"
                results.fail(cell, "connection", f"{what}: {result.problem} ({said})")
            if length == 64 and result.ok:
                trips.append((began, result.seconds))
            await anyio.sleep(PAUSE_SECONDS)
        tasks.cancel_scope.cancel()
    settled = min(SETTLED_SECONDS, seconds / 3)
    for party, points in memory.items():
        late = [point for point in points if point[0] * 60 >= settled]
        results.add(cell, f"rss_growth_{party}", "KiB/min", slope(late))
        for minute, kibibytes in points[:: round(60 / SAMPLE_SECONDS)]:
            results.add(cell, f"rss_{party}", "KiB", kibibytes, minute=round(minute))
        results.add(cell, f"descriptors_{party}", "files", pair.descriptors(party))
    results.add(cell, "connections", "done", done)
    results.add(cell, "failed", "connections", failed)
    for name, part in (
        ("first", [value for began, value in trips if began < settled]),
        ("last", [value for began, value in trips if began >= seconds - settled]),
    ):
        if part:
            results.add(cell, f"small_{name}", "s", statistics.median(part))
