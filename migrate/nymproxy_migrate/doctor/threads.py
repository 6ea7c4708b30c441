"""Blocking code whose end nobody has to wait for: a dead network file system, a pipe as a file."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_daemon_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread that keeps neither a deadline nor the process waiting.

    The threads of anyio would: the interpreter joins them when it ends.
    """
    done = anyio.Event()
    token = anyio.lowlevel.current_token()
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:  # whoever waits raises it, and would wait for ever
            errors.append(error)
        # Nobody waits any more once the deadline has passed and the loop has ended.
        with contextlib.suppress(anyio.RunFinishedError):
            anyio.from_thread.run_sync(done.set, token=token)

    threading.Thread(target=work, name="nymproxy-migrate doctor", daemon=True).start()
    await done.wait()
    if errors:
        raise errors[0]
    return results[0]
