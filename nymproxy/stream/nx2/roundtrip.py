"""The round trip of a stream's packets, estimated as TCP does (RFC 6298)."""

from __future__ import annotations

LEAST_RESEND_SECONDS = 1.5
LEAST_QUESTION_SECONDS = 3.0


class RoundTrip:
    """Smoothed time from handing a frame over to the acknowledgement of its packets."""

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._deviation = 0.0

    @property
    def seconds(self) -> float:
        """The estimate; 0 without a sample."""
        return self._smoothed or 0.0

    def sample(self, seconds: float) -> None:
        """Take a measurement, of a frame that was sent once."""
        if self._smoothed is None:
            self._smoothed, self._deviation = seconds, seconds / 2
            return
        self._deviation += (abs(seconds - self._smoothed) - self._deviation) / 4
        self._smoothed += (seconds - self._smoothed) / 8

    @property
    def resend_seconds(self) -> float:
        """How long after its packets were acknowledged a frame may still be on its way."""
        return max(LEAST_RESEND_SECONDS, self.seconds + 4 * self._deviation)

    @property
    def question_seconds(self) -> float:
        """How long an answer of the peer may take before it is asked (again)."""
        return max(LEAST_QUESTION_SECONDS, 2 * self.seconds)
