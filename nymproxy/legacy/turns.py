"""Whose turn it is at an old server: the sessions of one process do not send to it all at once.

All sessions of an old server share the one place that keeps only the newest message; see
:mod:`nymproxy.legacy.pacing`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress

TURN_SECONDS = 0.1
"""Between the last packet of one session's message and the beginning of another session's."""
TURN_LIMIT_SECONDS = 1.0
"""A message that takes longer to prepare and to send no longer holds the others up."""
MAX_TURN_SERVERS = 1024


class Waiting(Protocol):
    """A session that waits for its turn."""

    wake: Callable[[], None]
    """Has it ask :meth:`ServerTurns.ready_at` again."""


@dataclass(slots=True)
class _Server:
    busy_until: float = -math.inf
    holder: Waiting | None = None
    waiting: dict[Waiting, None] = field(default_factory=dict)  # in the order in which they came


class ServerTurns:
    """Spreads what the sessions of one process send to the same old server.

    What counts is when messages are complete at the server, so a turn lasts until the last packet
    of its message has left, and a little longer: sessions that begin together prepare their reply
    SURBs together, and would finish together however far apart they began.

    Share one between the protocols of all clients of a process. The server that was used longest
    ago is forgotten when there are more than ``MAX_TURN_SERVERS``.
    """

    def __init__(self, turn_seconds: float = TURN_SECONDS) -> None:
        self._turn_seconds = turn_seconds
        self._servers: dict[NymAddress, _Server] = {}

    def ready_at(self, server: NymAddress, session: Waiting, now: float) -> float:
        """Return when a session may begin its next message, as far as is known.

        It may become earlier, until ``session.wake`` is called.
        """
        known = self._servers.get(server)
        if known is None or known.busy_until <= now:
            return now
        known.waiting.setdefault(session)
        return known.busy_until

    def begun(self, server: NymAddress, session: Waiting, now: float) -> None:
        """Note that a session's message will now be prepared and sent: it is its turn."""
        known = self._servers.pop(server, None) or _Server()
        self._servers[server] = known
        if len(self._servers) > MAX_TURN_SERVERS:
            del self._servers[next(iter(self._servers))]
        known.waiting.pop(session, None)
        known.holder = session
        known.busy_until = now + TURN_LIMIT_SECONDS

    def sent(self, server: NymAddress, session: Waiting, now: float) -> None:
        """Note that the last packet of a session's message has left, in its turn or later."""
        known = self._servers.get(server)
        if known is None:
            return
        pause_until = now + self._turn_seconds
        if known.holder is not session:
            known.busy_until = max(known.busy_until, pause_until)
            return
        known.holder = None
        known.busy_until = pause_until
        if known.waiting:
            # Only the first: should it have nothing to send any more, the next ones ask by
            # themselves when the limit of this turn is over.
            first = next(iter(known.waiting))
            del known.waiting[first]
            first.wake()
