"""Pauses between attempts that fail one after another: they double, up to a limit. No I/O."""

from __future__ import annotations

from dataclasses import dataclass


def doubled(first_seconds: float, doublings: int, longest_seconds: float) -> float:
    """Return the first pause after so many doublings, at most the longest."""
    # Beyond 32 doublings the power only costs time, and overflows in the end.
    return min(first_seconds * 2.0 ** min(doublings, 32), longest_seconds)


@dataclass(slots=True)
class Backoff:
    """Gives the pause after each failure in a row: random, between half and all of a bound.

    The randomness keeps clients that lost the same peer from coming back in step.

    Attributes:
        first_seconds: the bound after the first failure; it doubles with each further one.
        longest_seconds: the highest bound.
        shortest_seconds: no pause is shorter.
        failures: failures in a row.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 60.0
    shortest_seconds: float = 1.0
    failures: int = 0

    def failed(self, spread: float) -> float:
        """Count a failure and return the pause after it, in seconds.

        Args:
            spread: random, 0 to 1.
        """
        bound = doubled(self.first_seconds, self.failures, self.longest_seconds)
        self.failures += 1
        return max(self.shortest_seconds, bound * (1 + spread) / 2)

    def succeeded(self) -> None:
        """Forget the failures."""
        self.failures = 0
