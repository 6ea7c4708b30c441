"""The sessions of a server: who is let in, who goes for it, and who is waited for at the end."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import anyio

from nymproxy._log_fields import fields
from nymproxy._signal import Signal
from nymproxy.errors import ResetCode
from nymproxy.legacy.session_book import SessionBook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nymproxy._limited_log import LimitedLog
    from nymproxy.channel.channel import Channel
    from nymproxy.legacy.limits import SessionLimits
    from nymproxy.legacy.session import Session

logger = logging.getLogger("nymproxy.legacy")
_LATE_SECONDS = 5.0


class Admission:
    """Keeps the sessions of a server within their limits.

    Args:
        limits: how many there may be.
        log: for what a stranger can cause.
    """

    def __init__(self, limits: SessionLimits, log: LimitedLog) -> None:
        self._limits = limits
        self._log = log
        self._book: SessionBook[Session] = SessionBook(limits)
        self._added = Signal()
        self._ended = Signal()

    def use_limits(self, limits: SessionLimits) -> None:
        """Replace the limits; they count for sessions that come."""
        self._limits = limits
        self._book.use_limits(limits)

    @property
    def sessions(self) -> Mapping[int, Session]:
        """Those that are running, by number."""
        return self._book.sessions

    def add(self, session: Session) -> None:
        """Add a session, for which :meth:`make_room` had room."""
        is_first = self._book.next_deadline == math.inf
        self._book.add(session)
        if is_first:  # no later one is due before it
            self._added.set()

    def remove(self, session: Session) -> None:
        """Forget a session that is over."""
        self._book.remove(session)
        self._ended.set()

    def make_room(self, channel: Channel) -> bool:
        """Have room for one more session of a peer; False: it was refused."""
        now = anyio.current_time()
        if not self._book.is_full_for(channel.peer):
            return True
        victim = self._book.victim_for(channel.peer, now)
        if victim is None:
            self._log.warning(
                now,
                "A session was refused: %d are running",
                len(self._book),
                extra=fields("session-refused", reason="too-many", sessions=len(self._book)),
            )
            channel.abort(ResetCode.REFUSED, "too many sessions")
            return False
        self._log.warning(
            now, "Session %d was idle for longest, and goes for a new one", victim.number
        )
        self._book.remove(victim)
        victim.stop(ResetCode.IDLE_TIMEOUT, "idle, and there are too many sessions")
        return True

    async def end_half_open(self) -> None:
        """End the sessions whose peer says nothing, and takes nothing; for ever."""
        while True:
            deadline = self._book.next_deadline
            with anyio.CancelScope(deadline=deadline):
                await self._added.wait()
            if anyio.current_time() > deadline + _LATE_SECONDS:
                # The process stood still: what peers have said and taken meanwhile is yet to come.
                await anyio.sleep(self._limits.half_open_seconds)
            now = anyio.current_time()
            for session in self._book.half_open_too_long(now):
                self._log.warning(
                    now,
                    "Session %d: its peer has said nothing for %g s",
                    session.number,
                    self._limits.half_open_seconds,
                )
                self._book.remove(session)
                session.stop(ResetCode.IDLE_TIMEOUT, "nothing was heard of the other side")

    async def drain(self, grace_seconds: float) -> None:
        """Let sessions end by themselves for a while, and then end those that are left."""
        running = len(self._book)
        with anyio.move_on_after(grace_seconds):
            while self._book.sessions:
                await self._ended.wait()
        cut = list(self._book.sessions.values())
        logger.info(
            "Stopping: %d sessions were served to the end, %d are cut",
            running - len(cut),
            len(cut),
        )
        for session in cut:
            session.stop()
