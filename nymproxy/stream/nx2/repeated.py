"""A frame that is sent again after longer and longer, until it is answered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.stream.nx2.roundtrip import PeerDelay

MAX_PAUSE_SECONDS = 30.0


class Repeated:
    """When it goes next. Times are those of the stream's clock, in seconds."""

    def __init__(self) -> None:
        self.at = math.inf
        self._pause = 0.0
        self._left_at: float | None = None

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

    def queued(self, now: float, first_pause: float) -> None:
        """As :meth:`sent`, of what may wait for its turn: until :meth:`left` is called, it is sent
        again after the longest pause alone."""
        self.sent(now, first_pause)
        self.at = now + MAX_PAUSE_SECONDS

    def left(self, now: float) -> None:
        """Note that what was queued has left, or come as far as the peer's gateway."""
        if self.goes_on:
            self._left_at = self._left_at or now
            self.at = now + self._pause

    def is_due(self, now: float, first_pause: float) -> bool:
        """Tell whether it goes now: the first pause may have grown since it left."""
        if self._left_at is not None and self.at <= now:
            self.at = max(self.at, self._left_at + first_pause)
        return self.at <= now

    def answered(self, now: float, delay: PeerDelay) -> None:
        """Send it no more, and note how long the answer took."""
        self.stop()
        if self._left_at is not None:
            delay.sample(now - self._left_at)

    def stop(self) -> None:
        """Send it no more."""
        self.at = math.inf
