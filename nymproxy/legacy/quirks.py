"""What legacy sessions do for the old proxies, beyond ordered and reliable messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy.channel.quirks import Quirks
from nymproxy.channel.segment import SegmentKind

if TYPE_CHECKING:
    from nymproxy.channel.segment import Segment

NUDGES = 9
"""One a second: an old client writes what has waited for seven, so the last ones free it all."""
NUDGE_SECONDS = 1.0
ASK_SECONDS = 20.0
"""Between the questions of a client whether the session is there still."""
SETTLED_SECONDS = 2.0
"""What was acknowledged so long before the peer's end was written by its own timer."""


class WakeUp(Quirks):
    """When the app says nothing, an empty message makes the server connect: its upstream may be
    the one that speaks first. Later ones ask a server of ours whether it still has the session:
    what it does not know it denies, as after a restart.

    Args:
        at: when to wake the server, unless something was sent before.
    """

    def __init__(self, at: float) -> None:
        self.empty_at = at
        self._asks = False
        self._acknowledged_at = math.inf

    def may_ask(self) -> None:
        """Note that the server has shown in this session that it answers questions. Idempotent."""
        if not self._asks:
            self._asks = True
            self.empty_at = min(self.empty_at, self._acknowledged_at + ASK_SECONDS)

    def numbered(self, payload: bytes) -> None:
        """Once there is a first message, whatever it is, none is needed to wake the server."""
        self.empty_at = self._acknowledged_at = math.inf

    def all_acknowledged(self, now: float) -> None:
        """Ask some time after the last message has arrived."""
        self._acknowledged_at = now
        if self._asks:
            self.empty_at = now + ASK_SECONDS

    def stop(self) -> None:
        """See :class:`Quirks`."""
        self._asks = False
        self.empty_at = self._acknowledged_at = math.inf


class OldClientQuirks(Quirks):
    """The first message, and the last ones, of an old client.

    Some old clients number from 1, some from 0: a 0 is let in as long as it can still be the
    first. Once it has ended, an old client looks at its buffer only when something arrives: empty
    messages, some time after our last data was acknowledged, make it. Only a peer that may have
    seen our messages in another order than they have needs these: the very first one is never held
    back.

    Args:
        now: time of creation.
        zero_grace_seconds: hold the first release back so long, so that a 0 can still come.
        nudges: how many empty messages.
        nudge_seconds: between them, and before the first one.
    """

    def __init__(
        self,
        now: float,
        *,
        zero_grace_seconds: float = 0.0,
        nudges: int = NUDGES,
        nudge_seconds: float = NUDGE_SECONDS,
    ) -> None:
        if zero_grace_seconds > 0:
            self.holds_until = now + zero_grace_seconds
        self._may_be_zero = True
        self._count = nudges
        self._interval = nudge_seconds
        self._peer_has_ended = False
        self._data_messages = 0
        self._acknowledged_at = -math.inf
        self._left = 0

    # The first message.

    def admits(self, segment: Segment) -> bool:
        """A 0 that comes before anything was released, once."""
        if not self._may_be_zero or segment.sequence or segment.kind is not SegmentKind.DATA:
            return False
        self._may_be_zero = not segment.payload
        self.holds_until = -math.inf
        return True

    def released(self) -> None:
        """It is too late for a 0."""
        self._may_be_zero = False

    # The last ones.

    @property
    def awaits_more(self) -> bool:
        """True while a nudge is still to be sent."""
        return self._left > 0

    def peer_ended(self, now: float) -> None:
        """Nudge, if what we sent last may still wait there."""
        if self._peer_has_ended:
            return
        self._peer_has_ended = True
        if self._acknowledged_at > now - SETTLED_SECONDS:
            self._begin(now)

    def numbered(self, payload: bytes) -> None:
        """Nudges begin again after a message with data."""
        if payload:
            self._data_messages += 1
            self._acknowledged_at = math.inf
            self._begin(math.inf)

    def empty_sent(self, now: float) -> None:
        """Count a nudge."""
        self._left -= 1
        self.empty_at = now + self._interval if self._left else math.inf

    def all_acknowledged(self, now: float) -> None:
        """Time the nudges, if what was acknowledged was data."""
        if self._acknowledged_at == math.inf:
            self._acknowledged_at = now
            self._begin(now)

    def stop(self) -> None:
        """See :class:`Quirks`."""
        self._count = self._left = 0
        self.empty_at = math.inf

    def _begin(self, since: float) -> None:
        if self._count and self._peer_has_ended and self._data_messages > 1:
            self._left = self._count
            self.empty_at = since + self._interval
