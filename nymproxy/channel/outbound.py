"""The sending direction of one channel: numbers, frames, what holds them back, and the end.

::

            app_finished          end numbered            all acknowledged
      OPEN ------------> ENDING --------------> TOLD --------------------> SETTLED
        |                   |
        +------ abandon ----+--> ABANDONED ---> TOLD (an abort that is told as an end)

In every state :meth:`OutboundDirection.next_at` says when a message is due, and
:meth:`OutboundDirection.take` makes it. What may be due:

========== =========================================================================
OPEN       DATA; an empty DATA (asked for, or a quirk)
ENDING     the DATA that is left, then the end
TOLD       the end once more (old peers), an empty DATA (a quirk)
SETTLED    as TOLD
ABANDONED  nothing
========== =========================================================================
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

from nymproxy.channel.flight import Flight
from nymproxy.channel.protocol import EndSignal
from nymproxy.channel.queues import WriteQueue
from nymproxy.channel.quirks import EndCopy
from nymproxy.channel.segment import ChannelId, Segment, SegmentKind
from nymproxy.channel.sending import Numbered, Sending
from nymproxy.channel.windows import SendWindow

if TYPE_CHECKING:
    from nymproxy.channel.protocol import PeerTraits
    from nymproxy.channel.quirks import Quirks


class _Next(enum.Enum):
    NOTHING = enum.auto()
    EMPTY = enum.auto()
    DATA = enum.auto()
    END = enum.auto()
    END_AGAIN = enum.auto()
    QUIRK = enum.auto()


class OutboundDirection:
    """Cuts what the application writes into numbered messages, none before its time.

    Args:
        channel_id: for the segments.
        traits: what the peer can take.
        quirks: empty messages that it needs.
        is_dialer: we opened the channel.
    """

    def __init__(
        self, channel_id: ChannelId, traits: PeerTraits, quirks: Quirks, *, is_dialer: bool
    ) -> None:
        rules = traits.rules
        self._channel_id = channel_id
        self._traits = traits
        self._order = rules.order
        self._rules = rules.sending
        self._quirks = quirks
        self._queue = WriteQueue()
        self._merge_until = -math.inf
        self._flushing = False
        self._empty_due = False
        self._open_is_acknowledged = not (is_dialer and rules.has_open)
        self._copy = EndCopy()
        self.flight = Flight()
        self.window = SendWindow(
            rules.flow.initial_window_bytes,
            probe_after=rules.flow.probe_after_seconds,
            probe_interval=rules.flow.probe_interval_seconds,
        )
        self.max_ahead_frames = rules.sending.max_ahead_frames
        """A numbered message is never further ahead of the oldest unacknowledged one."""
        self.max_payload_bytes = 1 << 30
        """Of one message, whatever the peer can take."""
        self.max_opening_bytes = 0
        """What is written before the OPEN leaves goes with it, up to so much."""
        self._opening_bytes = 0  # that went with it, and is not acknowledged
        self.next_index = 0
        """How many numbered messages there were."""
        self.is_held = False
        """Nothing numbered is made: the link below cannot take it now."""
        self.is_full = False
        """Nothing may be written: too much is kept for the peer already."""
        self.state = Sending.OPEN
        self.settled_at: float | None = None
        """Since when everything, the end included, is acknowledged."""

    # The application's side.

    @property
    def room(self) -> int:
        """Bytes that may be written now."""
        return 0 if self.is_full else max(0, self._rules.send_window_bytes - self.unsent_bytes)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were written and have not left."""
        return self._queue.size + self.flight.unsent_bytes + self._opening_bytes

    @property
    def queued_bytes(self) -> int:
        """Bytes that are not in a message yet."""
        return self._queue.size

    @property
    def next_sequence(self) -> int:
        """The number of the next message."""
        return self._sequence(self.next_index)

    @property
    def end_requested(self) -> bool:
        """True when the application may write no more."""
        return self.state not in (Sending.OPEN, Sending.ABANDONED)

    @property
    def is_drained(self) -> bool:
        """True when everything written, and an end that was requested, is acknowledged."""
        return not self.has_more and not self.is_on_its_way

    @property
    def has_more(self) -> bool:
        """True when data, or an end that was requested, is not in a message yet."""
        return bool(self._queue.size) or self.state is Sending.ENDING

    @property
    def is_on_its_way(self) -> bool:
        """True when something that was sent is not acknowledged."""
        return not (self.flight.is_empty and self._open_is_acknowledged)

    def write(self, data: bytes) -> None:
        """Take bytes over; the caller keeps to :attr:`room`."""
        self._queue.append(data)

    def flush(self) -> None:
        """Do not wait for more bytes to merge with those that are queued."""
        self._flushing = bool(self._queue.size)

    def answered(self) -> None:
        """Note data from the peer: what is written next answers it, and need not be merged with
        what was sent before."""
        self._merge_until = -math.inf

    def request_end(self) -> None:
        """End the direction after what was written."""
        if self.state is Sending.OPEN:
            self.state = Sending.ENDING

    def request_empty(self) -> None:
        """Send an empty DATA with the next number as soon as it may."""
        self._empty_due = True

    def abandon(self) -> None:
        """Drop what was not numbered; nothing numbered follows but an aborting end."""
        if not self.state.has_ended:
            self.state = Sending.ABANDONED
        self._queue.clear()
        self._empty_due = False
        self._copy.stop()
        self._quirks.stop()

    # What is due.

    @property
    def is_out_of_numbers(self) -> bool:
        """True when data waits and the peer's numbers are used up but for the end."""
        return bool(self._queue.size) and self._numbers_are_used_up

    def next_at(self, now: float) -> float:
        """Return when a message is due; now or less: at once. ``math.inf``: when something
        changes."""
        return self._next(now)[0]

    def take(self, now: float) -> Numbered | None:
        """Return the message that is due, if one is."""
        at, what = self._next(now)
        if at > now or what is _Next.NOTHING:
            return None
        if what is _Next.DATA:
            return self._take_data(now)
        if what is _Next.END:
            return self._take_end(now)
        if what is _Next.END_AGAIN:
            return self._take_end_again()
        numbered = self._number(SegmentKind.DATA, b"", now)
        if what is _Next.EMPTY:
            self._empty_due = False
        else:
            self._quirks.empty_sent(now)
        return numbered

    def take_opening(self) -> bytes:
        """Return what goes with the OPEN."""
        payload = self._queue.take(self.max_opening_bytes) if self.max_opening_bytes else b""
        self.window.count_sent(len(payload))
        self._opening_bytes = len(payload)
        self._flushing = self._flushing and bool(self._queue.size)
        return payload

    def take_aborting_end(self, now: float) -> Numbered:
        """Return an end at once, whatever holds messages back: a RESET in the place of the FIN, if
        the peer may know what it says."""
        is_told = self._traits.may_send(SegmentKind.RESET)
        return self._number_end(SegmentKind.RESET if is_told else SegmentKind.FIN, now)

    @property
    def awaits_more(self) -> bool:
        """True while a second copy of the end, or an empty message, is still to be sent."""
        return self._copy.is_waiting or self._quirks.awaits_more

    @property
    def is_at_ceiling(self) -> bool:
        """True when data waits for more to be known of the peer."""
        has_ceiling = self.window.ceiling is not None
        return has_ceiling and bool(self._queue.size) and self.window.room == 0

    @property
    def is_window_blocked(self) -> bool:
        """True when data waits for the peer to raise a limit that it is known to keep."""
        return (
            bool(self._queue.size) and self._traits.flow_control is True and self.window.room == 0
        )

    def _next(self, now: float) -> tuple[float, _Next]:
        """What is next, and when it is due."""
        state = self.state
        if state is Sending.ABANDONED:
            return math.inf, _Next.NOTHING
        if state.has_ended:
            quirk_at = self._next_quirk_at(now)
            if self._copy.at <= quirk_at:
                return self._copy.at, _Next.END_AGAIN
            return quirk_at, _Next.QUIRK
        if self._empty_due:
            return self._held_until(now), _Next.EMPTY
        if self._queue.size:
            return self._next_data_at(now), _Next.DATA
        if state is Sending.ENDING:
            return self._held_until(now), _Next.END
        return self._next_quirk_at(now), _Next.QUIRK

    def _next_data_at(self, now: float) -> float:
        limit = self._payload_limit
        if not limit or self._numbers_are_used_up:
            return math.inf
        held = self._held_until(now)
        if self.state is Sending.ENDING or self._flushing or self._queue.size >= limit:
            return held
        return max(held, self._merge_until)

    def _next_quirk_at(self, now: float) -> float:
        at = self._quirks.empty_at
        if at == math.inf:
            return at
        if self._numbers_are_used_up:
            self._quirks.stop()
            return math.inf
        return max(at, self._held_until(now))

    @property
    def _payload_limit(self) -> int:
        limit = min(self._traits.max_payload_bytes, self.max_payload_bytes)
        is_free = self._traits.flow_control is False and self.window.ceiling is None
        return limit if is_free else min(limit, self.window.room)

    @property
    def _numbers_are_used_up(self) -> bool:
        last = self._traits.last_send_index
        return last is not None and self.next_index >= last

    def _held_until(self, now: float) -> float:
        """When the next message may leave; ``math.inf``: when something changes."""
        index = self.next_index
        if self.is_held:
            return math.inf
        if self.flight.unsent_messages >= self._traits.max_unsent_messages:
            return math.inf
        if self.flight.ahead(index) > self.max_ahead_frames:
            return math.inf
        if not self._open_is_acknowledged and index >= self._rules.max_ahead_of_open:
            return math.inf
        pacing = self._traits.pacing
        if pacing is None:
            return now
        is_end = self.state is Sending.ENDING and not self._queue.size and not self._empty_due
        return pacing.ready_at(now, is_end=is_end)

    # Making it.

    def _take_data(self, now: float) -> Numbered:
        payload = self._queue.take(self._payload_limit)
        self.window.count_sent(len(payload))
        self._merge_until = now + self._rules.merge_delay_seconds
        self._flushing = self._flushing and bool(self._queue.size)
        return self._number(SegmentKind.DATA, payload, now)

    def _take_end(self, now: float) -> Numbered | None:
        signal = self._traits.end_signal
        if signal is EndSignal.NONE:
            self._settle(now)
            return None
        return self._number_end(
            SegmentKind.FIN if signal is EndSignal.FIN else SegmentKind.DATA, now
        )

    def _take_end_again(self) -> Numbered | None:
        segment = self._copy.take()
        if segment is None or self._traits.repeat_end_after_seconds is None:
            return None
        return Numbered(segment, None)

    def _number_end(self, kind: SegmentKind, now: float) -> Numbered:
        numbered = self._number(kind, b"", now)
        self.state = Sending.TOLD
        delay = self._traits.repeat_end_after_seconds
        if delay is not None:
            self._copy.begin(numbered.segment, now + delay)
        return numbered

    def _number(self, kind: SegmentKind, payload: bytes, now: float) -> Numbered:
        index = self.next_index
        segment = Segment(kind, self._channel_id, self._sequence(index), payload)
        self.next_index += 1
        self.flight.add(index, len(payload))
        if self._traits.pacing is not None:
            self._traits.pacing.begun(index, now)
        self._quirks.numbered(payload)
        return Numbered(segment, index)

    def _sequence(self, index: int) -> int:
        return (self._order.first_send_sequence + index) % self._order.sequence_modulus

    # What becomes of messages.

    def handed_over(self, index: int, packet_count: int, now: float) -> None:
        """Note that the transport took a numbered message."""
        if self._traits.pacing is not None:
            self._traits.pacing.handed_over(index, packet_count, now)

    def sent(self, index: int, now: float) -> None:
        """Note that its last packet has left."""
        if self.flight.sent(index) and self._traits.pacing is not None:
            self._traits.pacing.sent(index, now)

    def acknowledged(self, index: int, now: float) -> None:
        """Note that it was acknowledged."""
        self.sent(index, now)
        if self.flight.acknowledged(index) and self._traits.pacing is not None:
            self._traits.pacing.acknowledged(index, now)
        if self.flight.is_empty:
            self._quirks.all_acknowledged(now)
        self._settle(now)

    def open_acknowledged(self, now: float, *, is_refused: bool = False) -> None:
        """Note that the OPEN was acknowledged; refused, nobody has taken what went with it."""
        self._open_is_acknowledged = True
        if not is_refused:
            self.flight.acknowledged_bytes += self._opening_bytes
        self._opening_bytes = 0
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Go on to TOLD if the end need not be told, and to SETTLED if all is acknowledged."""
        if self.state is Sending.ENDING and not self._queue.size:
            if self._traits.end_signal is not EndSignal.NONE:
                return
            self.state = Sending.TOLD
        if self.state is Sending.TOLD and self.is_drained:
            self.state = Sending.SETTLED
            self.settled_at = now
