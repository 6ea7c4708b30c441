"""The workers: one for each processor, kept warm, replaced when they die or are ended."""

from __future__ import annotations

import atexit
import json
import logging
import os
import pickle
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from nymproxy_migrate.workers import limits
from nymproxy_migrate.workers.connections import receive, start, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy_migrate.workers.connections import Connection
    from nymproxy_migrate.workers.limits import Failure

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")
_Task = tuple["Callable[[Any], Any]", object]

_MOST_IN_A_BATCH = 32
_WORTH_ANOTHER_WORKER = 40
"""Waiting tasks; for fewer it takes longer to start one than to do them."""
_LOOK_SECONDS = 0.2
"""How often memory and time of workers are looked at."""

# Without what the current folder holds: a tree of somebody else may have a module of any name.
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from nymproxy_migrate.workers.child import start; start(*sys.argv[2:])"
)

_logger = logging.getLogger("nymproxy.migrate")


class _Worker:
    def __init__(self) -> None:
        verbose = "verbose" if _logger.isEnabledFor(logging.DEBUG) else ""
        self.process, self.connection = start(
            [_interpreter(), "-P", "-c", _BOOT, _module_paths(), verbose],
            stderr=None if verbose else subprocess.DEVNULL,
        )
        self.tasks: deque[_Task] = deque()
        self.since = 0.0
        self.verdict: Failure | None = None

    def give(self, tasks: list[_Task]) -> None:
        """Hand out tasks that share a function."""
        self.tasks = deque(tasks)
        self.since = time.monotonic()
        with suppress(OSError):  # it is dead, which shows when its answer is waited for
            self.connection.send((tasks[0][0], [argument for _, argument in tasks]))

    def end_if_over(self) -> None:
        """Kill the process when it is over a limit; its connection says so then."""
        if time.monotonic() - self.since > limits.CLOCK_SECONDS:
            self.verdict = limits.NO_ANSWER
        elif _resident_bytes(self.process.pid) > limits.MEMORY_BYTES:
            self.verdict = limits.OUT_OF_MEMORY
        if self.verdict is not None:
            self.process.kill()

    def end(self) -> Failure:
        """End the process, and return why it ended if it did so by itself."""
        self.connection.close()
        try:
            code = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return self.verdict or limits.ended_by(code)


class Pool:
    """Tasks and the workers that do them, as long as it is iterated over.

    Tasks may be added meanwhile. It yields function, argument, and result or :class:`Failure`, in
    no particular order.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Task] = deque()
        self._busy: dict[Connection, _Worker] = {}
        self._most = _processors()
        self._looked_at = 0.0
        self.answered_bytes = 0
        """The size of all answers so far."""

    def add(self, function: Callable[[_Argument], object], argument: _Argument) -> None:
        """Add a task.

        Args:
            function: of a module, or a partial of one; it is called in another process.
            argument: it is pickled, as the result is.
        """
        self._waiting.append((function, argument))

    def withdraw(self, function: Callable[[_Argument], object]) -> list[_Argument]:
        """Take back the tasks of a function that no worker has begun."""
        taken = [argument for each, argument in self._waiting if each is function]
        self._waiting = deque(task for task in self._waiting if task[0] is not function)
        return cast("list[_Argument]", taken)

    def give_up(self) -> list[_Task]:
        """Do no more; return what has not been done, that which is being done included."""
        left = [task for worker in self._busy.values() for task in worker.tasks]
        left += self._waiting
        self._waiting.clear()
        self._end_busy()
        return left

    def __iter__(self) -> Iterator[tuple[Callable[[Any], Any], Any, Any]]:
        try:
            while self._waiting or self._busy:
                self._hand_out()
                for connection in wait(list(self._busy), timeout=_LOOK_SECONDS):
                    if connection in self._busy:  # the rest was given up meanwhile
                        yield self._take(connection)
                self._look()
        finally:
            self._end_busy()

    def _end_busy(self) -> None:
        # Nobody waits for the answers of those that are still at work.
        for worker in self._busy.values():
            worker.process.kill()
            worker.end()
        self._busy.clear()

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            for worker in self._busy.values():
                worker.end_if_over()

    def _hand_out(self) -> None:
        while self._waiting and len(self._busy) < self._most:
            is_worth_it = not self._busy or len(self._waiting) > _WORTH_ANOTHER_WORKER
            worker = _idle_worker() or (_Worker() if is_worth_it else None)
            if worker is None:
                return
            most = min(_MOST_IN_A_BATCH, -(-len(self._waiting) // (2 * self._most)))
            function, tasks = self._waiting[0][0], list[_Task]()
            while self._waiting and len(tasks) < most and self._waiting[0][0] is function:
                tasks.append(self._waiting.popleft())
            worker.give(tasks)
            self._busy[worker.connection] = worker

    def _take(self, connection: Connection) -> tuple[Callable[[Any], Any], Any, Any]:
        worker = self._busy[connection]
        goes_on: bool
        try:
            answer = receive(connection)
            self.answered_bytes += len(answer)
            result, goes_on = pickle.loads(answer)
        except (EOFError, OSError):
            result, goes_on = worker.end(), False
        if isinstance(result, limits.Missing):
            raise ModuleNotFoundError(f"no module {result.module}", name=result.module)
        function, argument = worker.tasks.popleft()
        worker.since = time.monotonic()
        if not goes_on:
            self._waiting.extendleft(reversed(worker.tasks))
            del self._busy[connection]
            worker.end()
        elif not worker.tasks:
            del self._busy[connection]
            _idle.append(worker)
        return function, argument, result


def call(function: Callable[[_Argument], _Result], argument: _Argument) -> _Result | Failure:
    """Call a function in a worker, and return its result or why there is none."""
    pool = Pool()
    pool.add(function, argument)
    ((_, _, result),) = pool
    return cast("_Result | Failure", result)


_idle: list[_Worker] = []
"""Workers that wait for work, also that of the next pool."""


def _idle_worker() -> _Worker | None:
    while _idle:
        worker = _idle.pop()
        if worker.process.poll() is None and not worker.connection.poll():
            return worker
        worker.end()
    return None


@atexit.register
def _end_idle_workers() -> None:
    while _idle:
        _idle.pop().end()


def _forget_workers() -> None:
    # They are the parent's: two processes cannot share a connection.
    for worker in _idle:
        worker.connection.close()
        worker.process.returncode = 0
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _interpreter() -> str:
    # On Windows that of a virtual environment starts another one, and would be ended in its place.
    # Where modules are, a worker is told.
    base: str | None = getattr(sys, "_base_executable", None)
    return sys.executable if hasattr(os, "fork") or base is None else base


def _module_paths() -> str:
    own = [find_spec(name) for name in ("nymproxy", "nymproxy_migrate")]
    folders = [str(Path(each.origin).parents[1]) for each in own if each and each.origin]
    return json.dumps([*filter(os.path.isabs, sys.path), *folders])


def _resident_bytes(pid: int) -> int:
    import psutil  # type: ignore[import-untyped]

    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
