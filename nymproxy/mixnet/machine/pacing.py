"""When packets leave: by the profile's schedule, or as fast as the window allows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from nymproxy.mixnet.traffic import BackPressure, ExponentialSchedule

if TYPE_CHECKING:
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.traffic import TrafficProfile

BATCH: Final = 8
"""Most packets written together. Building one takes about half a millisecond, in which nothing
else runs."""


class Departures(NamedTuple):
    """What leaves now.

    Attributes:
        packets: how many packets at most.
        covered: what has no fragment to carry is cover.
        loop_covers: extra cover packets.
    """

    packets: int
    covered: bool
    loop_covers: int


class Pacing(Protocol):
    """Decides when packets leave."""

    def next_departure(self, sendable: int) -> float:
        """Return when something leaves, in the clock's seconds, if ``sendable`` packets may."""
        ...

    def due(self, now: float, sendable: int) -> Departures:
        """Return what leaves now, and count it as gone."""
        ...

    def written(self, now: float, waited_seconds: float) -> None:
        """Record that a batch was written, and how long that took."""
        ...


def make_pacing(profile: TrafficProfile, random_bytes: RandomBytes, now: float) -> Pacing:
    """Return what a profile asks for."""
    if profile.sending_delay_seconds is None:
        return UnpacedSending(profile, random_bytes, now)
    return ScheduledSending(profile, profile.sending_delay_seconds, random_bytes, now)


class _LoopCover:
    """The extra stream of covers, if the profile has one."""

    __slots__ = ("_schedule",)

    def __init__(self, profile: TrafficProfile, random_bytes: RandomBytes, now: float) -> None:
        mean = profile.loop_cover_delay_seconds
        self._schedule = None if mean is None else ExponentialSchedule(mean, random_bytes, now)

    @property
    def deadline(self) -> float:
        return math.inf if self._schedule is None else self._schedule.deadline

    def take_due(self, now: float) -> int:
        return 0 if self._schedule is None else self._schedule.take_due(now, 1)


class ScheduledSending:
    """One packet at each moment of an exponential schedule, cover if nothing waits."""

    def __init__(
        self,
        profile: TrafficProfile,
        mean_seconds: float,
        random_bytes: RandomBytes,
        now: float,
    ) -> None:
        self._mean_seconds = mean_seconds
        self._schedule = ExponentialSchedule(mean_seconds, random_bytes, now)
        self._pressure = BackPressure(now)
        self._loop_cover = _LoopCover(profile, random_bytes, now)

    def next_departure(self, _sendable: int) -> float:
        """See :class:`Pacing`, as for the other methods."""
        return min(self._schedule.deadline, self._loop_cover.deadline)

    def due(self, now: float, _sendable: int) -> Departures:
        """Return the packets of the schedule up to now."""
        packets = self._schedule.take_due(now, BATCH)
        return Departures(packets, covered=True, loop_covers=self._loop_cover.take_due(now))

    def written(self, now: float, waited_seconds: float) -> None:
        """Slow down when the gateway connection does not keep up."""
        slots_used = waited_seconds / self._mean_seconds
        self._schedule.multiplier = self._pressure.written(now, slots_used)


class UnpacedSending:
    """Everything that may leave leaves at once."""

    def __init__(self, profile: TrafficProfile, random_bytes: RandomBytes, now: float) -> None:
        self._loop_cover = _LoopCover(profile, random_bytes, now)

    def next_departure(self, sendable: int) -> float:
        """See :class:`Pacing`, as for the other methods."""
        return -math.inf if sendable else self._loop_cover.deadline

    def due(self, now: float, sendable: int) -> Departures:
        """Return as much as one batch takes."""
        packets = min(BATCH, sendable)
        return Departures(packets, covered=False, loop_covers=self._loop_cover.take_due(now))

    def written(self, now: float, waited_seconds: float) -> None:
        """Do nothing: the window of unacknowledged packets slows down by itself."""
