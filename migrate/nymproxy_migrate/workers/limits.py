"""What a piece of work may take, and how a process is held to it."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass

PROCESSOR_SECONDS = 4.0
"""Processor time of one piece of work: on a busy machine it may take longer by the clock."""
CLOCK_SECONDS = 30.0
"""Time by the clock, for work that waits (for a disk that does not answer)."""
MEMORY_BYTES = 256 * 1024 * 1024
"""Memory of a worker, the interpreter's own 40 MiB included."""
ANSWER_BYTES = 32 * 1024 * 1024
"""Size of what one piece of work gives back."""
TOTAL_SECONDS = 3600.0
"""Time by the clock for all files of a tree together: ten thousand take some ten seconds."""
TOTAL_ANSWER_BYTES = 128 * 1024 * 1024
"""Size of what all files of a tree give together: it stays in memory until the end."""
TOTAL_ENTRIES = 1_000_000
"""Files and folders of a tree: their names stay in memory, too."""
RETIRED_AT_BYTES = 128 * 1024 * 1024
"""A worker that once had more is replaced, so that the next piece of work has room."""

_HAS_LIMITS = hasattr(signal, "setitimer")
_WINDOWS_CRASHES = 0xC0000000
"""Exit codes from here on are what ended a process there, as NTSTATUS."""
_MEMORY_REASON = f"it takes more than {MEMORY_BYTES >> 20} MiB of memory to be read"


@dataclass(frozen=True, slots=True)
class Failure:
    """A piece of work was given up.

    Attributes:
        reason: a sentence without its subject's name.
        is_over_a_limit: trying again would take as much again; a parser's own error is cheap.
    """

    reason: str
    is_over_a_limit: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """A module is not installed, which is no fault of what was to be read."""

    module: str


OUT_OF_MEMORY = Failure(_MEMORY_REASON)
OUT_OF_TIME = Failure(f"it takes more than {PROCESSOR_SECONDS:g} s to be read")
NO_ANSWER = Failure(f"reading it does not come to an end within {CLOCK_SECONDS:g} s")
TOO_MUCH_FOUND = Failure(f"what is found in it takes more than {ANSWER_BYTES >> 20} MiB")


def ended_by(code: int) -> Failure:
    """Return why a worker that ended by itself did so, from its return code."""
    if code >= _WINDOWS_CRASHES:
        return Failure(f"its parser crashes on it (0x{code:X})")
    if code >= 0:
        return Failure("reading it ends the process that reads it")
    name = signal.Signals(-code).name
    if name == "SIGPROF":
        return OUT_OF_TIME
    if name in {"SIGABRT", "SIGKILL"}:
        # What a parser in C or Rust does without memory, and what a system without memory does.
        return OUT_OF_MEMORY
    return Failure(f"its parser crashes on it ({name})")


def impose() -> None:
    """Limit this process for good: memory, no core files. Windows has no such limits: there the
    pool ends a process whose memory it sees grow, or that takes too long by the clock."""
    if not _HAS_LIMITS:
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    mapped = _mapped_bytes()
    if mapped is None:
        return  # no such thing here: the pool looks at the memory of its workers, too
    resident, address_space = mapped
    limit = address_space + MEMORY_BYTES - resident
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def start_timer() -> None:
    """Let the system end this process when it has used its processor time."""
    if not _HAS_LIMITS:
        return
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_SECONDS)


def stop_timer() -> None:
    """Let the time run without end again."""
    if not _HAS_LIMITS:
        return
    signal.setitimer(signal.ITIMER_PROF, 0.0)


def peak_bytes() -> int:
    """Return the most memory that this process has had.

    Not what getrusage says, where there is more to be had: on Linux that begins with the size of
    the process that started this one.
    """
    if not _HAS_LIMITS:
        import psutil  # type: ignore[import-untyped]

        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    import resource
    import sys

    with suppress(OSError), open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _mapped_bytes() -> tuple[int, int] | None:
    """Return the memory and the address space of this process; None where that is not told."""
    import resource

    try:
        with open("/proc/self/statm", "rb") as file:
            size, resident, *_ = map(int, file.read().split())
    except OSError:
        return None
    page = resource.getpagesize()
    return resident * page, size * page
