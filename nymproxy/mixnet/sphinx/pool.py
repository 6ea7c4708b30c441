"""Headers prepared in idle time, so that a packet costs only its payload layers when it is due."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.errors import NymError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_logger = logging.getLogger("nymproxy.mixnet.sphinx")


Prepared = TypeVar("Prepared")


@dataclass(slots=True)
class _Shelf(Generic[Prepared]):
    build: Callable[[], Prepared]
    target: int
    headers: deque[Prepared] = field(default_factory=deque)
    is_resting: bool = False


class HeaderPool(Generic[Prepared]):
    """A bounded store of prepared headers, and what else is prepared with them, by purpose.

    A purpose is any hashable that the caller chooses, such as ``("ack", gateway)``: everything in
    which its headers agree. It is registered with a builder that draws a fresh route and delays.
    The caller calls :meth:`fill_one` while it has nothing better to do and the pool is
    :attr:`draining`. Entries are handed out once, oldest first.

    The bound: at most ``max_purposes`` purposes (the one not used for longest is forgotten for a
    new one) with at most their target of entries each, about 2 KB an entry.
    """

    def __init__(self, *, max_purposes: int = 16, max_entries_per_purpose: int = 256) -> None:
        if max_purposes < 1 or max_entries_per_purpose < 1:
            raise UsageError("a header pool needs room for at least one purpose and one entry")
        self._max_purposes = max_purposes
        self._max_entries = max_entries_per_purpose
        self._shelves: OrderedDict[Hashable, _Shelf[Prepared]] = OrderedDict()
        self.draining = False
        """True from when a purpose has less than half of its target until all have the whole.

        One header after the other, each while the code for it is still at hand, costs a third less
        than one after each packet.
        """

    def __len__(self) -> int:
        return sum(len(shelf.headers) for shelf in self._shelves.values())

    def register(self, purpose: Hashable, build: Callable[[], Prepared], *, target: int) -> None:
        """Ask for ``target`` entries (cut to the pool's bound) of a purpose.

        Registering a known purpose replaces its builder and target, and keeps its entries.
        """
        if target < 1:
            raise UsageError(f"a purpose needs a target of at least one entry, not {target}")
        target = min(target, self._max_entries)
        shelf = self._shelves.get(purpose)
        if shelf is None:
            if len(self._shelves) >= self._max_purposes:
                self._shelves.popitem(last=False)
            self._shelves[purpose] = shelf = _Shelf(build, target)
        shelf.build, shelf.target, shelf.is_resting = build, target, False
        self._shelves.move_to_end(purpose)
        self._look_at(shelf)

    def forget(self, purpose: Hashable) -> None:
        """Drop a purpose with its entries; unknown ones are ignored."""
        self._shelves.pop(purpose, None)

    def take(self, purpose: Hashable) -> Prepared | None:
        """Hand out the oldest entry of a purpose; ``None`` if there is none."""
        shelf = self._shelves.get(purpose)
        if shelf is None:
            return None
        self._shelves.move_to_end(purpose)
        header = shelf.headers.popleft() if shelf.headers else None
        self._look_at(shelf)
        return header

    def fill_one(self) -> bool:
        """Build one entry for the purpose that lacks most of its target.

        A purpose whose builder fails (no route there now) rests until :meth:`clear` or
        :meth:`register`: its users build without the pool and see the error themselves.

        Returns:
            True when another call may have something to do.
        """
        shelf = self._neediest()
        if shelf is None:
            self.draining = False
            return False
        try:
            shelf.headers.append(shelf.build())
        except NymError as error:
            shelf.is_resting = True
            _logger.debug("no headers are prepared for one purpose for now: %s", error)
        return True

    def clear(self) -> None:
        """Drop all entries, keep the purposes: the topology or the key rotation has changed.

        Purposes that name another gateway than before are dropped with :meth:`forget`.
        """
        for shelf in self._shelves.values():
            shelf.headers.clear()
            shelf.is_resting = False
            self.draining = True

    def _look_at(self, shelf: _Shelf[Prepared]) -> None:
        if 2 * len(shelf.headers) < shelf.target and not shelf.is_resting:
            self.draining = True

    def _neediest(self) -> _Shelf[Prepared] | None:
        best = None
        best_fill = 1.0
        for shelf in self._shelves.values():
            fill = len(shelf.headers) / shelf.target
            if fill < best_fill and not shelf.is_resting:
                best, best_fill = shelf, fill
        return best
