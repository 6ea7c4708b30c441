"""Delays: order by release time, bounds, and the task that keeps them."""

from __future__ import annotations

import anyio
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.localnet.delay_queue import DelayQueue
from nymproxy.localnet.delayer import Delayer


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))))
def test_items_leave_by_release_time_then_by_arrival(steps: list[tuple[int, int]]) -> None:
    """Against a sorted list: push at a release time, then release up to a time."""
    queue: DelayQueue[int] = DelayQueue(limit=1000)
    model: list[tuple[int, int]] = []
    for number, (release_at, now) in enumerate(steps):
        assert queue.push(release_at, number)
        model.append((release_at, number))
        model.sort()
        due = [item for item in model if item[0] <= now]
        model = model[len(due) :]
        assert queue.pop_due(now) == [number for _, number in due]
        assert queue.next_release == (model[0][0] if model else None)
        assert len(queue) == len(model)


def test_a_full_queue_takes_nothing_more() -> None:
    queue: DelayQueue[str] = DelayQueue(limit=2)
    assert queue.push(1.0, "a")
    assert queue.push(1.0, "b")
    assert not queue.push(0.5, "c")
    assert queue.pop_due(2.0) == ["a", "b"]
    assert queue.push(3.0, "d")
    assert queue.clear() == 1
    assert queue.next_release is None


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
        with anyio.fail_after(5):
            await done.wait()
        task_group.cancel_scope.cancel()
    assert released == ["at once", "first", "second", "last"]


async def test_a_full_delayer_says_so() -> None:
    delayer: Delayer[int] = Delayer(lambda _: None, limit=1)
    assert delayer.push(1.0, 1)
    assert not delayer.push(1.0, 2)
    assert delayer.clear() == 1
