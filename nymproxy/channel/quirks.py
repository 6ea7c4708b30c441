"""What a protocol does for peers with a peculiar implementation, apart from the generic core."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.channel.segment import Segment


class Quirks:
    """The quirks of one channel; this one has none. Override what differs.

    Two things can be asked for: to hold back, or let in, what comes first, and to send empty DATA
    beyond what the application says.
    """

    holds_until: float = -math.inf
    """Nothing is released to the application before."""
    empty_at: float = math.inf
    """When an empty DATA is due, if nothing else is then."""

    # Receiving.

    def admits(self, segment: Segment) -> bool:
        """Tell whether a DATA whose number was passed over is delivered nevertheless, first."""
        return False

    def released(self) -> None:
        """Note that something was released in order."""

    def peer_ended(self, now: float) -> None:
        """Note that the peer has said its end; it need not be in order."""

    # Sending.

    @property
    def awaits_more(self) -> bool:
        """True while an empty DATA keeps a channel alive that would be over."""
        return False

    def numbered(self, payload: bytes) -> None:
        """Note that a message of ours got its number."""

    def empty_sent(self, now: float) -> None:
        """Note that it was the empty DATA that was due."""

    def all_acknowledged(self, now: float) -> None:
        """Note that nothing is in flight."""

    def stop(self) -> None:
        """Send no more."""


class EndCopy:
    """The end of our direction once more, for peers that may have lost the first one."""

    def __init__(self) -> None:
        self.at = math.inf
        """When it is due."""
        self._segment: Segment | None = None

    @property
    def is_waiting(self) -> bool:
        """True while it is still to be sent."""
        return self._segment is not None

    def begin(self, segment: Segment, at: float) -> None:
        """Send that again then."""
        self._segment, self.at = segment, at

    def take(self) -> Segment | None:
        """Return it, once."""
        segment = self._segment
        self.stop()
        return segment

    def stop(self) -> None:
        """Send it no more."""
        self._segment, self.at = None, math.inf
