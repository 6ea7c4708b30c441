"""How many packets may be unacknowledged: the bound of a client that has no sending schedule.

Additive increase while the network's queues stay short, multiplicative decrease on loss. There is
nothing like it in the Rust client, which overruns the nodes' queues when its schedule is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.mixnet.traffic.profile import WindowLimits


class CongestionWindow:
    """Counts the packets in flight and adapts how many there may be.

    The window grows by one for each acknowledged packet until the first loss, then by one for each
    window of acknowledged packets; not while the measured excess delay is over the target, and
    only while it is in use. It shrinks at most once for each round: losses of packets that were
    sent before the last decrease say nothing new.
    """

    __slots__ = ("_decreased_at", "_limits", "_slow_start", "in_flight", "size")

    def __init__(self, limits: WindowLimits) -> None:
        self._limits = limits
        self._slow_start = True
        self._decreased_at = float("-inf")
        self.size = float(limits.initial)
        """The window in packets."""
        self.in_flight = 0
        """Packets that left and are neither acknowledged nor taken for lost."""

    @property
    def room(self) -> int:
        """How many packets may leave now."""
        return max(0, int(self.size) - self.in_flight)

    def sent(self, count: int = 1) -> None:
        """Record packets that left."""
        self.in_flight += count

    def acknowledged(self, excess_seconds: float) -> None:
        """Record an acknowledged packet, with its delay beyond the expected one."""
        in_use = self.in_flight * 2 >= self.size
        self.in_flight -= 1
        if not in_use:
            return
        if excess_seconds <= self._limits.queueing_target_seconds:
            step = 1.0 if self._slow_start else 1.0 / self.size
            self.size = min(float(self._limits.maximum), self.size + step)
        else:
            self._slow_start = False
            if excess_seconds > 2 * self._limits.queueing_target_seconds:
                self._shrink(self.size - 1.0 / self.size)

    def lost(self, sent_at: float, now: float) -> None:
        """Record a packet whose timer fired."""
        self.in_flight -= 1
        if sent_at > self._decreased_at:
            self._slow_start = False
            self._decreased_at = now
            self._shrink(self.size * self._limits.decrease)

    def forgotten(self, count: int = 1) -> None:
        """Record packets nobody waits for any more (their message was given up)."""
        self.in_flight -= count

    def _shrink(self, size: float) -> None:
        self.size = max(float(self._limits.minimum), size)
