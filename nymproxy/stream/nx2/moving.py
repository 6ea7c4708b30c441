"""Moving: a stream goes on under another sender tag, or at another address of the acceptor.

Each machine decides one thing: which number a RESUME has and when it is repeated
(:class:`Mover`), whether the acceptor binds the stream anew (:class:`Binding`), which addresses
are asked (:class:`Alternates`), and when (:class:`Silence`).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.fate import Fate
    from nymproxy.stream.nx2.roundtrip import RoundTrip

ADDRESS_PAUSE_SECONDS = 60.0
UNANSWERED_SECONDS = 5.0
ARRIVAL_SECONDS = 100.0
FIRST_SURBS = 20
LATER_SURBS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dialer's stream is: our tag, and the acceptor's address."""

    tag: SenderTag
    address: NymAddress


class Mover:
    """The dialer's side of one stream.

    Args:
        place: where the stream was opened.
        round_trip: of the stream.
    """

    def __init__(self, place: Place, round_trip: RoundTrip) -> None:
        self.place = place
        self.move = 0
        self.lost_at = math.inf
        """When a move that nobody has acknowledged is given up, and the stream with it."""
        self._round_trip = round_trip
        self._counter = 0  # of the RESUME that was sent last, for this move
        self._resume_at = math.inf

    def go(self, place: Place, now: float) -> None:
        """Move the stream: a RESUME is due at once. One place at a time, the last one counts."""
        if place != self.place or not self.is_moving:
            self.place = place
            self.move += 1
            self._counter = 0
            self._resume_at = now
            self.lost_at = now + ARRIVAL_SECONDS

    @property
    def surbs(self) -> int:
        """Reply SURBs to send with the next RESUME: where it goes nobody has any."""
        return LATER_SURBS if self._counter else FIRST_SURBS

    @property
    def is_moving(self) -> bool:
        """True while no RESUME of the last move has been acknowledged."""
        return self._resume_at < math.inf

    @property
    def deadline(self) -> float:
        """When the next RESUME is due; ``math.inf``: none."""
        return self._resume_at

    def resumed(self, counter: int, now: float) -> None:
        """Note that a RESUME was sent, with the counter of its ACK. All of the stream waits for the
        answer, so that it goes again as if its peer were not busy."""
        if not self._counter:
            self._counter = counter
        self._resume_at = now + self._round_trip.prompt_seconds

    def acknowledged(self, echo: int) -> bool:
        """Take the echo of an ACK that verified; returns whether it is the end of a move."""
        is_over = self.is_moving and bool(self._counter) and echo >= self._counter
        if is_over:
            self._resume_at = self.lost_at = math.inf
        return is_over

    def unheard(self, now: float) -> None:
        """Note that nothing can be heard now: the time until the move is given up begins anew."""
        if self.is_moving:
            self.lost_at = now + ARRIVAL_SECONDS


class Bound(enum.Enum):
    """What a RESUME that verified does to a stream."""

    MOVED = "moved"
    AGAIN = "again"
    """It is there already: acknowledge it."""
    OLD = "old"
    """Drop it."""


class Binding:
    """The acceptor's side of one stream: the tag that is answered.

    Args:
        tag: of the opening.
    """

    def __init__(self, tag: SenderTag) -> None:
        self.tag = tag
        self._move = 0

    def resume(self, move: int, tag: SenderTag) -> Bound:
        """Take a RESUME that verified."""
        if move > self._move:
            self._move, self.tag = move, tag
            return Bound.MOVED
        return Bound.AGAIN if move == self._move and tag == self.tag else Bound.OLD


class Alternates:
    """The acceptor's other addresses, as its ACCEPT named them to one stream.

    Args:
        addresses: all of them, the one that was dialed too.
    """

    def __init__(self, addresses: Sequence[NymAddress]) -> None:
        self._asked: dict[NymAddress, float] = dict.fromkeys(addresses, -math.inf)

    def take_askable(self, now: float) -> list[NymAddress]:
        """Return the addresses to ask now: each at most once a minute."""
        due = [
            address
            for address, asked_at in self._asked.items()
            if now >= asked_at + ADDRESS_PAUSE_SECONDS
        ]
        self._asked.update(dict.fromkeys(due, now))
        return due if len(self._asked) > 1 else []


class Silence:
    """Tells a dialer when to ask the alternatives: something of it is on its way, and for long no
    packet of it has been acknowledged.

    What the acceptor says does not count: it may come through another gateway of its.

    Args:
        round_trip: of the stream.
    """

    def __init__(self, round_trip: RoundTrip) -> None:
        self._round_trip = round_trip
        self._waiting: set[int] = set()
        self._since = math.inf

    def changed(self, message: object, fate: Fate, now: float) -> None:
        """Note what became of a message; the same object each time."""
        if fate.is_acknowledged or fate.error is not None:
            self._waiting.discard(id(message))
            if fate.is_acknowledged:
                self._since = now
        elif fate.is_sent and id(message) not in self._waiting:
            if not self._waiting:
                self._since = now
            self._waiting.add(id(message))

    def broken(self, now: float) -> None:
        """Begin anew: the alternatives were asked, or nobody could be heard."""
        self._since = now

    @property
    def deadline(self) -> float:
        """When the silence has lasted too long; ``math.inf``: nothing is on its way."""
        if not self._waiting:
            return math.inf
        return self._since + max(UNANSWERED_SECONDS, 3 * self._round_trip.seconds)
