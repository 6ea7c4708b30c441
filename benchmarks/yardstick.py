"""How fast X25519 is while something else is measured: CPU times on different days become ratios.

A busy core, a neighbour on the same one and another clock rate make all CPU times larger, those of
the scalar multiplication alike, which bounds everything here.
"""

from __future__ import annotations

import statistics
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from nacl.bindings import crypto_scalarmult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAUSE_SECONDS = 0.1
MULTIPLICATIONS = 10
_SCALAR, _POINT = bytes(range(32)), bytes([9, *bytes(31)])


def x25519_us() -> float:
    """Return microseconds of thread CPU time of a few multiplications, for one."""
    started = time.thread_time_ns()
    for _ in range(MULTIPLICATIONS):
        crypto_scalarmult(_SCALAR, _POINT)
    return (time.thread_time_ns() - started) / MULTIPLICATIONS / 1000


class Yardstick:
    """Collects samples while :func:`beside` runs."""

    def __init__(self) -> None:
        self.samples = [x25519_us()]

    def relative(self, seconds: float) -> float:
        """Return a CPU time in X25519 multiplications of the same minutes."""
        return seconds * 1e6 / statistics.median(self.samples)

    async def run(self) -> None:
        """Look again and again, until cancelled; about one per cent of a core."""
        while True:
            await anyio.sleep(PAUSE_SECONDS)
            self.samples.append(x25519_us())


@asynccontextmanager
async def beside() -> AsyncIterator[Yardstick]:
    """Measure X25519 for the time of the block."""
    yardstick = Yardstick()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(yardstick.run)
        yield yardstick
        tasks.cancel_scope.cancel()
