"""What peers have opened and no application has: channels that wait to be accepted, and openings
that came before anybody listened.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from nymproxy.channel.segment import SegmentKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nymproxy.channel.limits import TableLimits
    from nymproxy.channel.machine import ChannelMachine
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.channel.segment import ChannelKey, Segment


class Listener:
    """Channels of one protocol that wait to be accepted."""

    def __init__(self, protocol: ChannelProtocol, backlog: int) -> None:
        self.protocol = protocol
        self._backlog = backlog
        self.waiting: deque[ChannelKey] = deque()
        self.unconfirmed: dict[ChannelKey, None] = {}
        """Not acceptable yet, the oldest first: anybody can open such channels."""
        self.is_closed = False

    @property
    def reason_to_refuse(self) -> str | None:
        """Why no more channels may wait, if that is so."""
        if self.is_closed:
            return "closed"
        return "backlog-full" if len(self.waiting) >= self._backlog else None

    def show(self, key: ChannelKey) -> bool:
        """Let an unconfirmed channel wait from now on; False: there is no room any more."""
        del self.unconfirmed[key]
        if self.reason_to_refuse is not None:
            return False
        self.waiting.append(key)
        return True

    def waiting_bytes(self, channels: Mapping[ChannelKey, ChannelMachine]) -> int:
        """Return how much those that wait hold, all together."""
        return sum(channels[key].inbound.buffered_bytes for key in self.waiting if key in channels)

    def close(self) -> list[ChannelKey]:
        """Accept no more; returns what waited, in its order, and waits no more."""
        self.is_closed = True
        waiting = [*self.waiting, *self.unconfirmed]
        self.waiting.clear()
        self.unconfirmed.clear()
        return waiting


class Unclaimed:
    """Openings in protocols that nobody listens for, each kept for a while."""

    def __init__(self, limits: TableLimits) -> None:
        self._limits = limits
        self._held: OrderedDict[ChannelKey, tuple[Segment, float]] = OrderedDict()
        self.total_bytes = 0
        """Of all their payloads."""

    def __contains__(self, key: ChannelKey) -> bool:
        return key in self._held

    def hold(self, key: ChannelKey, segment: Segment, now: float) -> bool:
        """Keep an opening of a new channel; False: there is no room for it."""
        if len(self._held) >= self._limits.unclaimed or self._is_large(segment):
            return False
        self._held[key] = (segment, now)
        self.total_bytes += len(segment.payload)
        return True

    def supersede(self, key: ChannelKey, segment: Segment) -> bool:
        """Put an OFFER in the place of the channel's OPEN: it opens by itself, and says more."""
        waiting, since = self._held[key]
        kinds = (waiting.kind, segment.kind)
        if kinds != (SegmentKind.OPEN, SegmentKind.OFFER) or self._is_large(segment):
            return False
        self._held[key] = (segment, since)
        self.total_bytes += len(segment.payload) - len(waiting.payload)
        return True

    def _is_large(self, segment: Segment) -> bool:
        return len(segment.payload) > self._limits.unclaimed_payload_bytes

    def take(self, protocol: str) -> list[tuple[ChannelKey, Segment]]:
        """Return, and forget, those in a protocol."""
        keys = [key for key in self._held if key.protocol == protocol]
        return [(key, self._pop(key)) for key in keys]

    def _pop(self, key: ChannelKey) -> Segment:
        segment, _ = self._held.pop(key)
        self.total_bytes -= len(segment.payload)
        return segment

    def clear(self) -> None:
        """Forget all of them, unanswered."""
        self._held.clear()
        self.total_bytes = 0

    @property
    def next_deadline(self) -> float:
        """When the oldest has waited long enough."""
        if not self._held:
            return math.inf
        _, since = next(iter(self._held.values()))
        return since + self._limits.unclaimed_seconds

    def take_late(self, now: float) -> list[tuple[ChannelKey, Segment]]:
        """Return, and forget, those that have waited long enough."""
        late = []
        while self.next_deadline <= now:
            key = next(iter(self._held))
            late.append((key, self._pop(key)))
        return late
