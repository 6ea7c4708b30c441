"""Empty messages that make a peer look again at what it holds back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.channel.protocol import ChannelRules

SETTLED_SECONDS = 2.0
"""What was acknowledged so long before the peer's end was written by its own timer."""


class Nudges:
    """When the next nudge is due: some time after our last data was acknowledged, a few times.

    Only a peer that has ended its direction is nudged, and only if it may have seen our messages
    in another order than they have: the very first one is never held back.

    Args:
        rules: how many, and how often.
    """

    def __init__(self, rules: ChannelRules) -> None:
        self._count = rules.nudges_after_peer_end
        self._interval = rules.nudge_interval_seconds
        self._peer_has_ended = False
        self._data_messages = 0
        self._acknowledged_at = -math.inf
        self._left = 0
        self.due_at = math.inf

    @property
    def are_pending(self) -> bool:
        """True while one is still to be sent."""
        return self._left > 0

    def peer_ended(self, now: float) -> None:
        """Note that the peer has said its end; it need not be in order."""
        if self._peer_has_ended:
            return
        self._peer_has_ended = True
        if self._acknowledged_at > now - SETTLED_SECONDS:
            self._begin(now)

    def data_numbered(self) -> None:
        """Note a message with data: nudges begin again after it."""
        self._data_messages += 1
        self._acknowledged_at = math.inf
        self._begin(math.inf)

    def all_acknowledged(self, now: float) -> None:
        """Note that nothing is in flight."""
        if self._acknowledged_at == math.inf:
            self._acknowledged_at = now
            self._begin(now)

    def take(self, now: float) -> bool:
        """Return whether one is due, and count it."""
        if now < self.due_at or not self._left:
            return False
        self._left -= 1
        self.due_at = now + self._interval if self._left else math.inf
        return True

    def stop(self) -> None:
        """Send no more."""
        self._count = self._left = 0
        self.due_at = math.inf

    def _begin(self, since: float) -> None:
        if self._count and self._peer_has_ended and self._data_messages > 1:
            self._left = self._count
            self.due_at = since + self._interval
