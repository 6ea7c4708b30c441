"""Calls from another event loop than the one where something lives."""

from __future__ import annotations

import anyio
import pytest

from nymproxy._home_loop import HomeLoop
from nymproxy.errors import UsageError


async def test_calls_from_the_same_loop_pass() -> None:
    HomeLoop("a stream").check()


async def test_another_thread_and_no_loop_at_all_are_refused() -> None:
    home = HomeLoop("a stream")

    async def check() -> None:
        home.check()

    def check_without_a_loop() -> None:
        home.check()

    with pytest.raises(UsageError, match="a stream is used outside of the event loop"):
        await anyio.to_thread.run_sync(anyio.run, check)
    with pytest.raises(UsageError, match="a stream is used outside of the event loop"):
        await anyio.to_thread.run_sync(check_without_a_loop)


def test_a_second_run_is_another_loop() -> None:
    async def make() -> HomeLoop:
        return HomeLoop("a client")

    home = anyio.run(make)

    async def check() -> None:
        home.check()

    with pytest.raises(UsageError):
        anyio.run(check)
