"""A time that is measured again and again, estimated as TCP does (RFC 6298). No I/O."""

from __future__ import annotations


class SmoothedTime:
    """Its smoothed value, and how far measurements are from that."""

    __slots__ = ("_deviation", "_smoothed")

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._deviation = 0.0

    @property
    def is_measured(self) -> bool:
        """True after the first measurement."""
        return self._smoothed is not None

    @property
    def seconds(self) -> float:
        """The estimate; 0 without a measurement."""
        return self._smoothed or 0.0

    @property
    def longest_seconds(self) -> float:
        """The estimate and four deviations: what takes longer is most likely lost."""
        return self.seconds + 4 * self._deviation

    def sample(self, seconds: float) -> None:
        """Take a measurement."""
        if self._smoothed is None:
            self._smoothed, self._deviation = seconds, seconds / 2
            return
        self._deviation += (abs(seconds - self._smoothed) - self._deviation) / 4
        self._smoothed += (seconds - self._smoothed) / 8
