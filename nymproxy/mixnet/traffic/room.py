"""How many packets may wait: under each key (a lane, a sender tag), and under all together."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Reservation:
    """A place for the packets of one message; ``granted`` turns true once, by :class:`Room`."""

    __slots__ = ("_on_granted", "granted", "key", "packets", "peer")

    def __init__(
        self, key: Hashable, peer: Hashable, packets: int, on_granted: Callable[[], None]
    ) -> None:
        self.key = key
        self.peer = peer
        self.packets = packets
        self.granted = False
        self._on_granted = on_granted

    def grant(self) -> None:
        """Tell the waiter. Only :class:`Room` calls this."""
        self.granted = True
        self._on_granted()


class _Peer:
    __slots__ = ("key", "keys", "packets")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.keys = 0
        self.packets = 0


class _Use:
    __slots__ = ("packets", "peer")

    def __init__(self, peer: _Peer) -> None:
        self.peer = peer
        self.packets = 0


class Room:
    """Admits messages, each whole, when their key and the total are below their limits.

    They are admitted in the order of asking for each key; peers that wait for the total take turns,
    and so do the keys of each. A key below ``quota``, of a peer below ``peer_quota``, does not wait
    for the total: others may fill it, and nobody is held up by them. Beyond twice the total that
    is so of a key without anything alone. So a limit is exceeded by at most one message of each
    key, and no size starves.

    Args:
        limit: packets of one key.
        total_limit: packets of all keys.
        quota: packets of one key that do not depend on the total.
        peer_quota: the same for all keys of a peer.
        on_full: called with a key that is about to wait for the total, and with whether that is
            crowded, and this the first of its key; may release something.
    """

    __slots__ = (
        "_blocked",
        "_limit",
        "_on_full",
        "_peer_quota",
        "_peers",
        "_quota",
        "_total_limit",
        "_uses",
        "_waiting",
        "total",
    )

    def __init__(
        self,
        limit: int,
        total_limit: int,
        *,
        quota: int = 0,
        peer_quota: int = 0,
        on_full: Callable[[Hashable, bool], None] | None = None,
    ) -> None:
        self._limit = limit
        self._total_limit = total_limit
        self._quota = quota
        self._peer_quota = peer_quota
        self._on_full = on_full
        self._uses: dict[Hashable, _Use] = {}
        self._peers: dict[Hashable, _Peer] = {}
        self._waiting: dict[Hashable, deque[Reservation]] = {}
        # Of those that wait, the keys that are below their own limit, by peer.
        self._blocked: OrderedDict[Hashable, OrderedDict[Hashable, None]] = OrderedDict()
        self.total = 0
        """Packets admitted, neither released nor parked, under all keys."""

    def used(self, key: Hashable) -> int:
        """Return the packets admitted under ``key`` and not released, parked ones included."""
        use = self._uses.get(key)
        return 0 if use is None else use.packets

    def reserve(
        self,
        key: Hashable,
        packets: int,
        on_granted: Callable[[], None],
        *,
        peer: Hashable = None,
    ) -> Reservation:
        """Ask for room; the reservation is granted at once, or later by a release.

        Args:
            key: what it is for.
            packets: how many.
            on_granted: called, synchronously, only if the grant comes later.
            peer: whose key it is; by default its own.
        """
        peer = key if peer is None else peer
        reservation = Reservation(key, peer, packets, on_granted)
        queue = self._waiting.get(key)
        if queue is not None:
            queue.append(reservation)
            return reservation
        if self.total >= self._total_limit and self._on_full is not None:
            self._on_full(key, self._is_crowded and not self.used(key))
        if self._admits(reservation):
            reservation.granted = True
            self._take(reservation)
        else:
            self._waiting[key] = deque((reservation,))
            self._note_blocked(reservation)
        return reservation

    def cancel(self, reservation: Reservation) -> None:
        """Give a reservation back: a waiting one leaves the queue, a granted one is released."""
        key = reservation.key
        if reservation.granted:
            self.release(key, reservation.packets)
            return
        queue = self._waiting.get(key)
        if queue is None or reservation not in queue:
            return
        if queue[0] is not reservation:
            queue.remove(reservation)
            return
        self._unblock(reservation)
        queue.popleft()
        if queue:
            self._note_blocked(queue[0])
            self._grant(key)
        else:
            del self._waiting[key]

    def release(self, key: Hashable, packets: int = 1, *, parked: bool = False) -> None:
        """Record that packets do not wait any more, and admit who can go now."""
        use = self._uses[key]
        peer = use.peer
        use.packets -= packets
        peer.packets -= packets
        if not use.packets:
            del self._uses[key]
            peer.keys -= 1
            if not peer.keys:
                del self._peers[peer.key]
        if not parked:
            self.total -= packets
        if self._waiting:
            self._grant(key)
            blocked = self._blocked.get(peer.key)
            if blocked is not None:
                self._grant_one(next(iter(blocked)))
            self._fill_total()

    def park(self, key: Hashable, packets: int = 1) -> None:
        """Take packets out of the total: they wait for something else now. Under their key they
        still count."""
        assert key in self._uses
        self.total -= packets
        self._fill_total()

    def unpark(self, packets: int = 1) -> None:
        """Count packets again, whatever the limit."""
        self.total += packets

    # Inside.

    @property
    def _is_crowded(self) -> bool:
        """True when even quotas have filled the total again."""
        return self.total >= 2 * self._total_limit

    def _admits(self, reservation: Reservation) -> bool:
        used = self.used(reservation.key)
        if used >= self._limit:
            return False
        if self.total < self._total_limit:
            return True
        if used and self._is_crowded:
            return False
        peer = self._peers.get(reservation.peer)
        return used < self._quota and (peer is None or peer.packets < self._peer_quota)

    def _take(self, reservation: Reservation) -> None:
        use = self._uses.get(reservation.key)
        if use is None:
            peer = self._peers.get(reservation.peer)
            if peer is None:
                peer = self._peers[reservation.peer] = _Peer(reservation.peer)
            peer.keys += 1
            use = self._uses[reservation.key] = _Use(peer)
        use.packets += reservation.packets
        use.peer.packets += reservation.packets
        self.total += reservation.packets

    def _grant(self, key: Hashable) -> None:
        while self._grant_one(key):
            pass

    def _fill_total(self) -> None:
        while self._blocked and self.total < self._total_limit:
            peer, keys = next(iter(self._blocked.items()))
            self._blocked.move_to_end(peer)
            self._grant_one(next(iter(keys)))

    def _grant_one(self, key: Hashable) -> bool:
        """Grant the first reservation of a key, if it can be. What that leads to may call this
        room again before it returns."""
        queue = self._waiting.get(key)
        if queue is None:
            return False
        reservation = queue[0]
        self._unblock(reservation)
        if not self._admits(reservation):
            self._note_blocked(reservation)
            return False
        queue.popleft()
        self._take(reservation)
        if queue:
            self._note_blocked(queue[0])
        else:
            del self._waiting[key]
        reservation.grant()
        return True

    def _note_blocked(self, reservation: Reservation) -> None:
        if self.used(reservation.key) < self._limit:
            keys = self._blocked.get(reservation.peer)
            if keys is None:
                keys = self._blocked[reservation.peer] = OrderedDict()
            keys[reservation.key] = None

    def _unblock(self, reservation: Reservation) -> None:
        keys = self._blocked.get(reservation.peer)
        if keys is not None:
            keys.pop(reservation.key, None)
            if not keys:
                del self._blocked[reservation.peer]
