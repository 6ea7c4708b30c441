"""Lanes: in order within one, fair among peers and then among the lanes of each, and bounded.

Lanes exist in nym-client-core 1.21.6 too (src/client/transmission_buffer.rs), unbounded and with a
random choice; here they take turns.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from nymproxy.mixnet.traffic.outgoing import ControlLane
from nymproxy.mixnet.traffic.standing import Rank

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from nymproxy.mixnet.traffic.outgoing import Lane

_Item = TypeVar("_Item")

_PROVEN_FIRST: Final = (Rank.PROVEN, Rank.NEW, Rank.SILENT)
_NEW_FIRST: Final = (Rank.NEW, Rank.PROVEN, Rank.SILENT)
_SILENT_FIRST: Final = (Rank.SILENT, Rank.PROVEN, Rank.NEW)
_SLOTS: Final = (*(_PROVEN_FIRST, _NEW_FIRST) * 3, _PROVEN_FIRST, _SILENT_FIRST)
"""Whose turn it is, slot by slot, again and again; who comes next if they have nothing."""

_FRESH_TURNS: Final = 4
"""An answer of 6 kB."""


class _Peer(Generic[_Item]):
    """What waits for one peer: in callers' lanes, which take turns, and in control lanes."""

    __slots__ = ("callers", "control", "key", "rank")

    def __init__(self, key: Hashable, rank: Rank) -> None:
        self.key = key
        self.rank = rank
        self.callers: OrderedDict[int, deque[_Item]] = OrderedDict()
        self.control: dict[ControlLane, deque[_Item]] = {}

    def push(self, lane: Lane, item: _Item) -> None:
        if isinstance(lane, ControlLane):
            self.control.setdefault(lane, deque()).append(item)
        else:
            self.callers.setdefault(lane, deque()).append(item)

    def pop_control(self, lane: ControlLane) -> _Item:
        queue = self.control[lane]
        item = queue.popleft()
        if not queue:
            del self.control[lane]
        return item

    def pop_callers(self) -> _Item:
        lane, queue = self.callers.popitem(last=False)
        item = queue.popleft()
        if queue:
            self.callers[lane] = queue
        return item


class _Turns(Generic[_Item]):
    """Peers that take turns. One for which nothing waited has its first few before the others, in
    every second slot: a short answer does not wait for a round of long ones."""

    __slots__ = ("_fresh", "_fresh_next", "_others")

    def __init__(self) -> None:
        self._fresh: OrderedDict[_Peer[_Item], int] = OrderedDict()
        self._others: OrderedDict[_Peer[_Item], None] = OrderedDict()
        self._fresh_next = True

    def __bool__(self) -> bool:
        return bool(self._fresh or self._others)

    def join(self, peer: _Peer[_Item]) -> None:
        """Add a peer, unless it waits for its turn."""
        if peer not in self._others:
            self._fresh.setdefault(peer, _FRESH_TURNS)

    def leave(self, peer: _Peer[_Item]) -> None:
        """Remove a peer."""
        self._fresh.pop(peer, None)
        self._others.pop(peer, None)

    def take(self) -> tuple[_Peer[_Item], int]:
        """Take the next peer out, with the turns that it still has before others."""
        is_fresh = bool(self._fresh) and (self._fresh_next or not self._others)
        self._fresh_next = not (is_fresh and self._others)
        if is_fresh:
            peer, turns = self._fresh.popitem(last=False)
            return peer, turns - 1
        return self._others.popitem(last=False)[0], 0

    def queue(self, peer: _Peer[_Item], turns: int) -> None:
        """Put a peer that was taken out behind all that are before others as it is, or not."""
        if turns:
            self._fresh[peer] = turns
        else:
            self._others[peer] = None


class _Class(Generic[_Item]):
    """The turns of all peers of one rank. Control lanes get every second slot."""

    __slots__ = ("_control_next", "callers", "control")

    def __init__(self) -> None:
        self.callers: _Turns[_Item] = _Turns()
        self.control: OrderedDict[ControlLane, _Turns[_Item]] = OrderedDict()
        self._control_next = True

    def __bool__(self) -> bool:
        return bool(self.callers or self.control)

    def join(self, peer: _Peer[_Item]) -> None:
        """Give a peer its turns, where it has none and something waits."""
        if peer.callers:
            self.callers.join(peer)
        for lane in peer.control:
            if lane not in self.control:
                self.control[lane] = _Turns()
            self.control[lane].join(peer)

    def leave(self, peer: _Peer[_Item]) -> None:
        """Take all turns of a peer back."""
        self.callers.leave(peer)
        for lane in peer.control:
            self.control[lane].leave(peer)
            if not self.control[lane]:
                del self.control[lane]

    def pop(self) -> tuple[_Peer[_Item], _Item]:
        """Take the next item, and whose it is."""
        is_control = bool(self.control) and (self._control_next or not self.callers)
        self._control_next = not is_control
        return self._pop_control() if is_control else self._pop_callers()

    def _pop_callers(self) -> tuple[_Peer[_Item], _Item]:
        peer, turns = self.callers.take()
        item = peer.pop_callers()
        if peer.callers:
            self.callers.queue(peer, turns)
        return peer, item

    def _pop_control(self) -> tuple[_Peer[_Item], _Item]:
        lane, peers = self.control.popitem(last=False)
        peer, turns = peers.take()
        item = peer.pop_control(lane)
        if lane in peer.control:
            peers.queue(peer, turns)
        if peers:
            self.control[lane] = peers
        return peer, item


class Lanes(Generic[_Item]):
    """What waits to leave, by lane.

    Peers take turns, whatever the number of their lanes, and the lanes of a peer do among
    themselves. Control lanes take turns, too, and in each of them the peers; they get every second
    slot when they have something. So neither one side nor one peer can starve the others.

    All that is among the peers of one rank. Of eight slots, four are for proven ones, three for new
    ones and one for silent ones; what one rank leaves goes to the others, in this order. The bound
    is kept by :class:`~nymproxy.mixnet.traffic.room.Room`, before anything is pushed.

    Args:
        rank_of: tells the rank of a peer, by its key.
    """

    __slots__ = ("_classes", "_count", "_peers", "_rank_of", "_slot")

    def __init__(self, rank_of: Callable[[Hashable], Rank]) -> None:
        self._rank_of = rank_of
        self._classes: dict[Rank, _Class[_Item]] = {rank: _Class() for rank in Rank}
        self._peers: dict[Hashable, _Peer[_Item]] = {}
        self._count = 0
        self._slot = 0

    def __len__(self) -> int:
        return self._count

    def push(self, lane: Lane, key: Hashable, item: _Item) -> None:
        """Append to a lane something that goes to the peer of a key."""
        peer = self._peers.get(key)
        if peer is None:
            peer = self._peers[key] = _Peer(key, self._rank_of(key))
        peer.push(lane, item)
        self._classes[peer.rank].join(peer)
        self._count += 1

    def rank(self, key: Hashable) -> None:
        """Take note that the rank of a peer may have changed: what waits for it goes along."""
        peer = self._peers.get(key)
        if peer is not None and peer.rank is not (rank := self._rank_of(key)):
            self._classes[peer.rank].leave(peer)
            peer.rank = rank
            self._classes[rank].join(peer)

    def pop(self) -> _Item | None:
        """Take the next item, or ``None`` if nothing waits."""
        if not self._count:
            return None
        self._count -= 1
        ranks = _SLOTS[self._slot]
        self._slot = (self._slot + 1) % len(_SLOTS)
        peer, item = next(filter(None, map(self._classes.__getitem__, ranks))).pop()
        self._forget_empty(peer)
        return item

    def discard(self, lane: int) -> list[_Item]:
        """Empty a caller's lane, for all peers; return what was in it."""
        dropped: list[_Item] = []
        for peer in list(self._peers.values()):
            queue = peer.callers.pop(lane, None)
            if queue is not None:
                dropped += queue
                if not peer.callers:
                    self._classes[peer.rank].callers.leave(peer)
                self._forget_empty(peer)
        self._count -= len(dropped)
        return dropped

    def _forget_empty(self, peer: _Peer[_Item]) -> None:
        if not (peer.callers or peer.control):
            del self._peers[peer.key]
