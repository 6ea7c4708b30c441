"""Segments without a number: greetings, windows, probes, and liveness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy.channel.segment import ChannelId, Segment, SegmentKind

if TYPE_CHECKING:
    from nymproxy.channel.protocol import PeerTraits

MAX_WAITING_PONGS = 8
"""More unanswered PINGs than this are dropped: an answer costs a reply SURB."""
MAX_UNANSWERED_PINGS = 3


class Greeter:
    """Says once to a dialer that its channel is accepted, as soon as it may be said."""

    def __init__(self, traits: PeerTraits) -> None:
        self._traits = traits
        self._is_attached = False
        self._said: set[SegmentKind] = set()

    def attach(self) -> None:
        """Note that the channel has a listener."""
        self._is_attached = True

    def take_due(self) -> SegmentKind | None:
        """Return a kind that is due; DATA stands for an empty numbered message."""
        if not self._is_attached:
            return None
        for kind in self._traits.greeting():
            if kind not in self._said:
                self._said.add(kind)
                return kind
        return None


class Liveness:
    """PING and PONG, as newer Rust peers have them (nym-lp-data 1.22.2).

    A PING is answered always: who sends it understands the answer. We send one only to peers that
    have shown liveness frames, and only if a keepalive is configured.
    """

    def __init__(self, channel_id: ChannelId, traits: PeerTraits, now: float) -> None:
        self._channel_id = channel_id
        self._traits = traits
        self._interval = traits.rules.keepalive_seconds
        self._last_heard = now
        self._last_ping = now
        self._unanswered = 0
        self._nonce = 0
        self._pongs: list[int] = []

    def heard(self, segment: Segment, now: float) -> None:
        """Note any segment of the peer; each one shows that it lives."""
        self._last_heard = now
        self._unanswered = 0
        if segment.kind is SegmentKind.PING and len(self._pongs) < MAX_WAITING_PONGS:
            self._pongs.append(segment.sequence)

    def take_due(self, now: float) -> Segment | None:
        """Return a PONG or PING that is due."""
        if self._pongs:
            return Segment(SegmentKind.PONG, self._channel_id, self._pongs.pop(0))
        if now < self.deadline or self.is_dead(now):
            return None
        self._nonce += 1
        self._last_ping = now
        self._unanswered += 1
        return Segment(SegmentKind.PING, self._channel_id, self._nonce)

    @property
    def deadline(self) -> float:
        """When the next PING is due, or the peer taken for dead; ``math.inf``: never."""
        if self._interval is None or not self._traits.may_send(SegmentKind.PING):
            return math.inf
        return max(self._last_heard, self._last_ping) + self._interval

    def is_dead(self, now: float) -> bool:
        """Tell whether three PINGs had no answer and the next one is due."""
        return self._unanswered >= MAX_UNANSWERED_PINGS and now >= self.deadline
