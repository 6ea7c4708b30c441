"""The sending direction of one channel: numbers, frames, what holds them back, and the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.channel.flight import Flight
from nymproxy.channel.nudges import Nudges
from nymproxy.channel.protocol import EndSignal
from nymproxy.channel.queues import WriteQueue
from nymproxy.channel.segment import ChannelId, Segment, SegmentKind
from nymproxy.channel.windows import SendWindow

if TYPE_CHECKING:
    from nymproxy.channel.protocol import PeerTraits


@dataclass(frozen=True, slots=True)
class Numbered:
    """A DATA or FIN that is due, with its index in the direction (0, 1, ..., not wrapping)."""

    segment: Segment
    index: int


class OutboundDirection:
    """Cuts what the application writes into numbered messages, none before its time.

    Args:
        channel_id: for the segments.
        traits: what the peer can take.
        is_dialer: we opened the channel.
        now: time of creation.
    """

    def __init__(
        self, channel_id: ChannelId, traits: PeerTraits, *, is_dialer: bool, now: float
    ) -> None:
        rules = traits.rules
        self._channel_id = channel_id
        self._traits = traits
        self._rules = rules
        self._queue = WriteQueue()
        self._next_index = 0
        self._merge_until = -math.inf
        self._flushing = False
        self._wake_up_at = math.inf
        if is_dialer and rules.wake_up_after_seconds is not None:
            self._wake_up_at = now + rules.wake_up_after_seconds
        self._empty_due = False
        self._open_is_acknowledged = not (is_dialer and rules.has_open)
        self._repeat_segment: Segment | None = None
        self._repeat_at = math.inf
        self._nudges = Nudges(rules)
        self.flight = Flight()
        self.window = SendWindow(
            rules.initial_window_bytes,
            probe_after=rules.probe_after_seconds,
            probe_interval=rules.probe_interval_seconds,
        )
        self.end_requested = False
        self.end_handed_over = False
        """The end was signalled, or need not be."""
        self.end_acknowledged_at: float | None = None
        """Since when everything, the end included, is acknowledged."""

    # The application's side.

    @property
    def room(self) -> int:
        """Bytes that may be written now."""
        waiting = self._queue.size + self.flight.unsent_bytes
        return max(0, self._rules.send_window_bytes - waiting)

    @property
    def queued_bytes(self) -> int:
        """Bytes that are not in a message yet."""
        return self._queue.size

    @property
    def next_index(self) -> int:
        """How many numbered messages there were."""
        return self._next_index

    @property
    def next_sequence(self) -> int:
        """The number of the next message."""
        return self._sequence(self._next_index)

    @property
    def is_drained(self) -> bool:
        """True when everything written, and an end that was requested, is acknowledged."""
        if self.end_requested and not self.end_handed_over:
            return False
        return not self._queue.size and self.flight.is_empty and self._open_is_acknowledged

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

    def peer_ended(self, now: float) -> None:
        """Note that the peer has said its end."""
        self._nudges.peer_ended(now)

    def request_end(self) -> None:
        """End the direction after what was written."""
        self.end_requested = True

    def request_empty(self) -> None:
        """Send an empty DATA with the next number as soon as it may."""
        self._empty_due = True

    def abandon(self) -> None:
        """Drop what was not handed over; nothing numbered follows but an end."""
        self._queue.clear()
        self._empty_due = False
        self._wake_up_at = self._repeat_at = math.inf
        self._repeat_segment = None
        self._nudges.stop()

    # What is due.

    @property
    def is_out_of_numbers(self) -> bool:
        """True when data waits and the peer's numbers are used up but for the end."""
        last = self._traits.last_send_index
        return last is not None and self._next_index >= last and bool(self._queue.size)

    def take_due(self, now: float) -> Numbered | None:
        """Return the next message if it is due and nothing holds it back."""
        if self.end_handed_over or self._held_until(now) > now:
            return None
        if self._takes_empty(now):
            return self._number(SegmentKind.DATA, b"", now)
        if self._queue.size:
            return self._take_data(now)
        return self._take_end(now) if self.end_requested else None

    def take_aborting_end(self, now: float) -> Numbered:
        """Return a FIN at once, whatever holds messages back."""
        return self._number(SegmentKind.FIN, b"", now, is_end=True)

    def take_repeated_end(self, now: float) -> Segment | None:
        """Return the second copy of the end signal when it is due."""
        if now < self._repeat_at:
            return None
        segment = self._repeat_segment
        self._repeat_at = math.inf
        self._repeat_segment = None
        return segment if self._traits.repeat_end_after_seconds is not None else None

    def take_nudge(self, now: float) -> Numbered | None:
        """Return an empty message when it is due, also after an end that is not told."""
        if self._queue.size or not self._nudges.take(now):
            return None
        last = self._traits.last_send_index
        if last is not None and self._next_index >= last:
            self._nudges.stop()
            return None
        return self._number(SegmentKind.DATA, b"", now)

    @property
    def awaits_more(self) -> bool:
        """True while a second copy of the end signal, or a nudge, is still to be sent."""
        return self._repeat_segment is not None or self._nudges.are_pending

    def _takes_empty(self, now: float) -> bool:
        due = self._empty_due or (self._wakes_up and now >= self._wake_up_at)
        if due:
            self._empty_due = False
            self._wake_up_at = math.inf
        return due

    def _take_data(self, now: float) -> Numbered | None:
        limit = self._traits.max_payload_bytes
        if self._traits.flow_control is not False:
            limit = min(limit, self.window.room)
        if limit == 0 or self.is_out_of_numbers:
            return None
        if self._queue.size < limit and now < self._merging_until:
            return None
        payload = self._queue.take(limit)
        self.window.count_sent(len(payload))
        self._merge_until = now + self._rules.merge_delay_seconds
        self._flushing = self._flushing and bool(self._queue.size)
        return self._number(SegmentKind.DATA, payload, now)

    def _take_end(self, now: float) -> Numbered | None:
        signal = self._traits.end_signal
        if signal is EndSignal.NONE:
            self._end_is_over(now)
            return None
        kind = SegmentKind.FIN if signal is EndSignal.FIN else SegmentKind.DATA
        return self._number(kind, b"", now, is_end=True)

    @property
    def _wakes_up(self) -> bool:
        return self._next_index == 0 and not self._queue.size and not self.end_requested

    @property
    def _merging_until(self) -> float:
        if self.end_requested or self._flushing:
            return -math.inf
        return self._merge_until

    @property
    def is_window_blocked(self) -> bool:
        """True when data waits for the peer to raise a limit that it is known to keep."""
        return (
            bool(self._queue.size) and self._traits.flow_control is True and self.window.room == 0
        )

    def _held_until(self, now: float) -> float:
        """When the next message may leave; ``math.inf``: when something changes."""
        index = self._next_index
        if self.flight.unsent_messages >= self._traits.max_unsent_messages:
            return math.inf
        if self.flight.ahead(index) > self._rules.max_ahead_frames:
            return math.inf
        if not self._open_is_acknowledged and index >= self._rules.max_ahead_of_open:
            return math.inf
        pacing = self._traits.pacing
        if pacing is None:
            return now
        is_end = self.end_requested and not self._queue.size and not self._empty_due
        return pacing.ready_at(now, is_end=is_end)

    def _number(
        self, kind: SegmentKind, payload: bytes, now: float, *, is_end: bool = False
    ) -> Numbered:
        index = self._next_index
        segment = Segment(kind, self._channel_id, self._sequence(index), payload)
        self._next_index += 1
        self.flight.add(index, len(payload))
        if self._traits.pacing is not None:
            self._traits.pacing.begun(index, now)
        if payload:
            self._nudges.data_numbered()
        if is_end:
            self.end_requested = self.end_handed_over = True
            delay = self._traits.repeat_end_after_seconds
            if delay is not None:
                self._repeat_segment = segment
                self._repeat_at = now + delay
        return Numbered(segment, index)

    def _sequence(self, index: int) -> int:
        return (self._rules.first_send_sequence + index) % self._rules.sequence_modulus

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
            self._nudges.all_acknowledged(now)
        self._end_is_over(now)

    def open_acknowledged(self, now: float) -> None:
        """Note that the OPEN was acknowledged."""
        self._open_is_acknowledged = True
        self._end_is_over(now)

    def _end_is_over(self, now: float) -> None:
        if not self.end_requested or self._queue.size:
            return
        if self._traits.end_signal is EndSignal.NONE:
            self.end_handed_over = True
        if self.is_drained and self.end_acknowledged_at is None:
            self.end_acknowledged_at = now

    # Time.

    def deadline(self, now: float) -> float:
        """Return when a message becomes due by time; ``math.inf``: not by time alone.

        What is due already is not counted: it waits for :meth:`take_due`, not for the time.
        """
        due = min(at if at > now else math.inf for at in (self._repeat_at, self._nudges.due_at))
        if self.end_handed_over:
            return due
        if self._wakes_up and self._wake_up_at > now:
            due = min(due, self._wake_up_at)
        if self._has_waiting(now):
            held = self._held_until(now)
            due = min(due, held if held > now else self._merges_until(now))
        return due

    def _has_waiting(self, now: float) -> bool:
        wakes_up = self._wakes_up and now >= self._wake_up_at
        return bool(self._queue.size) or self._empty_due or self.end_requested or wakes_up

    def _merges_until(self, now: float) -> float:
        return self._merging_until if self._queue.size and self._merging_until > now else math.inf
