"""Waiting for a time or for a call."""

from __future__ import annotations

import math
import time

import anyio

from nymproxy._alarm import Alarm


async def test_rings_at_its_time() -> None:
    alarm = Alarm(time.monotonic)
    rings_at = time.monotonic() + 0.02
    await alarm.wait_until(rings_at)
    assert time.monotonic() >= rings_at
    await alarm.wait_until(rings_at)  # past: at once


async def test_rings_before_when_there_is_something_earlier() -> None:
    alarm, woken = Alarm(lambda: 5.0), []

    async def wait() -> None:
        await alarm.wait_until(100.0)
        woken.append("first")
        await alarm.wait_until(math.inf)
        woken.append("second")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        alarm.wake_before(100.0)  # which it does already
        await anyio.wait_all_tasks_blocked()
        assert woken == []
        alarm.wake_before(99.0)
        alarm.wake_before(98.0)
        await anyio.wait_all_tasks_blocked()
        assert woken == ["first"]
        alarm.wake_before(1e9)
    assert woken == ["first", "second"]


async def test_can_be_cancelled_and_used_again() -> None:
    alarm = Alarm(lambda: 0.0)
    with anyio.move_on_after(0) as scope:
        await alarm.wait_until(math.inf)
    assert scope.cancelled_caught
    alarm.wake_before(-1.0)  # nobody waits
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(alarm.wait_until, 10.0)
        await anyio.wait_all_tasks_blocked()
        alarm.wake_before(3.0)
