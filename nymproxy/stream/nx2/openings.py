"""Which openings an acceptor takes: none twice, none that is stale, and some only when confirmed.

One :class:`Openings` for each process and address: what was opened is remembered over streams.
"""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from blake3 import blake3

if TYPE_CHECKING:
    from nymproxy.stream.nx2.frames import Offer

MAX_AGE_MINUTES = 7
REMEMBERED_MINUTES = 8
MAX_REMEMBERED = 65_536
SKEW_SECONDS = 300.0
_DIGEST_BYTES = 16


class Verdict(enum.Enum):
    """What becomes of an OFFER that verified."""

    OPEN = "open"
    CONFIRM = "confirm"
    """Open it, but do nothing for it before the dialer has answered with the final keys."""
    STALE = "stale"
    """Refuse it, and say so."""
    REPLAYED = "replayed"
    """Drop it."""


PROMPT_SECONDS = 240.0
"""An older opening has waited somewhere, whatever clocks and random minutes make of its stamp."""


class Openings:
    """Remembers openings, and judges new ones. All times are unix times in seconds.

    Args:
        started_at: when the process started, if the address is older than the process;
            ``-math.inf`` for an address that it made itself, for which nobody can have an OFFER.
    """

    def __init__(self, started_at: float = -math.inf) -> None:
        self._confirms_before = started_at + SKEW_SECONDS
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def judge(self, offer: Offer, now: float, connected_seconds: float = math.inf) -> Verdict:
        """Decide about an OFFER that opens a new stream, and remember it.

        Args:
            offer: which has verified.
            now: the time.
            connected_seconds: for how long there has been a gateway: what waited there is old.
        """
        if abs(now // 60 - offer.minutes) > MAX_AGE_MINUTES:
            return Verdict.STALE
        self._forget(now)
        digest = blake3(offer.dialer_random).digest(_DIGEST_BYTES)
        if digest in self._seen:
            return Verdict.REPLAYED
        stamped = 60.0 * offer.minutes
        if len(self._seen) >= MAX_REMEMBERED:
            return Verdict.CONFIRM
        self._seen[digest] = stamped + 60.0 * REMEMBERED_MINUTES
        has_waited = stamped < now - min(connected_seconds, PROMPT_SECONDS)
        may_be_known = stamped < self._confirms_before
        return Verdict.CONFIRM if has_waited or may_be_known else Verdict.OPEN

    def _forget(self, now: float) -> None:
        """Forget what would be refused for its age; the order is about that of the stamps."""
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
