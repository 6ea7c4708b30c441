"""The reply SURBs that one sender was asked for: how many have not come, and when to ask again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from nymproxy._smoothed_time import SmoothedTime
from nymproxy._timers import TimerQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import SenderTag

LEAST_PATIENCE_SECONDS: Final = 1.5
UNMEASURED_PATIENCE_SECONDS: Final = 3.0
EARLY_REPETITIONS: Final = 2
"""Each takes a SURB of the reserve and, if it was needless, packets of the sender: the rest of the
reserve is for the repetitions that follow after a longer time."""


class Asked:
    """Of one sender.

    Its gateway acknowledges a request, and its answer may get lost behind that as the request may.
    How long it takes to answer is measured, so that an answer is missed after a few of these times.

    Args:
        now: when it was met.

    Attributes:
        pending: SURBs asked for and not received.
        repetitions: requests repeated since it gave some, the early ones not counted.
    """

    __slots__ = (
        "_answered_at",
        "_arrived_at",
        "_asked_at",
        "_early",
        "_owes_since",
        "_takes",
        "_waits_here",
        "pending",
        "repetitions",
    )

    def __init__(self, now: float) -> None:
        self.pending = 0
        self.repetitions = 0
        self._asked_at = self._answered_at = now
        self._arrived_at = math.inf  # infinite until a request is acknowledged
        self._owes_since = math.inf
        self._early = 0
        self._waits_here = False  # a request has not had its turn to leave
        self._takes = SmoothedTime()  # from the ack of a request to the answer

    def ask(self, amount: int) -> None:
        """Take note that it is asked for some."""
        self.pending += amount
        self._waits_here = True

    def left(self, now: float) -> None:
        """Take note that a request has left: until then it waits for us, and not we for it."""
        self._waits_here = False
        self._asked_at = now
        self._owes_since = min(self._owes_since, now)

    def fed(self) -> None:
        """Take note that it gave some, for whatever reason."""
        self.repetitions = 0
        self._owes_since = math.inf

    def owes_seconds(self, now: float) -> float:
        """Return how long it has had a request, and has given none; 0: it has had none."""
        return max(0.0, now - self._owes_since)

    def arrived(self, now: float) -> None:
        """Take note that a request was acknowledged."""
        if self.pending:
            self._arrived_at = now

    def answered(self, amount: int, now: float) -> None:
        """Take note that it sent some because it was asked."""
        is_first = self._answered_at <= self._arrived_at < math.inf
        if is_first and not self._early:
            self._takes.sample(now - self._arrived_at)
        self._answered_at = now
        self._early = 0
        self.not_coming(amount)

    def not_coming(self, amount: int | None = None) -> None:
        """Take note that so many, or all, will not come (any more)."""
        self.pending = 0 if amount is None else max(0, self.pending - amount)
        if not self.pending:
            self._waits_here = False
            self._arrived_at = math.inf

    def silence(self, now: float) -> float:
        """Return how long ago it was asked or has answered last; 0 while a request is to leave."""
        return 0.0 if self._waits_here else now - max(self._answered_at, self._asked_at)

    @property
    def overdue_at(self) -> float:
        """When an early repetition is due; ``math.inf``: at no time."""
        if self._early >= EARLY_REPETITIONS or self._arrived_at == math.inf:
            return math.inf
        since = max(self._arrived_at, self._answered_at)
        return since + self._patience_seconds * 2.0**self._early

    def lost(self, now: float, *, early: bool) -> None:
        """Take note that the answer is taken for lost: it is asked again, if that is possible."""
        self._early += early
        self.repetitions += not early
        self._asked_at = now
        self.not_coming()

    @property
    def _patience_seconds(self) -> float:
        if not self._takes.is_measured:
            return UNMEASURED_PATIENCE_SECONDS
        return max(LEAST_PATIENCE_SECONDS, self._takes.longest_seconds)


class Overdue:
    """Whose answers are overdue, of all senders.

    Args:
        asked_of: returns what a sender was asked for, unless it is forgotten.
    """

    _LONGEST_GRACE_SECONDS: Final = 1.0

    def __init__(self, asked_of: Callable[[SenderTag], Asked | None]) -> None:
        self._asked_of = asked_of
        self._timers: TimerQueue[SenderTag] = TimerQueue()

    @property
    def next_deadline(self) -> float:
        """When :meth:`take` may have some; ``math.inf``: at no time."""
        return self._timers.next_deadline

    def request_arrived(self, tag: SenderTag, now: float) -> None:
        """Take note that a request was acknowledged."""
        asked = self._asked_of(tag)
        if asked is not None:
            asked.arrived(now)
            self._timers.schedule(tag, asked.overdue_at)

    def take(self, now: float, stalled_seconds: float) -> list[SenderTag]:
        """Return, once, whose answers are overdue. If nothing could be read for a time up to now
        they may be there: they are given as long, a second at most."""
        overdue = []
        for tag in self._timers.pop_due(now):
            asked = self._asked_of(tag)
            if asked is None:
                continue
            due = asked.overdue_at
            if stalled_seconds > 0:
                due = max(due, now + min(stalled_seconds, self._LONGEST_GRACE_SECONDS))
            if due > now:
                self._timers.schedule(tag, due)
            else:
                overdue.append(tag)
        return overdue
