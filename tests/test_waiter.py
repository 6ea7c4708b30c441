"""What a task awaits, and what goes on with it."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from nymproxy._waiter import Waiter


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def waiter() -> Waiter:
    return Waiter(asyncio.get_running_loop())


async def test_a_callback_goes_on_with_the_task_and_then_with_itself() -> None:
    order, waited = [], waiter()

    async def wait() -> None:
        await waited
        order.append("the task")
        await anyio.lowlevel.checkpoint()
        order.append("the task, a turn later")

    def callback() -> None:
        waited.wake()
        order.append("the callback")
        waited.wake()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        asyncio.get_running_loop().call_soon(callback)
    assert order == ["the task", "the callback", "the task, a turn later"]


async def test_another_task_lets_it_go_on_when_its_turn_comes() -> None:
    order, waited = [], waiter()

    async def wait() -> None:
        await waited
        order.append("the task")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not waited.done()
        assert waited.wake_soon()
        order.append("the other one")
        assert waited.done()
        assert not waited.wake_soon(OSError())
        waited.wake()
    assert order == ["the other one", "the task"]


async def test_what_has_happened_before_is_not_waited_for() -> None:
    woken, failed = waiter(), waiter()
    woken.wake()
    await woken
    assert failed.wake_soon(OSError("before"))
    with pytest.raises(OSError, match="before"):
        await failed


async def test_errors_are_raised_in_the_task() -> None:
    waited = waiter()

    async def wait() -> None:
        with pytest.raises(OSError, match="meanwhile"):
            await waited

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        waited.wake_soon(OSError("meanwhile"))


async def test_it_is_cancelled_as_a_future_is() -> None:
    with anyio.move_on_after(0) as scope:
        await waiter()
    assert scope.cancelled_caught
    task = asyncio.ensure_future(asyncio.wait_for(_wait_for(waiter()), None))
    await anyio.lowlevel.checkpoint()
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    task = asyncio.ensure_future(_wait_for(waiter()))
    await anyio.lowlevel.checkpoint()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _wait_for(waited: Waiter) -> None:
    await waited


async def test_it_is_a_future_to_asyncio() -> None:
    anything: object = waiter()
    assert asyncio.isfuture(anything)


async def test_a_second_task_is_refused() -> None:
    """It would have taken the place of the first, which nobody could have ended any more."""
    waited = waiter()

    async def wait() -> None:
        await waited

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="one task"):
            await waited
        waited.wake_soon()
