"""Segments without a number: the opening, greetings, windows, probes, and liveness.

Each kind has a small machine of its own, a :class:`Control`. A channel asks them in turn what is
due, before its numbered messages.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from nymproxy.channel.segment import ChannelId, Segment, SegmentKind

if TYPE_CHECKING:
    from nymproxy.channel.inbound import InboundDirection
    from nymproxy.channel.outbound import OutboundDirection
    from nymproxy.channel.protocol import PeerTraits

AT_ONCE = -math.inf
MAX_WAITING_PONGS = 8
"""More unanswered PINGs than this are dropped: an answer costs a reply SURB."""
PONGS_PER_SECOND = 1.0
MAX_UNANSWERED_PINGS = 3


class Control(Protocol):
    """Has a segment to send now and then."""

    def next_at(self, now: float) -> float:
        """Return when a segment is due; ``now`` or less: at once. ``math.inf``: when something
        changes."""
        ...

    def take(self, now: float) -> Segment:
        """Return the segment. Called only when one is due."""
        ...


class Opening:
    """The OPEN of a dialer, in protocols that have one, with the first data where it may."""

    def __init__(self, channel_id: ChannelId, outbound: OutboundDirection, *, is_due: bool) -> None:
        self._channel_id = channel_id
        self._outbound = outbound
        self._is_due = is_due

    def next_at(self, now: float) -> float:
        """See :class:`Control`."""
        return AT_ONCE if self._is_due else math.inf

    def take(self, now: float) -> Segment:
        """See :class:`Control`."""
        self._is_due = False
        payload = self._outbound.take_opening()
        return Segment(SegmentKind.OPEN, self._channel_id, payload=payload)


class Greeter:
    """Says once to a dialer that its channel is accepted, as soon as it may be said."""

    def __init__(self, channel_id: ChannelId, traits: PeerTraits) -> None:
        self._channel_id = channel_id
        self._traits = traits
        self._is_attached = False
        self._said: set[SegmentKind] = set()

    def attach(self) -> None:
        """Note that the channel has a listener."""
        self._is_attached = True

    def _due(self) -> SegmentKind | None:
        if not self._is_attached:
            return None
        return next((kind for kind in self._traits.greeting() if kind not in self._said), None)

    def next_at(self, now: float) -> float:
        """See :class:`Control`."""
        return math.inf if self._due() is None else AT_ONCE

    def take(self, now: float) -> Segment:
        """See :class:`Control`."""
        kind = self._due()
        assert kind is not None
        self._said.add(kind)
        return Segment(kind, self._channel_id)


class EndRepeater:
    """Says our end once more to a peer that asks whether we are there: the first may be lost."""

    def __init__(
        self, channel_id: ChannelId, traits: PeerTraits, outbound: OutboundDirection
    ) -> None:
        self._channel_id = channel_id
        self._traits = traits
        self._outbound = outbound
        self._is_asked = False

    def heard(self, segment: Segment) -> None:
        """Note any segment of the peer."""
        if self._outbound.state.has_ended and self._traits.asks_for_end(segment):
            self._is_asked = True

    def next_at(self, now: float) -> float:
        """See :class:`Control`."""
        return AT_ONCE if self._is_asked else math.inf

    def take(self, now: float) -> Segment:
        """See :class:`Control`."""
        self._is_asked = False
        modulus = self._traits.rules.order.sequence_modulus
        sequence = (self._outbound.next_sequence - 1) % modulus
        return Segment(SegmentKind.FIN, self._channel_id, sequence)


class WindowKeeper:
    """Tells the peer how much more it may send, when that has grown or the peer asks."""

    def __init__(
        self, channel_id: ChannelId, traits: PeerTraits, inbound: InboundDirection
    ) -> None:
        self._channel_id = channel_id
        self._traits = traits
        self._inbound = inbound
        self._announced_limit = inbound.window.limit
        self._is_asked = False

    def asked(self) -> None:
        """Note a PROBE."""
        self._is_asked = True

    def next_at(self, now: float) -> float:
        """See :class:`Control`."""
        is_due = (
            (self._is_asked or self._inbound.window.limit > self._announced_limit)
            and not self._inbound.has_ended
            and self._traits.may_send(SegmentKind.WINDOW)
        )
        return AT_ONCE if is_due else math.inf

    def take(self, now: float) -> Segment:
        """See :class:`Control`."""
        self._is_asked = False
        self._announced_limit = limit = self._inbound.window.limit
        sequence = self._inbound.next_sequence
        return Segment(SegmentKind.WINDOW, self._channel_id, sequence, limit=limit)


class WindowProber:
    """Asks for the window when data has waited for room too long: the last WINDOW may be lost."""

    def __init__(
        self, channel_id: ChannelId, traits: PeerTraits, outbound: OutboundDirection
    ) -> None:
        self._channel_id = channel_id
        self._traits = traits
        self._outbound = outbound

    def next_at(self, now: float) -> float:
        """See :class:`Control`."""
        window = self._outbound.window
        if not self._outbound.is_window_blocked:
            window.unblocked()
            return math.inf
        window.blocked(now)
        return window.probe_at if self._traits.may_send(SegmentKind.PROBE) else math.inf

    def take(self, now: float) -> Segment:
        """See :class:`Control`."""
        self._outbound.window.probed(now)
        return Segment(SegmentKind.PROBE, self._channel_id, self._outbound.next_sequence)


class Liveness:
    """PING and PONG, as newer Rust peers have them (nym-lp-data 1.22.2).

    A PING is answered, since who sends it understands the answer: eight at once, and one a second.
    We send one only to peers that have shown liveness frames, and only if a keepalive is
    configured.
    """

    def __init__(self, channel_id: ChannelId, traits: PeerTraits, now: float) -> None:
        self._channel_id = channel_id
        self._traits = traits
        self._interval = traits.rules.quiet.keepalive_seconds
        self._last_heard = now
        self._last_ping = now
        self._unanswered = 0
        self._nonce = 0
        self._pongs: list[int] = []
        self._may_answer = float(MAX_WAITING_PONGS)
        self._allowed_at = now

    def heard(self, segment: Segment, now: float) -> None:
        """Note any segment of the peer; each one shows that it lives."""
        self._last_heard = now
        self._unanswered = 0
        if segment.kind is SegmentKind.PING and self._is_answered(now):
            self._pongs.append(segment.sequence)

    def _is_answered(self, now: float) -> bool:
        allowed = self._may_answer + (now - self._allowed_at) * PONGS_PER_SECOND
        self._may_answer = min(float(MAX_WAITING_PONGS), allowed)
        self._allowed_at = now
        if self._may_answer < 1 or len(self._pongs) >= MAX_WAITING_PONGS:
            return False
        self._may_answer -= 1
        return True

    def next_at(self, now: float) -> float:
        """See :class:`Control`."""
        if self._pongs:
            return AT_ONCE
        return math.inf if self._unanswered >= MAX_UNANSWERED_PINGS else self._ping_at

    def take(self, now: float) -> Segment:
        """See :class:`Control`."""
        if self._pongs:
            return Segment(SegmentKind.PONG, self._channel_id, self._pongs.pop(0))
        self._nonce += 1
        self._last_ping = now
        self._unanswered += 1
        return Segment(SegmentKind.PING, self._channel_id, self._nonce)

    @property
    def dead_at(self) -> float:
        """When the peer is taken for dead: three PINGs had no answer, and the next one is due."""
        return self._ping_at if self._unanswered >= MAX_UNANSWERED_PINGS else math.inf

    @property
    def _ping_at(self) -> float:
        if self._interval is None or not self._traits.may_send(SegmentKind.PING):
            return math.inf
        return max(self._last_heard, self._last_ping) + self._interval
