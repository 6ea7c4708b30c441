"""W3: moving many bytes, up, down, or both ways at once; every one of them checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from nymproxy.testing import workloads

if TYPE_CHECKING:
    from nymproxy.testing.workloads import Target, WorkloadResult

DIRECTIONS = ("up", "down", "both")


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a transfer.

    Attributes:
        payload_bytes: both directions together.
        seconds: from the start to the last end.
        problem: what was wrong; then there is no rate.
    """

    payload_bytes: int
    seconds: float
    problem: str | None

    @property
    def goodput(self) -> float:
        """MB/s, both directions together."""
        return self.payload_bytes / self.seconds / 1e6


async def move(target: Target, direction: str, length: int, seed: int) -> Moved:
    """Move ``length`` bytes in each direction that is asked for, on a connection for each."""
    work = []
    if direction in ("up", "both"):
        work.append(workloads.upload)
    if direction in ("down", "both"):
        work.append(workloads.download)
    done: list[WorkloadResult] = []

    async def run(index: int) -> None:
        done.append(await work[index](target, length, seed + index))

    async with anyio.create_task_group() as tasks:
        for index in range(len(work)):
            tasks.start_soon(run, index)
    seconds = max(result.seconds for result in done)
    problems = [result.problem for result in done if result.problem is not None]
    return Moved(length * len(work), seconds, problems[0] if problems else None)
