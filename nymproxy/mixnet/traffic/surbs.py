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


class _Held(NamedTuple):
    surb: ReplySurb
    received_at: float


class SurbStock:
    """A bounded, first-in-first-out store of SURBs: fresh ones, and stale ones of another rotation.

    A SURB is fresh if its marker is that of the current key rotation (or unknown). The nodes keep
    the keys of the previous rotation for an epoch, so stale SURBs still work for a while: they
    are used when no fresh ones are left, and dropped by age.

    Args:
        rotation: the current one.
        maximum: how many are kept.
        share: where they are charged.
    """

    __slots__ = ("_fresh", "_maximum", "_share", "_stale", "rotation")

    def __init__(
        self, rotation: KeyRotation, maximum: int, share: MemoryShare | None = None
    ) -> None:
        self.rotation = rotation
        self._maximum = maximum
        self._share = share
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
            queue = self._fresh if self._is_fresh(surb) else self._stale
            queue.append(_Held(surb, now))
        while len(self) > self._maximum:
            (self._stale or self._fresh).popleft()
        self._charge()

    def take(self) -> ReplySurb | None:
        """Take one out for use, fresh before stale, oldest first; ``None`` if there is none."""
        queue = self._fresh or self._stale
        if not queue:
            return None
        surb = queue.popleft().surb
        self._charge()
        return surb

    def clear(self) -> None:
        """Drop all of them."""
        self._fresh.clear()
        self._stale.clear()
        self._charge()

    def close(self) -> None:
        """Charge nothing any more: the sender is forgotten."""
        if self._share is not None:
            self._share.close()

    def rotate(self, rotation: KeyRotation, keep_since: float) -> None:
        """Sort again after a change of the key rotation.

        Args:
            rotation: the marker of the new rotation.
            keep_since: SURBs that were stale before and are older go: their parity is that of the
                new rotation, but they were made for the one two before it. (Younger ones come
                from a sender who saw the change before us.)
        """
        self.rotation = rotation
        kept = [held for held in self._stale if held.received_at >= keep_since]
        everything = sorted([*self._fresh, *kept], key=lambda held: held.received_at)
        self._fresh = deque(held for held in everything if self._is_fresh(held.surb))
        self._stale = deque(held for held in everything if not self._is_fresh(held.surb))
        self._charge()

    def drop_stale(self, received_before: float) -> None:
        """Drop the stale SURBs received before a time: the nodes have forgotten their keys."""
        while self._stale and self._stale[0].received_at < received_before:
            self._stale.popleft()
        self._charge()

    def _charge(self) -> None:
        if self._share is not None:
            self._share.hold(len(self) * SURB_BYTES)

    def _is_fresh(self, surb: ReplySurb) -> bool:
        return (
            surb.rotation == self.rotation
            or KeyRotation.UNKNOWN in (surb.rotation, self.rotation)  # nodes try all their keys
        )


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
