"""How many reply SURBs a dialer's messages bring along, by what the acceptor surely holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONTROL_SURBS = 3
"""They fit into the packet of a message without data, or with a short request."""
PLENTY = 200
"""The stock above which a message without data brings none."""
FEWEST_FOR_OPENING = 40
"""The smallest stock that can answer an opening: four times the reserve of each client."""


class SurbSupply:
    """Of one stream.

    Attributes:
        held: returns how many the acceptor surely holds, for all streams together.
    """

    __slots__ = ("_owed", "held")

    def __init__(self) -> None:
        self.held: Callable[[], int] = lambda: 0
        self._owed = 0

    def for_opening(self, wanted: int) -> int:
        """Return how many go with an opening that should have ``wanted``: they take packets of
        their own, for which the opening waits. Who holds twice as many needs no more than its first
        answer takes, whatever others take at the same time."""
        if self.held() >= max(FEWEST_FOR_OPENING, 2 * wanted):
            return min(wanted, CONTROL_SURBS)
        return self.for_stranger(wanted)

    def for_stranger(self, wanted: int) -> int:
        """As :meth:`for_opening`, of who may need them all: some go with the first data, where they
        often take no packet of their own."""
        self._owed = CONTROL_SURBS if wanted > 2 * CONTROL_SURBS else 0
        return wanted - self._owed

    def for_data(self, wanted: int) -> int:
        """Return how many go with data that should have ``wanted``."""
        owed, self._owed = self._owed, 0
        return max(wanted, owed)

    def for_control(self) -> int:
        """Return how many go with a message without data."""
        return CONTROL_SURBS if self.held() < PLENTY else 0
