"""Who may have how many sessions, and who goes when there are too many. No I/O.

As sshd's MaxStartups and MaxSessions: a session is half-open until its peer has said something, or
has let something of ours arrive. A stranger can open sessions at will, and under as many sender
tags as he likes, but each costs him more than its Open to keep.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

    from nymproxy.legacy.limits import SessionLimits

_LOOKS = 16
"""Sessions that are looked at for each new one: their order makes up for the rest."""


class Occupant(Protocol):
    """What is asked of a session."""

    @property
    def number(self) -> int:
        """Its key."""
        ...

    @property
    def peer(self) -> Hashable:
        """Whose it is."""
        ...

    @property
    def began_at(self) -> float:
        """When it was added."""
        ...

    @property
    def last_active_at(self) -> float:
        """When something went either way."""
        ...

    @property
    def is_half_open(self) -> bool:
        """True until the peer has said something, or something of ours has arrived there."""
        ...


S = TypeVar("S", bound=Occupant)


class SessionBook(Generic[S]):
    """The sessions of a server, by number.

    Each new session looks at a few of the others, beginning with those that were not looked at
    for longest: what is found busy goes to the end of the line, so the longest idle are in front.
    """

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self.sessions: dict[int, S] = {}
        self._half_open: OrderedDict[int, S] = OrderedDict()
        self._spoken: OrderedDict[int, S] = OrderedDict()
        self._new: OrderedDict[int, S] = OrderedDict()  # by age; maybe not half-open any more
        self._of_peer: dict[Hashable, OrderedDict[int, S]] = {}

    def __len__(self) -> int:
        return len(self.sessions)

    def use_limits(self, limits: SessionLimits) -> None:
        """Replace the limits; they count for sessions that come."""
        self._limits = limits

    def add(self, session: S) -> None:
        """Add a session, for which there is room."""
        self.sessions[session.number] = session
        self._half_open[session.number] = session
        self._new[session.number] = session
        self._of_peer.setdefault(session.peer, OrderedDict())[session.number] = session

    def remove(self, session: S) -> None:
        """Forget a session. Idempotent."""
        if self.sessions.pop(session.number, None) is None:
            return
        self._half_open.pop(session.number, None)
        self._spoken.pop(session.number, None)
        self._new.pop(session.number, None)
        of_peer = self._of_peer[session.peer]
        del of_peer[session.number]
        if not of_peer:
            del self._of_peer[session.peer]

    # Making room.

    def is_full_for(self, peer: Hashable) -> bool:
        """Tell whether another session of a peer is one too many."""
        return self._is_over_share(peer) or len(self.sessions) >= self._limits.sessions

    def _is_over_share(self, peer: Hashable) -> bool:
        return len(self._of_peer.get(peer, ())) >= self._limits.sessions_per_client

    def victim_for(self, peer: Hashable, now: float) -> S | None:
        """Return the session that should go for another one of a peer; ``None``: none should."""
        if self._is_over_share(peer):
            return self._first_idle(self._of_peer[peer], now)
        return self._first_idle(self._half_open, now) or self._first_idle(self._spoken, now)

    def _first_idle(self, line: OrderedDict[int, S], now: float) -> S | None:
        for number in list(islice(line, _LOOKS)):
            session = line[number]
            if line is self._half_open and not session.is_half_open:
                self._speaks(session)
            elif self._is_idle(session, now):
                return session
            else:
                line.move_to_end(number)
        return None

    def _is_idle(self, session: S, now: float) -> bool:
        if session.is_half_open:
            return now >= session.began_at + self._limits.protected_seconds
        return now >= session.last_active_at + self._limits.idle_seconds

    def _speaks(self, session: S) -> None:
        del self._half_open[session.number]
        self._spoken[session.number] = session

    # Time.

    def half_open_too_long(self, now: float) -> list[S]:
        """Return the sessions that have been half-open for too long, each once."""
        overdue = []
        while self.next_deadline <= now:
            number, session = self._new.popitem(last=False)
            if session.is_half_open:
                overdue.append(session)
            elif number in self._half_open:
                self._speaks(session)
        return overdue

    @property
    def next_deadline(self) -> float:
        """When :meth:`half_open_too_long` should be asked again; ``math.inf``: not by time."""
        eldest = next(iter(self._new.values()), None)
        return math.inf if eldest is None else eldest.began_at + self._limits.half_open_seconds


class ConnectRate:
    """Spreads what comes at once: so many in a second, and as many more after a quiet second.

    Args:
        per_second: the rate.
    """

    def __init__(self, per_second: float) -> None:
        self.use_rate(per_second)
        self._free_at = -math.inf

    def use_rate(self, per_second: float) -> None:
        """Replace the rate."""
        self._interval = 1 / per_second

    def take(self, now: float) -> float:
        """Take the next place; return when its time comes, ``now`` or later."""
        self._free_at = max(self._free_at, now - 1) + self._interval
        return max(now, self._free_at)


class Waits(Protocol):
    """What is asked of a session that waits to be connected."""

    @property
    def has_spoken(self) -> bool:
        """True when its peer has said something."""
        ...


W = TypeVar("W", bound=Waits)


class ConnectLine(Generic[W]):
    """Who is connected next: a session whose peer has said something, if there is one among those
    that came last; else who came first. Silent ones, which cost a stranger nothing, wait."""

    def __init__(self) -> None:
        self._line: dict[W, None] = {}

    def __bool__(self) -> bool:
        """True while anybody waits."""
        return bool(self._line)

    def add(self, waiting: W) -> None:
        """Add a session at the end."""
        self._line[waiting] = None

    def discard(self, waiting: W) -> None:
        """Take a session out. Idempotent."""
        self._line.pop(waiting, None)

    def take(self) -> W | None:
        """Take out who is next; ``None``: nobody waits."""
        last = list(islice(reversed(self._line), _LOOKS))
        spoken = [each for each in last if each.has_spoken]
        taken = spoken[-1] if spoken else next(iter(self._line), None)
        if taken is not None:
            self.discard(taken)
        return taken
