"""CPU time and memory of processes, from /proc: a process with the workers below it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PROC = Path("/proc")


def process_tree(pid: int, proc: Path = PROC) -> list[int]:
    """Return a process and all that it started and that still run."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        try:
            children = (proc / f"{current}/task/{current}/children").read_text()
        except OSError:
            continue
        waiting += [int(child) for child in children.split()]
    return found


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """Return user and system time of a process and its ended children; 0 when it is gone."""
    try:
        text = (proc / f"{pid}/stat").read_text()
    except OSError:
        return 0.0
    ticks = text.rpartition(")")[2].split()[11:15]
    return sum(int(value) for value in ticks) / os.sysconf("SC_CLK_TCK")


def ran_seconds(pid: int, proc: Path = PROC) -> float:
    """Return the CPU time of the threads that a process has now, to the nanosecond: its other
    figure comes in hundredths of a second, and an idle client uses six of these in one."""
    return _of_scheduler(pid, 0, proc)


def queued_seconds(pid: int, proc: Path = PROC) -> float:
    """Return how long the threads of a process were ready to run and had no core; 0 if unknown."""
    return _of_scheduler(pid, 1, proc)


def _of_scheduler(pid: int, column: int, proc: Path) -> float:
    nanoseconds = 0
    try:
        for task in (proc / f"{pid}/task").iterdir():
            nanoseconds += int((task / "schedstat").read_text().split()[column])
    except OSError:
        return nanoseconds / 1e9
    return nanoseconds / 1e9


def peak_memory_bytes(pid: int, proc: Path = PROC) -> int:
    """Return the largest resident set of a process so far; 0 when it is gone."""
    return _memory(pid, "VmHWM:", proc)


def resident_bytes(pid: int, proc: Path = PROC) -> int:
    """Return the resident set of a process; 0 when it is gone."""
    return _memory(pid, "VmRSS:", proc)


def descriptors(pid: int, proc: Path = PROC) -> int:
    """Return how many files a process has open; 0 when it is gone."""
    try:
        return len(list((proc / f"{pid}/fd").iterdir()))
    except OSError:
        return 0


def _memory(pid: int, field: str, proc: Path) -> int:
    try:
        lines = (proc / f"{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What some processes have used so far.

    Attributes:
        cpu_seconds: of each process, so that the busiest is known.
        queued_seconds: together, waiting for a core: what a busy machine adds to wall time.
        peak_memory_bytes: the sum of the peaks.
    """

    cpu_seconds: tuple[float, ...]
    queued_seconds: float
    peak_memory_bytes: int

    @classmethod
    def of(cls, pids: Iterable[int], proc: Path = PROC) -> Usage:
        """Look at the processes and everything below them."""
        tree = [member for pid in pids for member in process_tree(pid, proc)]
        return cls(
            tuple(cpu_seconds(pid, proc) for pid in tree),
            sum(queued_seconds(pid, proc) for pid in tree),
            sum(peak_memory_bytes(pid, proc) for pid in tree),
        )

    def since(self, earlier: Usage) -> tuple[float, ...]:
        """Return the CPU seconds of each process since an earlier look at the same ones."""
        if len(self.cpu_seconds) != len(earlier.cpu_seconds):
            return (max(0.0, sum(self.cpu_seconds) - sum(earlier.cpu_seconds)),)
        return tuple(
            now - then for now, then in zip(self.cpu_seconds, earlier.cpu_seconds, strict=True)
        )


def load_average() -> float:
    """Return the machine's load of the last minute."""
    return os.getloadavg()[0]
