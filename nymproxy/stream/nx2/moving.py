"""Moving: a stream goes on under another sender tag, or at another address of the acceptor.

Each machine decides one thing: which number a RESUME has and when it is repeated
(:class:`Mover`), whether the acceptor binds the stream anew (:class:`Binding`), which addresses
are asked (:class:`Alternates`), and how often a client may change its gateway
(:class:`MoveBudget`).
"""

from __future__ import annotations

import enum
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from nymproxy.mixnet.randomness import uniform_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.stream.nx2.roundtrip import RoundTrip

T = TypeVar("T")

ADDRESS_PAUSE_SECONDS = 60.0
UNANSWERED_SECONDS = 5.0
MOVES_PER_HOUR = 4
GATEWAYS_DRAWN = 3
_HOUR_SECONDS = 3600.0


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

    @property
    def is_moving(self) -> bool:
        """True while no RESUME of the last move has been acknowledged."""
        return self._resume_at < math.inf

    @property
    def deadline(self) -> float:
        """When the next RESUME is due; ``math.inf``: none."""
        return self._resume_at

    def resumed(self, counter: int, now: float) -> None:
        """Note that a RESUME was sent, with the counter of its ACK."""
        if not self._counter:
            self._counter = counter
        self._resume_at = now + self._round_trip.question_seconds

    def acknowledged(self, echo: int) -> None:
        """Take the echo of an ACK that verified."""
        if self._counter and echo >= self._counter:
            self._resume_at = math.inf


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


def unanswered_at(outstanding_since: float, heard_at: float, round_trip: RoundTrip) -> float:
    """Return when a dialer asks the alternatives: data is outstanding, and neither a packet's
    acknowledgement nor a frame of the acceptor has come.

    Args:
        outstanding_since: when the oldest data that is not acknowledged was handed over.
        heard_at: the last packet acknowledgement or frame.
        round_trip: of the stream.
    """
    silence = max(UNANSWERED_SECONDS, 3 * round_trip.seconds)
    return max(outstanding_since, heard_at) + silence


class MoveBudget(Generic[T]):
    """How often a client changes its gateway by itself, and to which: who drops our packets must
    not choose where we go.

    Args:
        gateways: all that may be used; a few of them are drawn once.
        random_bytes: for the draw.
    """

    def __init__(self, gateways: Sequence[T], random_bytes: RandomBytes) -> None:
        rest = list(gateways)
        self._drawn: list[T] = []
        while rest and len(self._drawn) < GATEWAYS_DRAWN:
            self._drawn.append(rest.pop(uniform_index(random_bytes, len(rest))))
        self._moves: deque[float] = deque()

    @property
    def drawn(self) -> tuple[T, ...]:
        """The gateways that were drawn."""
        return tuple(self._drawn)

    def may_move(self, now: float) -> bool:
        """Tell whether another move is allowed, and count it."""
        while self._moves and self._moves[0] <= now - _HOUR_SECONDS:
            self._moves.popleft()
        if len(self._moves) >= MOVES_PER_HOUR:
            return False
        self._moves.append(now)
        return True
