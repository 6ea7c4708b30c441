"""When a quiet channel is over, and how: one clock for all idle limits."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.channel.rules import QuietRules


class Quiet(enum.Enum):
    """What a quiet time that is too long means."""

    IDLE = "idle"
    """Nothing in either direction."""
    NO_ANSWER = "no answer"
    """Our end was acknowledged, and the peer has said nothing for too long since."""
    UNANSWERED = "unanswered"
    """We opened the channel, and nothing at all came back."""
    DEAD = "dead"
    """A peer that says something now and then by itself has stopped."""
    SILENCE = "silence"
    """No data for so long counts as the end of the peer's direction (if asked for)."""


class IdleClock:
    """Measures quiet times.

    Args:
        rules: the limits.
        now: time of creation; it counts as activity.
    """

    def __init__(self, rules: QuietRules, now: float) -> None:
        self.rules = rules
        """May be replaced by others, as more is learned of the peer."""
        self._last_received = now
        self._last_data = now
        self._last_activity = now
        self._is_answered = False
        self._opened_at: float | None = None
        self._unheard_seconds = 0.0

    def could_not_hear(self, seconds: float) -> None:
        """Note that for so long, since the peer's last segment, it could not have been heard."""
        self._unheard_seconds += seconds

    def opened(self, now: float) -> None:
        """Note that the OPEN has arrived. Idempotent."""
        if self._opened_at is None:
            self._opened_at = now

    def received(self, now: float, *, is_data: bool) -> None:
        """Note a segment of the peer."""
        self._last_received = self._last_activity = now
        self._is_answered = True
        self._unheard_seconds = 0.0
        if is_data:
            self._last_data = now

    def sent(self, now: float) -> None:
        """Note a message of ours."""
        self._last_activity = now

    def limits(
        self, *, out_ended_at: float | None, out_ended: bool, in_ended: bool
    ) -> dict[Quiet, float]:
        """Return when each limit is reached, without further activity. All but the one for idle
        channels, which is the end of every wait, stand still while the peer cannot be heard.

        Args:
            out_ended_at: since when our end is acknowledged.
            out_ended: our end was told.
            in_ended: the peer's direction has ended.
        """
        rules = self.rules
        idle = rules.idle_timeout_seconds
        if rules.half_closed_timeout_seconds is not None and out_ended != in_ended:
            idle = rules.half_closed_timeout_seconds
        limits = {Quiet.IDLE: self._last_activity + idle}
        if rules.dead_seconds is not None:
            limits[Quiet.DEAD] = self._last_received + rules.dead_seconds
        if not in_ended and rules.answer_timeout_seconds is not None and out_ended_at is not None:
            since = max(out_ended_at, self._last_received)
            limits[Quiet.NO_ANSWER] = since + rules.answer_timeout_seconds
        if not (in_ended or self._is_answered):
            limits[Quiet.UNANSWERED] = self._answered_by()
        if not in_ended and rules.silence_end_seconds is not None:
            limits[Quiet.SILENCE] = self._last_data + rules.silence_end_seconds
        for quiet in limits:
            if quiet is not Quiet.IDLE:
                limits[quiet] += self._unheard_seconds
        return limits

    def _answered_by(self) -> float:
        rules, by = self.rules, math.inf
        if rules.connect_timeout_seconds is not None:
            by = self._last_activity + rules.connect_timeout_seconds
        if rules.opening_timeout_seconds is not None and self._opened_at is not None:
            by = min(by, self._opened_at + rules.opening_timeout_seconds)
        return by

    def deadline(
        self, *, out_ended_at: float | None, out_ended: bool, in_ended: bool
    ) -> tuple[float, Quiet]:
        """Return the first limit that is reached, and which."""
        limits = self.limits(out_ended_at=out_ended_at, out_ended=out_ended, in_ended=in_ended)
        first = min(limits, key=limits.__getitem__)
        return limits[first], first
