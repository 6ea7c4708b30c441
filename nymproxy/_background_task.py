"""Tasks behind an ``async with`` block, without the task group showing in what is raised."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from types import TracebackType

    from anyio.abc import TaskGroup


@contextmanager
def without_group() -> Iterator[None]:
    """Raise the only error of a task group by itself, so that callers can name what they catch."""
    try:
        yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, ExceptionGroup):
            raise
        raise error from error.__cause__


async def leave_group(
    group: TaskGroup,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> bool | None:
    """Leave a task group with the arguments of ``__aexit__``, and return what that returns.

    What the block raised goes on as it is, not wrapped in a group, unless a task failed too.
    """
    try:
        return await group.__aexit__(kind, error, traceback)
    except BaseExceptionGroup as raised:
        if error is not None and _holds_only(raised, error):
            return False
        raise


def _holds_only(group: BaseExceptionGroup, error: BaseException) -> bool:
    if group.exceptions == (error,):
        return True
    # On trio, groups inside of groups are made anew, with the same exceptions.
    (first, *others) = group.exceptions
    return (
        not others
        and isinstance(error, BaseExceptionGroup)
        and isinstance(first, BaseExceptionGroup)
        and first.exceptions == error.exceptions
    )


async def until_cancelled(run: Callable[[], Awaitable[object]]) -> None:
    """Run a task that ends with its group, and let nothing of it wait for the garbage collector:
    anyio 4.16 makes a cycle with all frames of a cancellation that leaves a task on asyncio. The
    task is over then, so that nobody misses the cancellation.
    """
    with suppress(anyio.get_cancelled_exc_class()):
        await run()


class BackgroundTask:
    """The task of an object that is used with ``async with``.

    Args:
        run: runs until it is cancelled or done; calls ``task_status.started()``.
    """

    def __init__(self, run: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        self._run = run
        self._group: TaskGroup | None = None

    async def start(self) -> None:
        """Start the task, for ``__aenter__``; returns once it says that it has started.

        Raises:
            Exception: whatever kept it from starting, by itself.
        """
        group = anyio.create_task_group()
        await group.__aenter__()
        try:
            await group.start(self._run)
        except BaseException as error:  # a cancellation, too, must leave the group
            with without_group():
                await group.__aexit__(type(error), error, error.__traceback__)
            raise
        self._group = group

    async def cancel(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel the task and wait for its end, for ``__aexit__``, with the latter's arguments."""
        assert self._group is not None
        self._group.cancel_scope.cancel()
        if not isinstance(exc_value, anyio.get_cancelled_exc_class()):
            # The block's own exception is not for the task group, which would wrap it.
            exc_type = exc_value = traceback = None
        await self._group.__aexit__(exc_type, exc_value, traceback)
