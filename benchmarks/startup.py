"""W12: from the start of a process until it is ready, and how much of it is ``import``."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.stage import BenchStage


def import_times() -> tuple[float, float]:
    """Return wall and CPU seconds of ``import nymproxy``, without those of the interpreter.

    Not measured from inside, so that what the import makes the interpreter do at its end counts.
    """
    empty_wall, empty_cpu = _run_python("pass")
    wall, cpu = _run_python("import nymproxy")
    return max(0.0, wall - empty_wall), max(0.0, cpu - empty_cpu)


def _run_python(code: str) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu


async def ready_times(stage: BenchStage, config_dir: Path) -> tuple[float, float]:
    """Return wall and CPU seconds until ``nymproxy server`` is ready: registered and listening.

    Args:
        stage: with the nodes.
        config_dir: new for a cold start.
    """
    server = await stage.fresh_server(config_dir)
    started = time.perf_counter()
    async with server as running:
        seconds = time.perf_counter() - started
        return seconds, running.child.cpu_seconds() or 0.0
