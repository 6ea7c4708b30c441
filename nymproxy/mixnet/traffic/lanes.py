"""Lanes: in order within one, fair among peers and then among the lanes of each, and bounded.

Lanes exist in nym-client-core 1.21.6 too (src/client/transmission_buffer.rs), unbounded and with a
random choice; here they take turns.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.mixnet.traffic.outgoing import ControlLane

if TYPE_CHECKING:
    from collections.abc import Hashable

    from nymproxy.mixnet.traffic.outgoing import Lane

_Item = TypeVar("_Item")


class _Queue(Generic[_Item]):
    __slots__ = ("items", "key")

    def __init__(self, key: Hashable, item: _Item) -> None:
        self.key = key
        self.items = deque((item,))


class _Group(Generic[_Item]):
    """Queues that take turns; an emptied one is forgotten."""

    __slots__ = ("by_key", "key", "turns")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.by_key: dict[Hashable, _Queue[_Item]] = {}
        self.turns: deque[_Queue[_Item]] = deque()

    def push(self, key: Hashable, item: _Item) -> None:
        queue = self.by_key.get(key)
        if queue is None:
            queue = self.by_key[key] = _Queue(key, item)
            self.turns.append(queue)
        else:
            queue.items.append(item)

    def pop(self) -> _Item:
        queue = self.turns.popleft()
        item = queue.items.popleft()
        if queue.items:
            self.turns.append(queue)
        else:
            del self.by_key[queue.key]
        return item

    def discard(self, key: Hashable) -> list[_Item]:
        queue = self.by_key.pop(key, None)
        if queue is None:
            return []
        self.turns.remove(queue)
        return list(queue.items)


class _Groups(Generic[_Item]):
    """Groups that take turns, each with one item of the queue whose turn it is in it."""

    __slots__ = ("_by_key", "_turns")

    def __init__(self) -> None:
        self._by_key: dict[Hashable, _Group[_Item]] = {}
        self._turns: deque[_Group[_Item]] = deque()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def push(self, group_key: Hashable, key: Hashable, item: _Item) -> None:
        group = self._by_key.get(group_key)
        if group is None:
            group = self._by_key[group_key] = _Group(group_key)
            self._turns.append(group)
        group.push(key, item)

    def pop(self) -> _Item:
        group = self._turns.popleft()
        item = group.pop()
        if group.turns:
            self._turns.append(group)
        else:
            del self._by_key[group.key]
        return item

    def discard(self, key: Hashable) -> list[_Item]:
        """Empty the queues of this key in all groups."""
        dropped = []
        for group in list(self._turns):
            dropped += group.discard(key)
            if not group.turns:
                del self._by_key[group.key]
                self._turns.remove(group)
        return dropped


class Lanes(Generic[_Item]):
    """What waits to leave, by lane.

    Peers take turns, whatever the number of their lanes, and the lanes of a peer do among
    themselves. Control lanes take turns, too, and in each of them the peers; they get every second
    slot when they have something. So neither one side nor one peer can starve the others. The
    bound is kept by :class:`~nymproxy.mixnet.traffic.room.Room`, before anything is pushed.
    """

    __slots__ = ("_callers", "_control", "_control_next", "_count")

    def __init__(self) -> None:
        self._callers: _Groups[_Item] = _Groups()
        self._control: _Groups[_Item] = _Groups()
        self._control_next = True
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, lane: Lane, peer: Hashable, item: _Item) -> None:
        """Append to a lane something that goes to a peer."""
        if isinstance(lane, ControlLane):
            self._control.push(lane, peer, item)
        else:
            self._callers.push(peer, lane, item)
        self._count += 1

    def pop(self) -> _Item | None:
        """Take the next item, or ``None`` if nothing waits."""
        if not self._count:
            return None
        self._count -= 1
        if self._control and (self._control_next or not self._callers):
            self._control_next = False
            return self._control.pop()
        self._control_next = True
        return self._callers.pop()

    def discard(self, lane: int) -> list[_Item]:
        """Empty a caller's lane; return what was in it."""
        dropped = self._callers.discard(lane)
        self._count -= len(dropped)
        return dropped
