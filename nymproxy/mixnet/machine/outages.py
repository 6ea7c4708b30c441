"""How long a client has been without its gateway: silence of others then says nothing of them, and
what comes afterwards may have waited there."""

from __future__ import annotations

import math


class Outages:
    """Sums up the times without a gateway."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None
        self._ended_at = -math.inf

    def link_changed(self, now: float, *, is_connected: bool) -> None:
        """Note whether there is a gateway from now on. Idempotent."""
        self._seconds = self.seconds(now)
        if is_connected and self._since is not None:
            self._ended_at = now
        self._since = None if is_connected else now

    def seconds(self, now: float) -> float:
        """Return all of them, up to now."""
        return self._seconds if self._since is None else self._seconds + now - self._since

    def connected_seconds(self, now: float) -> float:
        """Return for how long there has been a gateway without a break; ``math.inf``: always."""
        return now - self._ended_at if self._since is None else 0.0
