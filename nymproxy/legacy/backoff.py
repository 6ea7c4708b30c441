"""Pauses between attempts: doubling, with jitter, so that many clients do not come back at once."""

from __future__ import annotations

from dataclasses import dataclass

from nymproxy.mixnet.randomness import RandomBytes, system_random_bytes, uniform_fraction


@dataclass(slots=True)
class Backoff:
    """Gives the pause after each failure in a row.

    Attributes:
        first_seconds: the first pause, before jitter.
        longest_seconds: no pause is longer.
        failures: failures in a row.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 60.0
    failures: int = 0
    random_bytes: RandomBytes = system_random_bytes

    def failed(self) -> float:
        """Count a failure; return the pause: between half and all of 1, 2, 4, ... seconds, but
        at least the first pause and at most the longest."""
        exponent = min(self.failures, 32)  # beyond it the power only costs time
        self.failures += 1
        pause = min(self.first_seconds * float(1 << exponent), self.longest_seconds)
        return max(self.first_seconds, pause * (1 + uniform_fraction(self.random_bytes)) / 2)

    def succeeded(self) -> None:
        """Forget the failures."""
        self.failures = 0
