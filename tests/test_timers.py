"""What is due when: both queues against small models."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from nymproxy._timers import TimeHeap, TimerQueue


class TestTimeHeap:
    @given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))))
    def test_items_leave_by_time_then_by_arrival(self, steps: list[tuple[int, int]]) -> None:
        """Against a sorted list: push at a time, then pop up to a time."""
        heap: TimeHeap[int] = TimeHeap()
        model: list[tuple[int, int]] = []
        for number, (time, now) in enumerate(steps):
            heap.push(time, number)
            model.append((time, number))
            model.sort()
            due = [item for item in model if item[0] <= now]
            model = model[len(due) :]
            assert heap.pop_due(now) == [number for _, number in due]
            assert heap.next_time == (model[0][0] if model else math.inf)
            assert len(heap) == len(model)
            if model:
                assert heap.first == model[0][1]
        assert [heap.pop() for _ in model] == model

    def test_clearing_tells_how_many_there_were(self) -> None:
        heap: TimeHeap[str] = TimeHeap()
        heap.push(1.0, "a")
        heap.push(1.0, "b")
        assert heap.clear() == 2
        assert heap.next_time == math.inf


class TestTimerQueue:
    def test_items_are_popped_at_their_earliest_deadline(self) -> None:
        timers: TimerQueue[str] = TimerQueue()
        assert timers.schedule("a", 5)
        assert not timers.schedule("b", 7)
        assert timers.schedule("b", 3)
        assert not timers.schedule("b", 9)  # moves away lazily
        assert timers.next_deadline == 3
        assert timers.pop_due(2.9) == []
        assert timers.pop_due(6) == ["b", "a"]
        assert timers.pop_due(100) == []

    def test_cancelled_items_are_never_popped(self) -> None:
        timers: TimerQueue[str] = TimerQueue()
        timers.schedule("a", 5)
        timers.cancel("a")
        timers.cancel("unknown")
        assert timers.pop_due(10) == []
        assert not timers.schedule("a", math.inf)
        assert timers.next_deadline == math.inf

    def test_dead_items_do_not_pile_up(self) -> None:
        timers: TimerQueue[int] = TimerQueue()
        for number in range(10_000):
            timers.schedule(number, 1e6 + number)
            timers.cancel(number)
        assert len(timers) == 0
        assert len(timers._heap) < 200

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), max_size=100))
    def test_every_item_is_popped_no_later_than_asked(self, calls: list[tuple[int, int]]) -> None:
        timers: TimerQueue[int] = TimerQueue()
        asked: dict[int, float] = {}
        for item, deadline in calls:
            timers.schedule(item, deadline)
            asked[item] = min(asked.get(item, math.inf), deadline)
        for now in range(51):
            for item in timers.pop_due(now):
                assert asked.pop(item) == now
        assert asked == {}
