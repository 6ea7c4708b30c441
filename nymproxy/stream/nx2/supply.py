"""How many reply SURBs a dialer's messages bring along, by what the acceptor surely holds, and what
has room in a packet.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy.mixnet.messages import REPLY_SURB_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

CONTROL_SURBS = 3
"""They fit into the packet of a message without data, or with a short request."""
PLENTY = 200
"""The stock above which a message without data brings none."""
FEWEST_FOR_OPENING = 40
"""The smallest stock that can answer an opening: four times the reserve of each client."""
PACKET_BYTES = 1604
"""Of a message, in a packet of the usual size."""
OPENING_BYTES = 92
"""Of the message of an OFFER, besides SURBs and data."""
MAX_OPENING_BYTES = 2 * (PACKET_BYTES - REPLY_SURB_LENGTH) - OPENING_BYTES - 3
"""Data that go with an OFFER: as much as fits into two packets, with two SURBs."""


MAX_ALONG_BYTES = 2 * PACKET_BYTES
"""Longer messages bring nothing along: it would wait for the last of many packets."""


def packets_for(length: int) -> int:
    """Return how many packets a message of so many bytes takes, padded and as a reply."""
    return math.ceil((length + 3) / PACKET_BYTES)


def has_room(length: int, more: int) -> bool:
    """Tell whether a message that is not long can have so many more bytes without a packet more."""
    return length <= MAX_ALONG_BYTES and packets_for(length + more) == packets_for(length)


class SurbSupply:
    """Of one stream.

    Attributes:
        held: returns how many the acceptor surely holds, for all streams together.
    """

    __slots__ = ("_owed", "held")

    def __init__(self) -> None:
        self.held: Callable[[], int] = lambda: 0
        self._owed = 0

    def for_opening(self, wanted: int, data_bytes: int = 0) -> int:
        """Return how many go with an opening that should have ``wanted``: they take packets of
        their own, for which the opening waits. Who holds twice as many needs no more than its first
        answer takes, whatever others take at the same time; beside data that is as many as have
        room."""
        if self.held() >= max(FEWEST_FOR_OPENING, 2 * wanted):
            length = OPENING_BYTES + data_bytes
            room = (packets_for(length) * PACKET_BYTES - length - 3) // REPLY_SURB_LENGTH
            return min(wanted, CONTROL_SURBS, room)
        return wanted if data_bytes else self.for_stranger(wanted)

    def for_stranger(self, wanted: int) -> int:
        """As :meth:`for_opening`, of who may need them all: some go with the first data, where they
        often take no packet of their own."""
        self._owed = CONTROL_SURBS if wanted > 2 * CONTROL_SURBS else 0
        return wanted - self._owed

    def for_data(self, wanted: int) -> int:
        """Return how many go with data that should have ``wanted``."""
        owed, self._owed = self._owed, 0
        return max(wanted, owed)

    def for_end(self) -> int:
        """Return how many go with an end: what the answer took, for the next ones. Who holds too
        few for an opening gets them with that, if there is another."""
        owed, self._owed = self._owed, 0
        return max(owed, self.for_control() if self.held() >= FEWEST_FOR_OPENING else 0)

    def for_control(self) -> int:
        """Return how many go with a message without data."""
        return CONTROL_SURBS if self.held() < PLENTY else 0
