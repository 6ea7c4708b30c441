"""A frame that is sent again after longer and longer, until it is answered."""

from __future__ import annotations

import math

MAX_PAUSE_SECONDS = 30.0


class Repeated:
    """When it goes next. Times are those of the stream's clock, in seconds."""

    def __init__(self) -> None:
        self.at = math.inf
        self._pause = 0.0

    @property
    def goes_on(self) -> bool:
        """True when it is to be sent (again)."""
        return self.at < math.inf

    @property
    def has_begun(self) -> bool:
        """True when it was sent before."""
        return self._pause > 0

    def begin(self, at: float) -> None:
        """Send it then for the first time."""
        self.at = at

    def sent(self, now: float, first_pause: float) -> None:
        """Note that it was sent: again after ``first_pause``, later after twice the last one."""
        self._pause = min(max(2 * self._pause, first_pause), MAX_PAUSE_SECONDS)
        self.at = now + self._pause

    def stop(self) -> None:
        """Send it no more."""
        self.at = math.inf
