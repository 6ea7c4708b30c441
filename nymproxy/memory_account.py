"""What others make a process keep, in one account with a maximum and a stated victim.

After arti's tor-memquota: one account, in which everything is charged that strangers can make a
process keep; a maximum; and when it is passed, somebody loses what it has until a low-water mark is
reached. Sans-IO. An account belongs to one event loop; clients that share one share the maximum.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from nymproxy._arguments import check_number
from nymproxy._memory_limit import default_memory_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_logger = logging.getLogger("nymproxy.memory")

MINIMUM_BYTES: Final = 1 << 20
_LOW_WATER: Final = 0.75


class MemoryShare:
    """What one holder has charged, for one owner. Made by :meth:`MemoryAccount.share`."""

    __slots__ = ("_account", "_is_closed", "_owner", "_reclaim", "held_bytes")

    def __init__(
        self, account: MemoryAccount, owner: _Owner, reclaim: Callable[[], None] | None
    ) -> None:
        self._account = account
        self._owner = owner
        self._reclaim = reclaim
        self._is_closed = False
        self.held_bytes = 0
        """What it holds now."""

    def hold(self, total_bytes: int) -> None:
        """Say how much is held now, in all. Nothing is taken away before
        :meth:`MemoryAccount.settle`. A closed share takes no notice."""
        if self._is_closed:
            return
        growth = total_bytes - self.held_bytes
        self.held_bytes = total_bytes
        self._owner.held_bytes += growth
        self._account.used_bytes += growth

    def close(self) -> None:
        """Hold nothing any more, for good. Idempotent."""
        self.hold(0)
        self._is_closed = True
        self._reclaim = None  # the holder has the share: it would wait for the garbage collector
        self._account.forget(self, self._owner)

    def reclaim(self) -> None:
        """Have the holder give back what it can. Only the account calls this."""
        if self._reclaim is not None and self.held_bytes:
            self._reclaim()


class _Owner:
    __slots__ = ("held_bytes", "key", "number", "shares")

    def __init__(self, key: Hashable, number: int) -> None:
        self.key = key
        self.number = number
        self.held_bytes = 0
        self.shares: dict[MemoryShare, None] = {}


class MemoryAccount:
    """Everything that others make a process keep.

    When it holds more than the maximum, the owner (a peer) that holds most loses what it has, share
    by share in the order in which they were opened, until it has no more than an equal part; of
    equal ones the one that came first; then the next, until no more than three quarters of the
    maximum are held. So a peer whose reply SURBs are many loses these, and keeps its channels. Who
    has no more than an equal part is never touched. What belongs to no peer alone (messages in
    pieces, keys of reply SURBs) is touched last, the largest first.
    Above three quarters, who can wait holds no more for those that have more than their part
    (:meth:`is_over_share`).

    Args:
        maximum_bytes: by default a quarter of what the process may use, at most 1 GiB. The figures
            are of what is held; the process itself comes on top.

    Raises:
        ConfigurationError: less than 1 MiB.
    """

    def __init__(self, maximum_bytes: int | None = None) -> None:
        maximum = default_memory_limit() if maximum_bytes is None else maximum_bytes
        check_number(maximum, "the memory limit, in bytes,", least=MINIMUM_BYTES, whole=True)
        self.maximum_bytes = maximum
        self.used_bytes = 0
        """What all hold together."""
        self.reclaimed_bytes: int = 0
        """What was taken away so far."""
        self._owners: dict[Hashable, _Owner] = {}
        self._common: dict[MemoryShare, None] = {}
        self._nobody = _Owner(None, 0)
        self._count = 0
        self._is_reclaiming = False

    def share(
        self, owner: Hashable | None, reclaim: Callable[[], None] | None = None
    ) -> MemoryShare:
        """Open a share.

        Args:
            owner: the peer whom it is held for; ``None``: nobody alone.
            reclaim: gives back what can be given back, and says so with :meth:`MemoryShare.hold`.
                Without it, the share counts and is never reclaimed.
        """
        if owner is None:
            share = MemoryShare(self, self._nobody, reclaim)
            self._common[share] = None
            return share
        holder = self._owners.get(owner)
        if holder is None:
            self._count += 1
            holder = self._owners[owner] = _Owner(owner, self._count)
        share = MemoryShare(self, holder, reclaim)
        holder.shares[share] = None
        return share

    def forget(self, share: MemoryShare, owner: _Owner) -> None:
        """Close a share; :meth:`MemoryShare.close` does it."""
        self._common.pop(share, None)
        owner.shares.pop(share, None)
        if not owner.shares:
            self._owners.pop(owner.key, None)

    def is_over_share(self, owner: Hashable) -> bool:
        """Tell whether no more should be held for a peer: the account is above its low-water mark,
        and what is held for the peer above an equal part of that."""
        low_water = self.maximum_bytes * _LOW_WATER
        return self.used_bytes > low_water < self.held_by(owner) * len(self._owners)

    def held_by(self, owner: Hashable) -> int:
        """Return what is held for a peer."""
        holder = self._owners.get(owner)
        return 0 if holder is None else holder.held_bytes

    def settle(self) -> None:
        """Take away what is too much. Called after each event that may have made it grow, when no
        holder is in the middle of something."""
        if self.used_bytes > self.maximum_bytes and not self._is_reclaiming:
            self._is_reclaiming = True
            try:
                self._reclaim()
            finally:
                self._is_reclaiming = False

    def _reclaim(self) -> None:
        before = self.used_bytes
        low_water = int(self.maximum_bytes * _LOW_WATER)
        # Without those above an equal part, the others are below the mark together.
        equal_part = low_water / max(1, len(self._owners))
        losers = [each for each in self._owners.values() if each.held_bytes > equal_part]
        losers.sort(key=lambda each: (-each.held_bytes, each.number))
        shares = [(owner, share) for owner in losers for share in owner.shares]
        common = sorted(self._common, key=lambda each: -each.held_bytes)
        for owner, share in [*shares, *((None, each) for each in common)]:
            if self.used_bytes <= low_water:
                break
            if owner is None or owner.held_bytes > equal_part:
                share.reclaim()
        taken = before - self.used_bytes
        self.reclaimed_bytes += taken
        _logger.warning(
            "peers made us hold %d of %d MiB: %d MiB were taken from those that held most",
            before >> 20,
            self.maximum_bytes >> 20,
            taken >> 20,
        )
