"""Flow control of one direction (extension NX1, docs/wire.md): bytes allowed, used and granted."""

from __future__ import annotations

import math


class ReceiveWindow:
    """The receiver's side: grants bytes as the application consumes them.

    Args:
        size: bytes granted at the start, and ahead of what was consumed later.
        tolerance: bytes beyond the limit that are still accepted (a sender that learned of the
            window late).
    """

    def __init__(self, size: int, tolerance: int) -> None:
        self._size = size
        self._tolerance = tolerance
        self._received = 0
        self._consumed = 0
        self._limit = size

    @property
    def limit(self) -> int:
        """Bytes allowed since the start of the direction."""
        return self._limit

    def receive(self, count: int) -> bool:
        """Count payload bytes that arrived for the first time; False: far beyond the limit."""
        self._received += count
        return self._received <= self._limit + self._tolerance

    def consume(self, count: int) -> bool:
        """Count bytes that the application has taken; True: the peer should hear a new limit.

        That is when half of the last grant has been consumed, so one WINDOW for each half window.
        """
        self._consumed += count
        if self._consumed + self._size - self._limit < self._size // 2:
            return False
        self._limit = self._consumed + self._size
        return True


class SendWindow:
    """The sender's side: how much may still be sent, and when to ask for more.

    Args:
        size: bytes allowed without a frame from the peer.
        probe_after: seconds without room after which the peer is asked.
        probe_interval: seconds between later questions.
    """

    def __init__(self, size: int, *, probe_after: float, probe_interval: float) -> None:
        self._limit = size
        self._sent = 0
        self._probe_after = probe_after
        self._probe_interval = probe_interval
        self._probe_at: float | None = None
        self.ceiling: int | None = None
        """A lower limit of our own, while too little is known of the peer."""

    @property
    def room(self) -> int:
        """Bytes that may be sent now; never negative."""
        limit = self._limit if self.ceiling is None else min(self._limit, self.ceiling)
        return max(0, limit - self._sent)

    @property
    def probe_at(self) -> float:
        """When to send PROBE; ``math.inf`` while not blocked."""
        return math.inf if self._probe_at is None else self._probe_at

    def count_sent(self, count: int) -> None:
        """Count payload bytes that were sent. Bytes sent before the negotiation count too."""
        self._sent += count

    def raise_limit(self, limit: int) -> None:
        """Take a WINDOW. Smaller limits than the current one are old news."""
        if limit > self._limit:
            self._limit = limit
            self._probe_at = None

    def blocked(self, now: float) -> None:
        """Note that data waits and there is no room."""
        if self._probe_at is None:
            self._probe_at = now + self._probe_after

    def unblocked(self) -> None:
        """Note that no data waits for room."""
        self._probe_at = None

    def probed(self, now: float) -> None:
        """Note that PROBE was sent."""
        self._probe_at = now + self._probe_interval
