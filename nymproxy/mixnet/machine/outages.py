"""How long a client has been without its gateway: silence of others then says nothing of them."""

from __future__ import annotations


class Outages:
    """Sums up the times without a gateway."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None

    def link_changed(self, now: float, *, is_connected: bool) -> None:
        """Note whether there is a gateway from now on. Idempotent."""
        self._seconds = self.seconds(now)
        self._since = None if is_connected else now

    def seconds(self, now: float) -> float:
        """Return all of them, up to now."""
        return self._seconds if self._since is None else self._seconds + now - self._since
