"""Noticing that the other side is gone although nothing said so."""

from __future__ import annotations

from nymproxy.errors import PhaseTimeout


class Liveness:
    """Asks for a ping after some silence, and gives up after some more.

    Every packet is answered, so only an idle connection ever pings.

    Args:
        idle: seconds of silence before a ping.
        pong: further seconds before the connection counts as dead.
    """

    def __init__(self, idle: float, pong: float) -> None:
        self._idle = idle
        self._pong = pong
        self._last_heard = 0.0
        self._pinged_at: float | None = None
        self.wants_ping = False
        """True when a ping is to be sent."""

    @property
    def deadline(self) -> float:
        """When to call :meth:`time_out`."""
        if self._pinged_at is not None:
            return self._pinged_at + self._pong
        return self._last_heard + self._idle

    def hear(self, now: float) -> None:
        """Take a sign of life."""
        self._last_heard = now
        self._pinged_at = None

    def postpone(self, seconds: float) -> None:
        """Leave out of account a time in which nobody listened."""
        self._last_heard += seconds
        if self._pinged_at is not None:
            self._pinged_at += seconds

    def take_ping(self) -> bool:
        """Tell, once, whether a ping is to be sent."""
        wanted, self.wants_ping = self.wants_ping, False
        return wanted

    def time_out(self, now: float) -> None:
        """Act if the deadline has passed.

        Raises:
            PhaseTimeout: a ping was not answered.
        """
        if now < self.deadline:
            return
        if self._pinged_at is not None:
            raise PhaseTimeout("the gateway has gone silent: it answers no ping")
        self._pinged_at = now
        self.wants_ping = True
