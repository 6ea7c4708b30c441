"""The reply SURBs held for one anonymous sender, and how fast they are spent.

Rules of nym-client-core-surb-storage 1.21.6 (src/surb_storage.rs), with a bound.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from nymproxy.mixnet.sphinx import KeyRotation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.memory_account import MemoryShare
    from nymproxy.mixnet.messages import ReplySurb


SURB_BYTES: Final = 1_100
"""Memory of one SURB that is held, measured (105 MiB for 100,000)."""

FRAGMENT_BYTES: Final = 2_100
"""Memory of one fragment that waits for a SURB: what a packet holds, and its record."""


class _Held(NamedTuple):
    surb: ReplySurb
    received_at: float
    rotation_id: int | None  # None: the one before or the one after that of its arrival


class SurbStock:
    """A bounded, first-in-first-out store of SURBs: fresh ones, and stale ones of another rotation.

    A SURB tells only the parity of its key rotation; which one it is follows from when it came.
    It is fresh if that is the current rotation (or if it tells none). The nodes keep the keys of
    the previous rotation for an epoch, so stale SURBs still work for a while: they are used when no
    fresh ones are left, and dropped by age. Older ones are dead: those of two rotations ago look
    like those of today, and would be lost one by one.

    Args:
        rotation_id: the current rotation.
        maximum: how many are kept.
        share: where they are charged, with what waits for more of them. What is taken from the
            stock is charged until :meth:`charge`.

    Attributes:
        waiting_fragments: how many wait.
    """

    __slots__ = (
        "_fresh",
        "_maximum",
        "_rotation",
        "_rotation_id",
        "_share",
        "_stale",
        "waiting_fragments",
    )

    def __init__(self, rotation_id: int, maximum: int, share: MemoryShare | None = None) -> None:
        self._rotation_id = rotation_id
        self._rotation = KeyRotation.from_rotation_id(rotation_id)
        self._maximum = maximum
        self._share = share
        self.waiting_fragments = 0
        self._fresh: deque[_Held] = deque()
        self._stale: deque[_Held] = deque()

    @property
    def fresh(self) -> int:
        """How many SURBs of the current rotation are held."""
        return len(self._fresh)

    def __len__(self) -> int:
        return len(self._fresh) + len(self._stale)

    def add(self, surbs: Iterable[ReplySurb], now: float) -> None:
        """Store SURBs; beyond the bound, stale ones go first, then the oldest."""
        for surb in surbs:
            if self._is_fresh(surb):
                self._fresh.append(_Held(surb, now, self._rotation_id))
            else:
                self._stale.append(_Held(surb, now, None))
        while len(self) > self._maximum:
            (self._stale or self._fresh).popleft()
        self.charge()

    def take(self, *, newest: bool = False) -> ReplySurb | None:
        """Take one out for use: of the fresh ones the first, or else the last of the stale ones,
        which works longest; ``None`` if there is none.

        Args:
            newest: take the last to come, whatever it seems to be.
        """
        fresh, stale = self._fresh, self._stale
        if not fresh or (newest and stale and stale[-1].received_at > fresh[-1].received_at):
            return stale.pop().surb if stale else None
        return (fresh.pop() if newest else fresh.popleft()).surb

    def clear(self) -> None:
        """Drop all of them."""
        self._fresh.clear()
        self._stale.clear()
        self.charge()

    def close(self) -> None:
        """Charge nothing any more: the sender is forgotten."""
        if self._share is not None:
            self._share.close()

    def rotate(self, rotation_id: int, keep_since: float) -> None:
        """Sort again after a change of the key rotation.

        After several at once, as when the process stood still, what came lately is stale: it may
        have waited at the gateway, and be dead, too.

        Args:
            rotation_id: the new rotation.
            keep_since: of SURBs whose rotation is too old, or not known, those that are older go.
                (Younger ones come from senders who saw the change before us.)
        """
        held = sorted([*self._fresh, *self._stale], key=lambda each: each.received_at)
        slept = not 0 <= rotation_id - self._rotation_id <= 1
        self._rotation_id = rotation_id
        self._rotation = KeyRotation.from_rotation_id(rotation_id)
        self._fresh.clear()
        self._stale.clear()
        for surb, received_at, made_in in held:
            is_known = made_in is not None and 0 <= rotation_id - made_in <= 1
            if slept and received_at >= keep_since:
                self._stale.append(_Held(surb, received_at, None))
            elif is_known or received_at >= keep_since:
                if self._is_fresh(surb):
                    self._fresh.append(_Held(surb, received_at, rotation_id))
                else:
                    self._stale.append(_Held(surb, received_at, made_in if is_known else None))
        self.charge()

    def drop_stale(self, received_before: float) -> None:
        """Drop the stale SURBs received before a time: the nodes have forgotten their keys. Those
        that are stale since we slept, and have the marker of today, may be of today."""
        kept = [
            each
            for each in self._stale
            if each.received_at >= received_before or self._is_fresh(each.surb)
        ]
        self._stale = deque(kept)
        self.charge()

    def charge(self) -> None:
        """Tell the account how much is held now."""
        if self._share is not None:
            waiting_bytes = self.waiting_fragments * FRAGMENT_BYTES
            self._share.hold(len(self) * SURB_BYTES + waiting_bytes)

    def _is_fresh(self, surb: ReplySurb) -> bool:
        return (
            surb.rotation == self._rotation
            or KeyRotation.UNKNOWN in (surb.rotation, self._rotation)  # nodes try all their keys
        )


class Waking:
    """After a sleep, until the topology is known anew: which SURBs work is not known either.

    A SURB's marker may be that of a rotation long over, and the last to come is used first. After a
    sleep that keys do not outlive none is used at all, for some seconds: what waits to be sent
    again would take the last that work, before anybody knows which these are.

    Attributes:
        has_slept: the last to come is used first.
        holds: none is used.
    """

    _HELD_SECONDS: Final = 3.0

    __slots__ = ("_since", "has_slept", "holds")

    def __init__(self) -> None:
        self.has_slept = self.holds = False
        self._since = -math.inf

    def slept(self, now: float, *, holds: bool) -> None:
        """Take note that the process stood still until now; ``holds``: for longer than keys live
        that are not the newest."""
        self.has_slept = True
        if holds and not self.holds:
            self.holds, self._since = True, now

    def take(self, stock: SurbStock) -> ReplySurb | None:
        """Take a SURB out of a stock, the one that most likely works."""
        return stock.take(newest=self.has_slept)

    def settle(self) -> bool:
        """End it, since the topology is known; tell whether SURBs were held back until now."""
        held, self.holds, self.has_slept = self.holds, False, False
        return held

    def has_held_enough(self, now: float) -> bool:
        """End the holding, if it is time: the directory may be away."""
        is_due = self.holds and now >= self._since + self._HELD_SECONDS
        self.holds = self.holds and not is_due
        return is_due


class SpendingRate:
    """How many SURBs are spent in the near future, judged by the recent past.

    Requests sized by it come before the stock runs dry, so that a steady stream of replies does
    not stop for a round trip every few packets.
    """

    _TIME_CONSTANT_SECONDS: Final = 2.0

    __slots__ = ("_at", "_recent")

    def __init__(self, now: float) -> None:
        self._recent = 0.0
        self._at = now

    def spent(self, count: int, now: float) -> None:
        """Record SURBs used for replies."""
        self._recent = self._decayed(now) + count
        self._at = now

    def expected(self, now: float) -> int:
        """Return about how many were spent in the last two seconds."""
        return int(self._decayed(now))

    def _decayed(self, now: float) -> float:
        if not self._recent:
            return 0.0
        return self._recent * math.exp((self._at - now) / self._TIME_CONSTANT_SECONDS)
