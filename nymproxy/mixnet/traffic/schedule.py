"""When to send: exponential schedules that do not drift, and the multiplier under back-pressure.

Behaviour of nym-client-core 1.21.6, src/client/real_messages_control/real_traffic_stream.rs,
real_traffic_stream/sending_delay_controller.rs and src/client/cover_traffic_stream.rs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nymproxy.mixnet.randomness import exponential_seconds

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes


class ExponentialSchedule:
    """Deadlines at exponential distances: the next one is the previous one plus a sample.

    A late caller therefore catches up, and the long-term rate is exact. What is overdue by more
    than ``maximum_backlog_seconds`` (the machine slept, the gateway was gone) is forgone, so that
    waking up causes no burst.
    """

    __slots__ = ("_backlog", "_mean", "_random", "deadline", "multiplier")

    def __init__(
        self,
        mean_seconds: float,
        random_bytes: RandomBytes,
        now: float,
        *,
        maximum_backlog_seconds: float = 1.0,
    ) -> None:
        self._mean = mean_seconds
        self._random = random_bytes
        self._backlog = maximum_backlog_seconds
        self.multiplier = 1
        """Factor on the mean, set by the owner from :class:`BackPressure`."""
        self.deadline = now + self._sample()
        """When the next packet is due, in the clock's seconds."""

    def _sample(self) -> float:
        return exponential_seconds(self._random, self._mean * self.multiplier)

    def take_due(self, now: float, limit: int) -> int:
        """Return how many packets are due, at most ``limit``, and move the deadline on."""
        if self.deadline < now - self._backlog:
            self.deadline = now - self._backlog
        count = 0
        while count < limit and self.deadline <= now:
            self.deadline += self._sample()
            count += 1
        return count


class BackPressure:
    """The multiplier 1..6 on the mean sending delay, by how the gateway connection keeps up.

    Rust looks at how many of 32 queue slots before the gateway writer are used. Here the sender
    writes itself, so the slots used are the packets that came due while one write was waiting.
    """

    MAXIMUM: Final = 6
    _FULL_SLOTS: Final = 32
    _CALM_SLOTS: Final = 10
    _RAISE_AFTER_SECONDS: Final = 1.0
    _LOWER_AFTER_SECONDS: Final = 2.0

    __slots__ = ("_busy_at", "_changed_at", "multiplier")

    def __init__(self, now: float) -> None:
        self.multiplier = 1
        self._changed_at = now
        self._busy_at = now

    def written(self, now: float, slots_used: float) -> int:
        """Record one write during which ``slots_used`` packets came due; return the multiplier."""
        if slots_used > self._CALM_SLOTS:
            self._busy_at = now
        since_change = now - self._changed_at
        if slots_used >= self._FULL_SLOTS:
            if self.multiplier < self.MAXIMUM and since_change > self._RAISE_AFTER_SECONDS:
                self._change(now, 1)
        elif (
            self.multiplier > 1
            and since_change > self._LOWER_AFTER_SECONDS
            and now - self._busy_at > self._LOWER_AFTER_SECONDS
        ):
            self._change(now, -1)
        return self.multiplier

    def _change(self, now: float, step: int) -> None:
        self.multiplier += step
        self._changed_at = now
