"""One channel without I/O: events in, segments to send and the next deadline out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.channel.controls import (
    Control,
    EndRepeater,
    Greeter,
    Liveness,
    Opening,
    WindowKeeper,
    WindowProber,
)
from nymproxy.channel.failures import message_given_up, reset_by_peer, too_quiet
from nymproxy.channel.idle import IdleClock, Quiet
from nymproxy.channel.inbound import InboundDirection
from nymproxy.channel.outbound import OutboundDirection
from nymproxy.channel.protocol import AbortSignal, PeerTraits
from nymproxy.channel.segment import ChannelId, Segment, SegmentKind
from nymproxy.errors import (
    ClientDisconnected,
    NymError,
    ResetCode,
    StreamError,
    StreamIdleTimeout,
    StreamReset,
)

if TYPE_CHECKING:
    from nymproxy.channel.failures import Failure
    from nymproxy.channel.fate import Fate


@dataclass(frozen=True, slots=True)
class OutgoingSegment:
    """One message to send.

    Attributes:
        segment: what to encode.
        surbs: reply SURBs to attach, towards an address.
        index: of a numbered message; ``None`` for others.
    """

    segment: Segment
    surbs: int
    index: int | None = None


class ChannelMachine:
    """Everything that one channel knows and decides.

    After every event, call :meth:`next_outgoing` until it returns ``None``, and :meth:`tick` at
    :meth:`next_deadline` at the latest. Each :class:`OutgoingSegment` is either reported with
    :meth:`handed_over`, and its fate with :meth:`delivery_changed`, or the whole channel with
    :meth:`transport_failed`.

    Args:
        channel_id: the channel.
        traits: what the peer is like.
        is_dialer: we opened the channel.
        now: the time, in seconds of a clock that only goes forward.
    """

    def __init__(
        self, channel_id: ChannelId, traits: PeerTraits, *, is_dialer: bool, now: float
    ) -> None:
        self.channel_id = channel_id
        self.traits = traits
        self.is_dialer = is_dialer
        rules = traits.rules
        self._quirks = traits.quirks(now)
        self.inbound = InboundDirection(rules, self._quirks)
        self.outbound = OutboundDirection(channel_id, traits, self._quirks, is_dialer=is_dialer)
        self.error: NymError | None = None
        """Why the channel failed. Set once; from then on nothing but an abort is sent."""
        self.write_error: NymError | None = None
        """Why our direction is broken, while the peer's goes on."""
        self.is_closed = False
        """The application has closed its side."""
        self.was_reset_by_peer = False
        self.awaits_accept = False
        """No application has it yet."""
        self._farewell: Segment | None = None  # withheld until it is accepted
        self.is_established = not is_dialer
        self.if_unanswered: NymError | None = None
        """What it means when nothing at all comes back; by default a StreamIdleTimeout."""
        self.first_handed_over_at: float | None = None
        self.first_received_at: float | None = None
        self._greeter = Greeter(channel_id, traits)
        self._windows = WindowKeeper(channel_id, traits, self.inbound)
        self._liveness = Liveness(channel_id, traits, now)
        self._ends = EndRepeater(channel_id, traits, self.outbound)
        self._controls: list[Control] = [
            Opening(channel_id, self.outbound, is_due=is_dialer and rules.has_open),
            self._greeter,
            self._windows,
            WindowProber(channel_id, traits, self.outbound),
            self._liveness,
            self._ends,
        ]
        self._idle = IdleClock(rules.quiet, now)
        self._negotiation_ends = now + rules.flow.negotiation_timeout_seconds
        self._is_first = True
        self._abort: tuple[ResetCode, str] | None = None

    # From the peer.

    def segment_received(self, segment: Segment, now: float) -> None:
        """Take a segment that belongs to this channel."""
        if self.error is not None or not self.traits.accepts(segment.kind):
            return
        self.traits.segment_received(segment)
        if self.first_received_at is None:
            self.first_received_at = now
        self.is_established = True
        self._liveness.heard(segment, now)
        self._ends.heard(segment)
        self._idle.rules = self.traits.rules.quiet
        self._idle.received(now, is_data=segment.is_numbered)
        if segment.is_numbered:
            self.outbound.answered()
            if segment.kind is SegmentKind.FIN:
                self._quirks.peer_ended(now)
            self._apply(
                self.inbound.receive(segment, now, enforce_window=self.traits.flow_control is True)
            )
        elif segment.kind is SegmentKind.WINDOW:
            self.outbound.window.raise_limit(segment.limit)
        elif segment.kind is SegmentKind.PROBE:
            self._windows.asked()
        elif segment.kind is SegmentKind.RESET:
            self._reset_received(segment)

    def opened_by(self, segment: Segment, now: float) -> None:
        """Take the segment that opened the channel (acceptors)."""
        if segment.kind is SegmentKind.OPEN:
            self.inbound.receive_open(segment.payload)
        self.segment_received(segment, now)

    def attach_listener(self) -> None:
        """Note that the channel is, or will be, accepted: the peer may be greeted."""
        self._greeter.attach()
        if self.traits.greets_with_data:
            self.outbound.request_empty()

    def accepted(self) -> None:
        """Note that an application has the channel."""
        self.awaits_accept = False
        if self._farewell is not None:
            self._reset_received(self._farewell)

    def _reset_received(self, segment: Segment) -> None:
        # It finished and wants no more from us: what it said before is whole.
        is_farewell = segment.reset_code is ResetCode.UNKNOWN_STREAM and self.inbound.has_ended
        if is_farewell and self.awaits_accept:
            self._farewell = segment
            return
        self.was_reset_by_peer = True
        self._fail(reset_by_peer(segment), None)
        if not is_farewell:
            self.inbound.discard()

    # From the application.

    @property
    def room(self) -> int:
        """Bytes that :meth:`app_wrote` may be given now."""
        return self.outbound.room

    def app_wrote(self, data: bytes) -> None:
        """Take bytes over."""
        self.outbound.write(data)

    def app_finished(self) -> None:
        """End our direction after what was written."""
        self.outbound.request_end()

    def app_flushed(self) -> None:
        """Let what was written leave without waiting for more."""
        self.outbound.flush()

    def app_closed(self) -> None:
        """End our direction, and drop what the peer sends from now on."""
        if self.write_error is not None:
            self.abort(ResetCode.CANCELLED, "")
        self.is_closed = True
        self.inbound.discard()
        self.outbound.request_end()

    def break_sending(self, error: NymError) -> None:
        """Give our direction up without telling an end; the peer's goes on."""
        self.write_error = error
        self.outbound.abandon()

    def abort(self, code: ResetCode, reason: str, error: NymError | None = None) -> None:
        """End both directions at once; ``error``: what our own side sees, if not a StreamReset."""
        if self.error is None and not self.is_over:
            if error is None:
                error = StreamReset(f"the channel was aborted here ({code.name.lower()})", code)
            self._fail(error, code, reason)
            self.inbound.discard()

    def fail(self, error: NymError, code: ResetCode) -> None:
        """End both directions for a reason that the link below has found; the peer is told."""
        self._fail(error, code)

    def peer_is_alive(self, now: float) -> None:
        """Note that the peer is there: a reason to stay, unless the rules say otherwise."""
        if not self.traits.rules.quiet.idle_ends_alive:
            self._idle.sent(now)

    def could_not_hear(self, seconds: float) -> None:
        """Note that for so long the peer's silence said nothing."""
        self._idle.could_not_hear(seconds)

    @property
    def memory_bytes(self) -> int:
        """About what it holds: bytes to be read, out of order, and not sent. After a failure the
        transport gives back what it has not sent, unless an end in order has to follow."""
        is_given_back = self.error is not None and self.traits.abort_signal is not AbortSignal.FIN
        return self.inbound.buffered_bytes + (0 if is_given_back else self.outbound.unsent_bytes)

    @property
    def is_readable(self) -> bool:
        """True when bytes wait for the application."""
        return self.inbound.is_readable

    @property
    def is_at_end(self) -> bool:
        """True when the peer's direction has ended and everything was read."""
        return self.inbound.has_ended and not self.inbound.is_readable

    @property
    def is_cut_short(self) -> bool:
        """True when an abort took away what the application may not have read."""
        return self.error is not None and self.inbound.is_discarding

    @property
    def is_over(self) -> bool:
        """True when nothing more is sent, or expected."""
        if self.error is not None:
            return self._abort is None
        return (
            self.outbound.settled_at is not None
            and not self.outbound.awaits_more
            and (self.inbound.has_ended or self.is_closed)
        )

    def window_is_due(self, now: float) -> bool:
        """Tell whether the peer should be told a new limit."""
        return self._windows.next_at(now) <= now

    # From the transport.

    def handed_over(self, outgoing: OutgoingSegment, packet_count: int, now: float) -> None:
        """Note that the transport took a message."""
        segment, empty_is_end = outgoing.segment, self.traits.rules.order.empty_data_is_end
        is_nudge = segment.kind is SegmentKind.DATA and not (segment.payload or empty_is_end)
        if segment.kind is SegmentKind.OPEN or (outgoing.index is not None and not is_nudge):
            self._idle.sent(now)  # not for probes and pings: they would keep a dead peer alive
        if self.first_handed_over_at is None:
            self.first_handed_over_at = now
        if outgoing.index is not None:
            self.outbound.handed_over(outgoing.index, packet_count, now)

    def delivery_changed(self, outgoing: OutgoingSegment, fate: Fate, now: float) -> None:
        """Note what became of a message. Idempotent."""
        if fate.error is not None:
            self._delivery_failed(outgoing, fate.error)
        elif outgoing.segment.kind is SegmentKind.OPEN:
            if fate.is_acknowledged:
                self._idle.opened(now)
                self.outbound.open_acknowledged(now)
        elif outgoing.index is not None:
            if fate.is_sent:
                self.outbound.sent(outgoing.index, now)
            if fate.is_acknowledged:
                self.outbound.acknowledged(outgoing.index, now)

    def _delivery_failed(self, outgoing: OutgoingSegment, error: NymError) -> None:
        if outgoing.index is None and outgoing.segment.kind is not SegmentKind.OPEN:
            return  # a control message: the next one says the same, or the peer asks
        for reason in (error, error.__cause__):
            if isinstance(reason, ClientDisconnected):
                self.transport_failed(reason)
                return
        self._fail(message_given_up(error), ResetCode.DATA_LOST)

    def transport_failed(self, error: NymError) -> None:
        """The transport has ended, or refuses this peer: nothing more can be sent."""
        self._fail(error, None)
        self._abort = None

    # Failing.

    def _apply(self, failure: Failure | None) -> None:
        if failure is not None:
            self._fail(failure.error, failure.reset_code)

    def _fail(self, error: NymError, code: ResetCode | None, reason: str = "") -> None:
        if self.error is not None:
            return
        self.error = error
        self.outbound.abandon()
        is_unknown_to_peer = self.is_dialer and self._is_first
        if code is not None and not is_unknown_to_peer:
            self._abort = (code, reason)

    # What to send.

    def next_outgoing(self, now: float) -> OutgoingSegment | None:
        """Return the next message that is due."""
        if self.error is None and self.outbound.is_out_of_numbers:
            self._fail(StreamError("the peer's message numbers are used up"), ResetCode.CANCELLED)
        if self.error is not None:
            return self._next_abort(now)
        for control in self._controls:
            if control.next_at(now) <= now:
                return self._outgoing(control.take(now))
        numbered = self.outbound.take(now)
        if numbered is None:
            return None
        if numbered.index is None:
            return OutgoingSegment(self.traits.stamp(numbered.segment), 0)
        return self._outgoing(numbered.segment, numbered.index)

    def _outgoing(self, segment: Segment, index: int | None = None) -> OutgoingSegment:
        surbs = self.traits.surbs(segment, first=self._is_first)
        self._is_first = False
        return OutgoingSegment(self.traits.stamp(segment), surbs, index)

    def _next_abort(self, now: float) -> OutgoingSegment | None:
        if self._abort is None:
            return None
        code, reason = self._abort
        self._abort = None
        signal = self.traits.abort_signal
        if signal is AbortSignal.RESET:
            sequence = self.outbound.next_sequence
            return self._outgoing(
                Segment(
                    SegmentKind.RESET, self.channel_id, sequence, reset_code=code, reason=reason
                )
            )
        if signal is AbortSignal.FIN and not self.outbound.state.has_ended:
            numbered = self.outbound.take_aborting_end(now)
            return self._outgoing(numbered.segment, numbered.index)
        return None

    # Time.

    def next_deadline(self, now: float) -> float:
        """Return when :meth:`tick` is due; ``math.inf``: when the channel is over."""
        if self.is_over or self.error is not None:
            return math.inf
        # What tick settles may be due already. What next_outgoing settles counts only while it
        # lies ahead: it may be held up by the transport, and a past time would tick for ever.
        due = min(self.inbound.deadline, self._quiet()[0], self._liveness.dead_at)
        if self.traits.flow_control is None:
            due = min(due, self._negotiation_ends)
        numbered_at = self.outbound.next_at(now)
        for at in (numbered_at, *(control.next_at(now) for control in self._controls)):
            if now < at < due:
                due = at
        return due

    def tick(self, now: float) -> None:
        """Do what is due by time."""
        if self.error is not None:
            return
        self._apply(self.inbound.tick(now))
        if self.traits.flow_control is None and now >= self._negotiation_ends:
            self._negotiation_ends = math.inf
            self.traits.negotiation_timed_out()
        if now >= self._liveness.dead_at:
            self._fail(StreamIdleTimeout("the peer does not answer"), ResetCode.IDLE_TIMEOUT)
        limit, quiet = self._quiet()
        if now >= limit:
            self._too_quiet(quiet)

    def _quiet(self) -> tuple[float, Quiet]:
        return self._idle.deadline(
            out_ended_at=self.outbound.settled_at,
            out_ended=self.outbound.state.has_ended,
            in_ended=self.inbound.has_ended,
        )

    def _too_quiet(self, quiet: Quiet) -> None:
        # A peer that cannot tell its end has no other way to say it; but it must have answered.
        is_mute = self.inbound.has_payload and not self.traits.peer_signals_end
        if quiet is Quiet.SILENCE or (quiet is Quiet.NO_ANSWER and is_mute):
            self.inbound.declare_end()
        else:
            meant = self.if_unanswered if quiet is Quiet.UNANSWERED else None
            self._fail(meant or too_quiet(quiet), ResetCode.IDLE_TIMEOUT)
