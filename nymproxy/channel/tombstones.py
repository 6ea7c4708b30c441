"""Ids of channels that are over: what still comes for them must not open them again."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.address import SenderTag

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from nymproxy.address import NymAddress
    from nymproxy.channel.link import LastWords
    from nymproxy.channel.spent_ids import SpentIds

K = TypeVar("K", bound="Hashable")

RESET_INTERVAL_SECONDS = 60.0
OFFER_INTERVAL_SECONDS = 1.0
MAX_FAREWELLS = 64
MAX_WORDS = 2048
"""Stones that keep what answers for them; the oldest lose it first."""
WORDS_SECONDS = 360.0
"""How long those stand: a peer that knows no end gives up after five minutes without progress, and
what it asked last may be a minute on its way."""


@dataclass(slots=True)
class Tombstone:
    """One channel that is over.

    Attributes:
        expires_at: when it is forgotten.
        peer: where an answer goes.
        answers: whether data that still comes is answered with a RESET: only if the peer's
            direction had not ended, since a peer that had finished is not sending anything but
            late duplicates.
        words: what answers instead, if anything does.
        last_reset_at: when it was answered last.
        last_offer_at: when a copy of its OFFER was answered last.
    """

    expires_at: float
    peer: NymAddress | SenderTag
    answers: bool
    words: LastWords | None = None
    last_reset_at: float = -math.inf
    last_offer_at: float = -math.inf

    @property
    def addresses(self) -> set[NymAddress | SenderTag]:
        """Who may still answer to it: see :attr:`ChannelLink.addresses`."""
        return {self.peer}

    def may_answer(self, now: float) -> bool:
        """Tell whether to answer now; at most once a minute."""
        if not self.answers or now - self.last_reset_at < RESET_INTERVAL_SECONDS:
            return False
        self.last_reset_at = now
        return True

    def may_answer_offer(self, now: float) -> bool:
        """Tell whether to answer a copy of the opening now; at most once a second."""
        if now - self.last_offer_at < OFFER_INTERVAL_SECONDS:
            return False
        self.last_offer_at = now
        return True


class Tombstones(Generic[K]):
    """Remembers keys for ``lifetime`` seconds, or 360 where something answers for them, and at most
    ``limit`` of them: the oldest go first, but none that an application still holds. That a key was
    used up is remembered far longer.

    Args:
        lifetime: in seconds.
        limit: of stones.
        spent: remembers the keys after their stones.
        identify: returns the bytes by which it does.
    """

    def __init__(
        self,
        *,
        lifetime: float = 600.0,
        limit: int = 10_000,
        spent: SpentIds | None = None,
        identify: Callable[[K], bytes] = lambda key: repr(key).encode(),
    ) -> None:
        self._spent = spent
        self._identify = identify
        self._lifetime = lifetime
        self._limit = limit
        self._stones: OrderedDict[K, Tombstone] = OrderedDict()
        self._held: dict[K, Tombstone] = {}
        self._worded: deque[Tombstone] = deque()  # about as they expire

    def __len__(self) -> int:
        return len(self._stones) + len(self._held)

    def add(
        self,
        key: K,
        peer: NymAddress | SenderTag,
        now: float,
        *,
        answers: bool,
        words: LastWords | None = None,
        is_held: bool = False,
    ) -> None:
        """Remember a key from now on; with ``is_held`` at least until :meth:`release`."""
        # Only what a peer has opened can be opened again: a client that dials keeps no filter.
        if self._spent is not None and isinstance(peer, SenderTag):
            self._spent.add(self._identify(key))
        before = self._stones.get(key)
        if before is not None and words is not None and before.words is words:
            before.expires_at = now + self._lifetime_of(before)  # a dialer asks again and again
            self._stones.move_to_end(key)
            return
        stone = Tombstone(math.inf, peer, answers, words)
        stone.expires_at = now + self._lifetime_of(stone)
        if words is not None:
            self._worded.append(stone)
            if len(self._worded) > MAX_WORDS:
                self._worded.popleft().words = None
        if is_held and len(self._held) < self._limit:
            self._held[key] = stone
        else:
            self._bury(key, stone, now)

    def release(self, key: K, now: float) -> None:
        """Note that nobody holds the channel any more. Idempotent."""
        stone = self._held.pop(key, None)
        if stone is not None:
            stone.expires_at = now + self._lifetime_of(stone)
            self._bury(key, stone, now)

    def _lifetime_of(self, stone: Tombstone) -> float:
        return self._lifetime if stone.words is None else min(WORDS_SECONDS, self._lifetime)

    def _bury(self, key: K, stone: Tombstone, now: float) -> None:
        self._expire(now)
        before = self._stones.pop(key, None)
        if before is not None:
            self._drop(before)
        self._stones[key] = stone
        if len(self._stones) > self._limit:
            self._drop(self._stones.popitem(last=False)[1])

    def get(self, key: K, now: float) -> Tombstone | None:
        """Return the tombstone of a key, if it has one."""
        self._expire(now)
        stone = self._stones.get(key)
        if stone is not None and stone.expires_at > now:  # it may be over before an older one is
            return stone
        return self._held.get(key)

    def farewells(self) -> list[tuple[NymAddress | SenderTag, bytes]]:
        """Return what tells the peers of the last channels that nobody answers any more."""
        last = islice(reversed(self._worded), MAX_FAREWELLS)
        said = ((stone.peer, stone.words.farewell()) for stone in last if stone.words is not None)
        return [(peer, frame) for peer, frame in said if frame is not None]

    def covers(self, key: K, now: float) -> bool:
        """Tell whether a key was used up: it has a tombstone, or had one."""
        return self.get(key, now) is not None or (
            self._spent is not None and self._identify(key) in self._spent
        )

    def _expire(self, now: float) -> None:
        while self._stones:
            key = next(iter(self._stones))
            if self._stones[key].expires_at > now:
                return
            self._drop(self._stones.pop(key))

    def _drop(self, stone: Tombstone) -> None:
        stone.words = None
        while self._worded and self._worded[0].words is None:
            self._worded.popleft()
