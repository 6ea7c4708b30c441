"""The round trip of a stream's packets, and how busy its peer is."""

from __future__ import annotations

from nymproxy._smoothed_time import SmoothedTime

LEAST_RESEND_SECONDS = 1.5
LEAST_QUESTION_SECONDS = 3.0
MOST_QUESTION_SECONDS = 30.0
LONGEST_ACK_PAUSE_SECONDS = 2.5
"""So long a peer may keep an ACK back in the hope of data to send it with."""


class PeerDelay:
    """How much longer than it may a peer takes to answer what has reached it: all its streams tell.

    A peer under load answers late, and questions that go again meanwhile are more load. Its own
    streams alone wait for what it makes us believe.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        """The estimate."""

    def sample(self, seconds: float) -> None:
        """Take a measurement: from an arrival at its gateway to the answer."""
        excess = max(0.0, seconds - LONGEST_ACK_PAUSE_SECONDS)
        self.seconds += (excess - self.seconds) / 8


class RoundTrip(SmoothedTime):
    """From handing a frame over, that is sent once, to the acknowledgement of its packets."""

    __slots__ = ("peer",)

    def __init__(self) -> None:
        super().__init__()
        self.peer = PeerDelay()
        """Shared by all streams of the peer."""

    @property
    def resend_seconds(self) -> float:
        """How long after its packets were acknowledged a frame may still be on its way."""
        return max(LEAST_RESEND_SECONDS, self.longest_seconds)

    @property
    def prompt_seconds(self) -> float:
        """How long an answer of a peer that is not busy takes at the most."""
        return max(LEAST_QUESTION_SECONDS, 2 * self.seconds)

    @property
    def question_seconds(self) -> float:
        """How long an answer of the peer may take before it is asked (again)."""
        busy = LONGEST_ACK_PAUSE_SECONDS + 2 * self.peer.seconds
        return max(self.prompt_seconds, min(busy, MOST_QUESTION_SECONDS))
