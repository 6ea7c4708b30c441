"""What comes out of an ``async with`` block that has tasks behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel
import pytest

from nymproxy._background_task import leave_group

if TYPE_CHECKING:
    from types import TracebackType


class Owner:
    """An object with tasks, one of which may fail when the block ends."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self._ended = anyio.Event()
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._group.start_soon(self._run)
        await anyio.lowlevel.checkpoint()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._ended.set()
        return await leave_group(self._group, kind, error, traceback)

    async def _run(self) -> None:
        try:
            with anyio.CancelScope(shield=True):
                await self._ended.wait()
        finally:
            if self._failure is not None:
                raise self._failure


async def test_the_end_of_the_block_waits_for_the_tasks() -> None:
    async with Owner():
        pass


async def test_what_the_block_raised_comes_out_as_it_is() -> None:
    error = ValueError("the block's")
    with pytest.raises(ValueError, match="the block's") as caught:
        async with Owner():
            raise error
    assert caught.value is error


async def test_a_group_that_the_block_raised_comes_out_as_it_is() -> None:
    error = ExceptionGroup("the block's", [ValueError("one"), KeyError("two")])
    with pytest.raises(ExceptionGroup, match="the block's") as caught:
        async with Owner():
            raise error
    assert caught.value is error


async def test_a_task_that_failed_shows_in_a_group() -> None:
    failure = KeyError("the task's")
    with pytest.raises(ExceptionGroup) as caught:
        async with Owner(failure):
            pass
    assert caught.value.exceptions == (failure,)


async def test_neither_error_hides_the_other() -> None:
    error, failure = ValueError("the block's"), KeyError("the task's")
    with pytest.raises(ExceptionGroup) as caught:
        async with Owner(failure):
            raise error
    assert set(caught.value.exceptions) == {error, failure}


async def test_a_cancelled_block_ends_with_its_scope() -> None:
    with anyio.CancelScope() as scope:
        async with Owner():
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
