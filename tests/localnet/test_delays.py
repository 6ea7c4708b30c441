"""Delays: bounds, and the task that keeps them."""

from __future__ import annotations

import anyio

from nymproxy.localnet.delayer import Delayer
from tests.legacy.virtual_time import anyio_backend

__all__ = ["anyio_backend"]


async def test_the_delayer_hands_out_each_item_in_its_time() -> None:
    released: list[str] = []
    done = anyio.Event()

    def release(item: str) -> None:
        released.append(item)
        if len(released) == 4:
            done.set()

    delayer: Delayer[str] = Delayer(release)
    assert delayer.push(0, "at once")
    assert released == ["at once"]
    async with anyio.create_task_group() as task_group:
        task_group.start_soon(delayer.run)
        delayer.push(0.06, "last")
        await anyio.sleep(0.01)  # The task waits for "last" now, and must notice earlier ones.
        delayer.push(0.02, "second")
        delayer.push(0.01, "first")
        with anyio.fail_after(30):
            await done.wait()
        task_group.cancel_scope.cancel()
    assert released == ["at once", "first", "second", "last"]


async def test_a_full_delayer_says_so() -> None:
    delayer: Delayer[int] = Delayer(lambda _: None, limit=1)
    assert delayer.push(1.0, 1)
    assert not delayer.push(1.0, 2)
    assert delayer.clear() == 1
