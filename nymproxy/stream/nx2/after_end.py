"""What still answers for a stream that is over here, to a peer that has not heard of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy.errors import ChannelFormatError
from nymproxy.stream.codec import TYPE_OFFSET

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.channel.segment import Segment

PAUSE_SECONDS = 1.0


class AnswersAfterEnd:
    """Tells a peer that sends on that everything had come, or that nobody reads any more.

    Args:
        answer: returns the frame that answers what came, if any does.
        farewell: returns the frame that ends the peer's direction, if it has not ended.
    """

    def __init__(
        self,
        answer: Callable[[Segment, float], bytes | None],
        farewell: Callable[[], bytes | None],
    ) -> None:
        self._answer = answer
        self.farewell = farewell
        """See :class:`nymproxy.channel.link.LastWords`."""
        self._answered_at: dict[int, float] = {}  # by type: no ACK keeps a RESET back

    def answer(self, segment: Segment, now: float) -> list[bytes]:
        """See :class:`nymproxy.channel.link.LastWords`."""
        try:
            answer = self._answer(segment, now)
        except ChannelFormatError:
            return []
        if answer is None:
            return []
        answered_at = self._answered_at.get(answer[TYPE_OFFSET], -math.inf)
        if now < answered_at + PAUSE_SECONDS:
            return []
        self._answered_at[answer[TYPE_OFFSET]] = now
        return [answer]
