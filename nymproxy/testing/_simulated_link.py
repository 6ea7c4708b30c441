"""The network of the simulator: what happens to each message, decided by a seeded generator."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

PACKET_BYTES = 1500


class VirtualClock:
    """Time that passes only when the next event is taken."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Run ``action`` at a time; never before now."""
        heapq.heappush(self._events, (max(time, self.now), next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run ``action`` so long from now."""
        self.at(self.now + seconds, action)

    @property
    def next_time(self) -> float:
        """When the next event is due."""
        return self._events[0][0] if self._events else math.inf

    def step(self) -> None:
        """Go to the next event and run it."""
        time, _, action = heapq.heappop(self._events)
        self.now = time
        action()


@dataclass(frozen=True, slots=True)
class SimulatedFaults:
    """What one direction of the network does to messages. Times in seconds.

    Attributes:
        delay: shortest and longest time on the way; the difference reorders.
        packet_rate: packets that leave each second, in order.
        loss: chance of each packet to be lost; the message then waits for a retransmission.
        retransmission: time until a lost packet is sent again.
        attempts: transmissions of a packet after which the message is given up; 0: no limit.
        duplication: chance of a message to arrive twice.
        acknowledgement: shortest and longest time until the sender knows.
        outages: times between which nothing leaves or arrives; all of it comes later.
    """

    delay: tuple[float, float] = (0.05, 0.15)
    packet_rate: float = 500.0
    loss: float = 0.0
    retransmission: float = 1.6
    attempts: int = 0
    duplication: float = 0.0
    acknowledgement: tuple[float, float] = (0.05, 0.3)
    outages: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Fate:
    """When things happen to one message.

    Attributes:
        sent_at: its last packet leaves for the first time.
        arrivals: when it is complete at the receiver; empty if it was given up.
        acknowledged_at: when the sender knows that it arrived.
        given_up_at: when the sender gives it up; ``math.inf``: never.
    """

    sent_at: float
    arrivals: tuple[float, ...]
    acknowledged_at: float
    given_up_at: float


class SimulatedLink:
    """One direction: a queue that empties at the packet rate, and the faults behind it."""

    def __init__(self, faults: SimulatedFaults, random: random.Random) -> None:
        self._faults = faults
        self._random = random
        self._free_at = 0.0

    def packet_count(self, size: int) -> int:
        """Return how many packets a message of ``size`` bytes takes."""
        return 1 + size // PACKET_BYTES

    def backlog_seconds(self, now: float) -> float:
        """Return how long a message that is given now would wait."""
        return max(0.0, self._free_at - now)

    def send(self, size: int, now: float) -> Fate:
        """Decide what becomes of a message."""
        faults = self._faults
        packets = self.packet_count(size)
        self._free_at = max(now, self._free_at) + packets / faults.packet_rate
        sent_at = self._after_outages(self._free_at)
        retries = max(self._retries() for _ in range(packets))
        retried_at = sent_at + retries * faults.retransmission
        if faults.attempts and retries >= faults.attempts:
            return Fate(sent_at, (), math.inf, retried_at)
        arrival = self._after_outages(retried_at + self._random.uniform(*faults.delay))
        arrivals = [arrival]
        if self._random.random() < faults.duplication:
            arrivals.append(arrival + self._random.expovariate(1.0))
        acknowledged_at = arrival + self._random.uniform(*faults.acknowledgement)
        return Fate(sent_at, tuple(arrivals), acknowledged_at, math.inf)

    def _retries(self) -> int:
        retries = 0
        limit = self._faults.attempts or 100
        while retries < limit and self._random.random() < self._faults.loss:
            retries += 1
        return retries

    def _after_outages(self, time: float) -> float:
        for start, end in self._faults.outages:
            if start <= time < end:
                return end
        return time
