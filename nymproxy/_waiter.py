"""Going on with a task within the callback that has something for it, not a turn later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context


class Waiter:
    """What one task of asyncio awaits, once.

    As an :class:`asyncio.Future`, whose callbacks run in a turn of the loop of their own, with a
    look at all sockets before it: for each packet a client has four of these.
    It is Future-like in the sense of :func:`asyncio.isfuture`.

    Args:
        loop: the running one.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_error", "_is_done", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._callback: Callable[[Waiter], object] | None = None
        self._context: Context | None = None
        self._error: BaseException | None = None
        self._is_done = False

    def __await__(self) -> Generator[Waiter, None, None]:
        if self._callback is not None:
            raise RuntimeError("one task waits here, once")
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self  # where the task raises what result() does
        else:
            self.result()

    def wake(self) -> None:
        """Go on with the task before this returns. Idempotent.

        For callbacks of the loop alone: while a task runs, another one cannot go on.
        """
        if not self._is_done:
            self._is_done = True
            if self._callback is not None and self._context is not None:
                self._context.run(self._callback, self)

    def wake_soon(self, error: BaseException | None = None) -> bool:
        """Go on with the task, or raise in it, when its turn comes. False: it goes on already."""
        if self._is_done:
            return False
        self._is_done, self._error = True, error
        if self._callback is not None:
            self._loop.call_soon(self._callback, self, context=self._context)
        return True

    # What tasks, and those who cancel them, ask of a future.

    def add_done_callback(self, callback: Callable[[Waiter], object], *, context: Context) -> None:
        """Take what goes on with the task."""
        self._callback, self._context = callback, context

    def cancel(self, msg: str | None = None) -> bool:
        """Cancel the task."""
        return self.wake_soon(asyncio.CancelledError(*([] if msg is None else [msg])))

    def done(self) -> bool:
        """Tell whether the task goes on, or will."""
        return self._is_done

    def result(self) -> None:
        """Raise what there is to raise, once."""
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # it knows this frame: they would wait for the garbage collector
