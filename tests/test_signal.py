"""The event that happens again and again."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from nymproxy._signal import Signal


async def test_wakes_all_that_wait_and_none_that_come_later() -> None:
    signal = Signal()
    woken = []

    async def wait(name: str) -> None:
        await signal.wait()
        woken.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(wait, "first")
        group.start_soon(wait, "second")
        await anyio.wait_all_tasks_blocked()
        signal.set()
        group.start_soon(wait, "later")
        await anyio.wait_all_tasks_blocked()
        assert sorted(woken) == ["first", "second"]
        signal.set()
    assert sorted(woken) == ["first", "later", "second"]


async def test_what_is_set_while_nobody_waits_wakes_nobody() -> None:
    signal = Signal()
    signal.set()
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0):
            await signal.wait()


async def test_upcoming_keeps_what_is_set_before_the_wait() -> None:
    signal = Signal()
    upcoming = signal.upcoming()
    await anyio.lowlevel.checkpoint()
    signal.set()
    with anyio.fail_after(20):
        await upcoming.wait()
    assert signal.upcoming() is not upcoming
