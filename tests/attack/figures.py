"""What an attack costs honest peers: their time before, during and after it, memory, processes."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROPERTY = "attack_figures"
"""The name under which a test's report carries them, also from a worker of pytest-xdist."""

SAMPLE_PERIOD_SECONDS = 0.02
MEBIBYTE = 1 << 20

_OWN_MEMORY = ("RssAnon", "RssShmem", "VmSwap")


class Phase(StrEnum):
    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


def own_memory_bytes(pid: int) -> int:
    """Return what process ``pid`` has written to memory of its own, 0 if there is none.

    Pages count that the kernel has swapped out. Those that it can read again from a file do not,
    for it takes them away and gives them back by what else runs on the machine.
    """
    with suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines())
        if _OWN_MEMORY[0] in lines:
            return sum(int(lines[name].split()[0]) for name in _OWN_MEMORY if name in lines) * 1024
    with suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def is_alive(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def undelayed_time() -> float:
    """Return seconds by the clock, less those in which this thread was ready and had no processor.

    What else runs on the machine makes no honest request slower then; what the attack makes the
    attacked thread do counts in full.
    """
    with suppress(OSError), open("/proc/thread-self/schedstat", "rb") as file:
        return time.monotonic() - int(file.read().split()[1]) / 1e9
    return time.monotonic()


@dataclass
class AttackFigures:
    """What one attack did to whom. A test states phases and honest requests; the rest is measured.

    `honest` times one request of an honest peer, in the phase that is now; `attack` holds while the
    attack runs. Times are those of ``clock``: a test in virtual time sets its own.
    """

    pids: list[int] = field(default_factory=lambda: [psutil.Process().pid])
    """The processes that are attacked; at first this one. Memory is their sum."""
    clock: Callable[[], float] = undelayed_time
    phase: Phase = Phase.BEFORE
    strength: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    """Further figures of this attack, by name, with their unit."""
    honest_seconds: dict[Phase, list[float]] = field(
        default_factory=lambda: {phase: [] for phase in Phase}
    )
    base_bytes: int = 0
    peak_bytes: int = 0
    survivors: int = 0
    """Of ``pids``, when the attack was over."""
    ended_at: float | None = None
    recovered_seconds: float | None = None
    """From the attack's end to that of the first honest request that began after it."""

    @contextmanager
    def honest(self) -> Iterator[None]:
        """Time one honest request. One that raises leaves no figure, and should fail the test."""
        phase, began = self.phase, self.clock()
        yield
        now = self.clock()
        self.honest_seconds[phase].append(now - began)
        if phase is Phase.AFTER and self.recovered_seconds is None and self.ended_at is not None:
            self.recovered_seconds = now - self.ended_at

    @contextmanager
    def attack(self, strength: str) -> Iterator[None]:
        """Hold while the attack runs; ``strength`` says how much of what, for the table."""
        self.strength = strength
        self.base_bytes = self._memory()
        self.peak_bytes = self.base_bytes
        self.phase = Phase.DURING
        ended = threading.Event()
        sampler = threading.Thread(target=self._sample_until, args=(ended,))
        sampler.start()
        try:
            yield
        finally:
            ended.set()
            sampler.join()
            self.phase = Phase.AFTER
            self.survivors = self.alive
            self.ended_at = self.clock()

    def sample(self) -> None:
        """Look at the memory now; while the attack runs, this is done all the time."""
        self.peak_bytes = max(self.peak_bytes, self._memory())

    def _sample_until(self, ended: threading.Event) -> None:
        while not ended.wait(SAMPLE_PERIOD_SECONDS):
            self.sample()
        self.sample()

    def _memory(self) -> int:
        return sum(own_memory_bytes(pid) for pid in self.pids)

    @property
    def alive(self) -> int:
        """How many of ``pids`` still run."""
        return sum(is_alive(pid) for pid in self.pids)

    @property
    def grown_bytes(self) -> int:
        """By how much memory was above its base at most, while the attack ran."""
        return self.peak_bytes - self.base_bytes

    def ratio(self, phase: Phase) -> float | None:
        """Median honest time in ``phase`` by that before the attack; None if one is unknown."""
        before, then = self.honest_seconds[Phase.BEFORE], self.honest_seconds[phase]
        if not before or not then:
            return None
        return median(then) / max(median(before), 1e-9)

    def check(
        self,
        *,
        memory_limit_bytes: int,
        ratio: float = 2.0,
        slack_seconds: float = 0.5,
        recovery_seconds: float = 10.0,
    ) -> None:
        """Assert what must hold under every attack.

        ``slack_seconds`` is allowed on top of ``ratio``: requests of milliseconds differ by more
        than that factor for no other reason than the machine's load.
        """
        assert self.alive == len(self.pids), f"{len(self.pids) - self.alive} processes died"
        assert self.grown_bytes <= memory_limit_bytes, (
            f"memory grew by {self.grown_bytes} bytes, and may by {memory_limit_bytes}"
        )
        before = median(self.honest_seconds[Phase.BEFORE])
        for phase in (Phase.DURING, Phase.AFTER):
            took = median(self.honest_seconds[phase])
            assert took <= before * ratio + slack_seconds, (
                f"honest requests took {took:.3f} s {phase} the attack and {before:.3f} s before"
            )
        assert self.recovered_seconds is not None
        assert self.recovered_seconds <= recovery_seconds

    def as_row(self) -> dict[str, Any]:
        """The figures as plain values, which a report can carry."""
        return {
            "strength": self.strength,
            **{
                f"{phase}_seconds": median(seconds) if seconds else None
                for phase, seconds in self.honest_seconds.items()
            },
            "during_ratio": self.ratio(Phase.DURING),
            "after_ratio": self.ratio(Phase.AFTER),
            "recovered_seconds": self.recovered_seconds,
            "base_mebibytes": self.base_bytes / MEBIBYTE,
            "grown_mebibytes": self.grown_bytes / MEBIBYTE,
            "alive": f"{self.survivors}/{len(self.pids)}",
            "notes": dict(self.notes),
        }
