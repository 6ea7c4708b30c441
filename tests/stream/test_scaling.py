"""What one of many streams costs is what a single one costs: no line runs once for each of them."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

import nymproxy
from nymproxy.testing import MemoryFaults
from tests.stream.support import connected_pair, on_virtual_time, receive_exactly

if TYPE_CHECKING:
    from types import FrameType
    from typing import Self

    from tests.stream.support import Pair

ROOT = str(Path(nymproxy.__file__).parent)
FEW, MANY = 5, 40
OPEN_SECONDS = 16.0
"""Longer than three of the times at which a stream is told how long it has waited."""
ALLOWANCE = 60
"""Runs of a line in one stream's life by which it may differ: who comes first meets empty tables,
and later ones are handled together. A loop over all streams, each time that one of them is told,
was 480."""


class LineCount:
    """Counts how often each line of the package runs, in the block."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[str, int]] = Counter()

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        return self._ran if frame.f_code.co_filename.startswith(ROOT) else None

    def _ran(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            self.runs[frame.f_code.co_filename, frame.f_lineno] += 1
        return self._ran


async def _live(pair: Pair, delay_seconds: float) -> None:
    await anyio.sleep(delay_seconds)
    dialed, accepted = await pair.connect()
    async with dialed, accepted:
        await dialed.send(bytes(100))
        await receive_exactly(accepted, 100)
        await accepted.send(bytes(100))
        await receive_exactly(dialed, 100)
        await anyio.sleep(OPEN_SECONDS)


def runs_per_stream(streams: int) -> dict[tuple[str, int], float]:
    """Return how often each line runs for one of so many streams that are open at once."""

    async def run() -> LineCount:
        async with connected_pair(faults=MemoryFaults(delay_seconds=0.05)) as pair:
            with LineCount() as count:
                async with anyio.create_task_group() as tasks:
                    for number in range(streams):
                        tasks.start_soon(_live, pair, number * 0.01)
            return count

    return {line: runs / streams for line, runs in on_virtual_time(run).runs.items()}


def test_no_line_runs_more_often_for_a_stream_when_there_are_many() -> None:
    few, many = runs_per_stream(FEW), runs_per_stream(MANY)
    assert sum(few.values()) > 10_000  # they are counted
    grown = {line: (few.get(line, 0.0), runs) for line, runs in many.items()}
    grown = {line: (at, runs) for line, (at, runs) in grown.items() if runs > at * 1.2 + ALLOWANCE}
    assert grown == {}
    assert sum(many.values()) < 1.05 * sum(few.values())
