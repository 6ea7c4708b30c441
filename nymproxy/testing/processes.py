"""Child processes that say when they are ready, and end when their parent tells them to, or dies.

The convention of :func:`child_process` is that of the ``nymproxy`` commands: one JSON line on
stdout when ready, logs on stderr, SIGTERM ends it in order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from nymproxy.errors import NymError, PhaseTimeout
from nymproxy.testing.orphans import ends_with_us

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from anyio.abc import Process, TaskStatus

T = TypeVar("T")

STOP_TIMEOUT_SECONDS = 15.0
PYTHON_MODULE = (sys.executable, "-m")
_MAX_READY_LINE_BYTES = 1 << 20


class ChildFailed(NymError):
    """A child process ended before it was ready. The end of its log is in the message."""

    code = "child-failed"


@dataclass(frozen=True, slots=True)
class Child:
    """A running child.

    Attributes:
        name: what it is, for messages.
        process: the process.
        ready: the JSON object that it printed when it was ready.
        log: the file that holds its stderr.
    """

    name: str
    process: Process
    ready: dict[str, Any]
    log: Path

    def cpu_seconds(self) -> float | None:
        """Return the CPU time of the child and its ended children, where /proc tells it."""
        try:
            text = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return None
        ticks = text.rpartition(")")[2].split()[11:15]
        return sum(int(value) for value in ticks) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End the child without warning (SIGKILL)."""
        self.process.kill()

    def terminate(self) -> None:
        """Ask the child to end in order (SIGTERM)."""
        self.process.send_signal(signal.SIGTERM)

    def suspend(self) -> None:
        """Let the child stand still (SIGSTOP) until :meth:`resume`."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended child go on (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)


async def _ready_line(process: Process) -> bytes:
    assert process.stdout is not None
    line = b""
    while b"\n" not in line and len(line) < _MAX_READY_LINE_BYTES:
        try:
            line += await process.stdout.receive()
        except anyio.EndOfStream:
            break
    first, _, _ = line.partition(b"\n")  # `nymproxy run` has one for each forward
    return first


def _last_lines(log: Path, count: int = 3) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-count:])


@asynccontextmanager
async def child_process(
    name: str,
    arguments: Sequence[str],
    *,
    log_directory: Path,
    program: Sequence[str] = PYTHON_MODULE,
    ready_timeout_seconds: float = 30.0,
    environment: dict[str, str] | None = None,
    inherited: Sequence[int] = (),
) -> AsyncIterator[Child]:
    """Run ``program arguments...`` for the time of the block, from ready to ended.

    ``inherited`` are further descriptors that it gets, under the same numbers.

    Raises:
        ChildFailed: it ended, or printed something else, before it was ready.
        PhaseTimeout: it was not ready in time.
    """
    log = log_directory / f"{name}.log"
    with log.open("wb") as log_file:
        process = await anyio.open_process(
            [*program, *arguments],
            stdin=subprocess.DEVNULL,
            stderr=log_file,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            pass_fds=inherited,
        )
    async with stopped_at_the_end(process):
        line = b""
        with anyio.move_on_after(ready_timeout_seconds) as scope:
            line = await _ready_line(process)
        if scope.cancelled_caught:
            raise PhaseTimeout(f"{name} was not ready within {ready_timeout_seconds:g} s ({log})")
        try:
            ready = json.loads(line)
        except ValueError as error:
            raise ChildFailed(f"{name} did not start: {_last_lines(log)}") from error
        yield Child(name, process, ready, log)


@asynccontextmanager
async def stopped_at_the_end(process: Process) -> AsyncIterator[None]:
    """Stop a process at the end of the block, or of our own, however that comes."""
    try:
        with ends_with_us(process.pid):
            yield
    finally:
        with anyio.CancelScope(shield=True):
            await stop_process(process)


async def stop_process(process: Process) -> None:
    """End a process in order (SIGTERM), or without (SIGKILL) if it takes too long."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)  # A suspended one would not see it.
        with anyio.move_on_after(STOP_TIMEOUT_SECONDS):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


def run_until_signal(function: Callable[[], Awaitable[T]]) -> T:
    """Run ``function`` in a new event loop; SIGINT and SIGTERM cancel it.

    So everything is undone in order, children included, before the program ends.

    Raises:
        KeyboardInterrupt: a signal came first.
    """
    results = []

    async def watch(scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                scope.cancel()
                break

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch, tasks.cancel_scope)
            results.append(await function())
            tasks.cancel_scope.cancel()

    anyio.run(main)
    if not results:
        raise KeyboardInterrupt
    return results[0]
