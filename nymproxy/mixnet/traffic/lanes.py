"""Lanes: in order within one, fair among them, and bounded.

Lanes exist in nym-client-core 1.21.6 too (src/client/transmission_buffer.rs), unbounded and with a
random choice; here they take turns.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.mixnet.traffic.outgoing import ControlLane

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from nymproxy.mixnet.traffic.outgoing import Lane

_Item = TypeVar("_Item")


class _Ring(Generic[_Item]):
    """Queues that take turns; an emptied one is forgotten."""

    __slots__ = ("_queues", "_turns")

    def __init__(self) -> None:
        self._queues: dict[Lane, deque[_Item]] = {}
        self._turns: deque[Lane] = deque()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def push(self, lane: Lane, item: _Item) -> None:
        queue = self._queues.get(lane)
        if queue is None:
            self._queues[lane] = deque((item,))
            self._turns.append(lane)
        else:
            queue.append(item)

    def pop(self) -> tuple[Lane, _Item]:
        lane = self._turns[0]
        queue = self._queues[lane]
        item = queue.popleft()
        if queue:
            self._turns.rotate(-1)
        else:
            del self._queues[lane]
            self._turns.popleft()
        return lane, item

    def discard(self, lane: Lane) -> list[_Item]:
        queue = self._queues.pop(lane, None)
        if queue is None:
            return []
        self._turns.remove(lane)
        return list(queue)

    def waiting(self, lane: Lane) -> int:
        queue = self._queues.get(lane)
        return 0 if queue is None else len(queue)


class Lanes(Generic[_Item]):
    """What waits to leave, by lane.

    Callers' lanes take turns. The control lanes take turns among themselves and get every second
    slot when they have something, so that neither side can starve the other. The bound is kept
    by :class:`Room`, before anything is pushed.
    """

    __slots__ = ("_callers", "_control", "_control_next", "_count")

    def __init__(self) -> None:
        self._callers: _Ring[_Item] = _Ring()
        self._control: _Ring[_Item] = _Ring()
        self._control_next = True
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def waiting(self, lane: Lane) -> int:
        """Return how much waits in one lane."""
        return self._ring(lane).waiting(lane)

    def push(self, lane: Lane, item: _Item) -> None:
        """Append to a lane."""
        self._ring(lane).push(lane, item)
        self._count += 1

    def pop(self) -> tuple[Lane, _Item] | None:
        """Take the next item with its lane, or ``None`` if nothing waits."""
        if not self._count:
            return None
        self._count -= 1
        if self._control and (self._control_next or not self._callers):
            self._control_next = False
            return self._control.pop()
        self._control_next = True
        return self._callers.pop()

    def discard(self, lane: Lane) -> list[_Item]:
        """Empty a lane; return what was in it."""
        dropped = self._ring(lane).discard(lane)
        self._count -= len(dropped)
        return dropped

    def _ring(self, lane: Lane) -> _Ring[_Item]:
        return self._control if isinstance(lane, ControlLane) else self._callers


class Reservation:
    """A place for the packets of one message; ``granted`` turns true once, by :class:`Room`."""

    __slots__ = ("_on_granted", "granted", "key", "packets")

    def __init__(self, key: Hashable, packets: int, on_granted: Callable[[], None]) -> None:
        self.key = key
        self.packets = packets
        self.granted = False
        self._on_granted = on_granted

    def grant(self) -> None:
        """Tell the waiter. Only :class:`Room` calls this."""
        self.granted = True
        self._on_granted()


class Room:
    """How many packets may wait under one key (a lane, a sender tag) and under all together.

    A message is admitted whole when its key and the total are below their limits, in order of
    asking for each key. So a limit is exceeded by at most one message, and no size starves.
    """

    __slots__ = ("_limit", "_total_limit", "_used", "_waiting", "total")

    def __init__(self, limit: int, total_limit: int) -> None:
        self._limit = limit
        self._total_limit = total_limit
        self._used: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[Reservation]] = {}
        self.total = 0
        """Packets admitted and not released, under all keys."""

    def used(self, key: Hashable) -> int:
        """Return the packets admitted under ``key`` and not released."""
        return self._used.get(key, 0)

    def reserve(self, key: Hashable, packets: int, on_granted: Callable[[], None]) -> Reservation:
        """Ask for room; the reservation is granted at once, or later by a release.

        ``on_granted`` is called, synchronously, only if the grant comes later.
        """
        reservation = Reservation(key, packets, on_granted)
        if key not in self._waiting and self._admits(key):
            reservation.granted = True
            self._take(key, packets)
        else:
            self._waiting.setdefault(key, deque()).append(reservation)
        return reservation

    def cancel(self, reservation: Reservation) -> None:
        """Give a reservation back: a waiting one leaves the queue, a granted one is released."""
        if reservation.granted:
            self.release(reservation.key, reservation.packets)
            return
        queue = self._waiting.get(reservation.key)
        if queue is not None and reservation in queue:
            queue.remove(reservation)
            self._grant(reservation.key)

    def release(self, key: Hashable, packets: int = 1) -> None:
        """Record that packets do not wait any more, and admit who can go now."""
        used = self._used[key] - packets
        if used > 0:
            self._used[key] = used
        else:
            del self._used[key]
        was_full = self.total >= self._total_limit
        self.total -= packets
        if not self._waiting:
            return
        for waiting_key in list(self._waiting) if was_full else (key,):
            self._grant(waiting_key)

    def _admits(self, key: Hashable) -> bool:
        return self._used.get(key, 0) < self._limit and self.total < self._total_limit

    def _take(self, key: Hashable, packets: int) -> None:
        self._used[key] = self._used.get(key, 0) + packets
        self.total += packets

    def _grant(self, key: Hashable) -> None:
        # A grant may lead to further calls of this room before it returns.
        while (queue := self._waiting.get(key)) is not None:
            if not queue:
                del self._waiting[key]
            elif self._admits(key):
                reservation = queue.popleft()
                self._take(key, reservation.packets)
                reservation.grant()
            else:
                return
