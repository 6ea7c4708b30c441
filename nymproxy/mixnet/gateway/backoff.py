"""How long to wait between attempts to connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.mixnet.randomness import uniform_fraction

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes


class Backoff:
    """Random waits whose upper bound doubles from 2 s to 30 s; none is shorter than 1 s.

    The randomness keeps clients that lost the same gateway from coming back in step.
    """

    SHORTEST_SECONDS = 1.0
    LONGEST_SECONDS = 30.0

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes
        self._bound = 2.0

    def next_delay(self) -> float:
        """Return the next wait in seconds."""
        spread = self._bound - self.SHORTEST_SECONDS
        self._bound = min(self._bound * 2, self.LONGEST_SECONDS)
        return self.SHORTEST_SECONDS + spread * uniform_fraction(self._random_bytes)

    def reset(self) -> None:
        """Start again with short waits."""
        self._bound = 2.0
