"""The receiving direction of one channel: order, limits, and its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.channel.queues import ReadQueue
from nymproxy.channel.reorder import Insertion, ReorderBuffer
from nymproxy.channel.segment import Segment, SegmentKind
from nymproxy.channel.serial import serial_distance
from nymproxy.channel.windows import ReceiveWindow
from nymproxy.errors import ResetCode, StreamDataLost, StreamOverflow, StreamReset

if TYPE_CHECKING:
    from nymproxy.channel.protocol import ChannelRules
    from nymproxy.errors import NymError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a channel cannot go on, and what the peer is told if it can be told anything."""

    error: NymError
    reset_code: ResetCode | None


class InboundDirection:
    """Takes DATA and FIN in any order; hands out bytes in order, then the end.

    Args:
        rules: the limits.
        now: time of creation.
    """

    def __init__(self, rules: ChannelRules, now: float) -> None:
        self._rules = rules
        self._buffer: ReorderBuffer[Segment] = ReorderBuffer(
            modulus=rules.sequence_modulus,
            first=rules.first_receive_sequence,
            limit_items=rules.reorder_limit_frames,
            limit_bytes=rules.reorder_limit_bytes,
        )
        self._unread = ReadQueue()
        self._fin_sequence: int | None = None
        self._released_any = False
        self._discards = False
        self._hold_until = -math.inf
        if rules.admits_early_zero and rules.zero_grace_seconds > 0:
            self._hold_until = now + rules.zero_grace_seconds
        self.window = ReceiveWindow(rules.initial_window_bytes, rules.window_tolerance_bytes)
        self.has_ended = False
        """The end of the direction was reached in order (or declared)."""
        self.has_payload = False
        """A payload that is not empty came in order."""
        self.has_dropped_payload = False
        """One came after :meth:`discard`."""
        self.dropped = 0
        """Segments that were old, duplicates, or behind the end."""

    # Receiving.

    def receive_open(self, payload: bytes) -> None:
        """Take the payload of the OPEN: it comes before the first DATA."""
        self.window.receive(len(payload))
        self._deliver(payload)

    def receive(self, segment: Segment, now: float, *, enforce_window: bool) -> Failure | None:
        """Take one DATA or FIN; the result, if any, is the end of the channel."""
        if self.has_ended or self._is_behind_fin(segment):
            return self._receive_behind_end(segment)
        insertion = self._buffer.insert(segment.sequence, segment, len(segment.payload), now)
        if insertion is Insertion.OVERFLOW:
            return self._lost(f"{self._buffer.pending_items} messages wait behind it")
        if insertion is not Insertion.ACCEPTED:
            self.dropped += 1
            if insertion is Insertion.OLD and self._admits_early_zero(segment):
                self._deliver(segment.payload)
                self._hold_until = -math.inf
                self._release(now)
            return None
        if not self.window.receive(len(segment.payload)) and enforce_window:
            return Failure(
                StreamOverflow("the peer sent far more than the window allows"),
                ResetCode.WINDOW_VIOLATION,
            )
        if segment.kind is SegmentKind.FIN:
            failure = self._receive_fin(segment)
            if failure is not None:
                return failure
        return self._release(now)

    def _is_behind_fin(self, segment: Segment) -> bool:
        return self._fin_sequence is not None and (
            serial_distance(self._fin_sequence, segment.sequence, self._rules.sequence_modulus) > 0
        )

    def _receive_behind_end(self, segment: Segment) -> Failure | None:
        self.dropped += 1
        if self._rules.data_after_fin_is_error and self._is_behind_fin(segment):
            return _after_fin()
        return None

    def _receive_fin(self, segment: Segment) -> Failure | None:
        self._fin_sequence = segment.sequence
        if self._rules.data_after_fin_is_error and any(
            self._is_behind_fin(pending) for _, pending in self._buffer.pending()
        ):
            return _after_fin()
        return None

    def _admits_early_zero(self, segment: Segment) -> bool:
        return (
            self._rules.admits_early_zero
            and not self._released_any
            and not self.has_payload
            and segment.sequence == 0
            and segment.kind is SegmentKind.DATA
            and self._rules.first_receive_sequence == 1
        )

    def _release(self, now: float) -> Failure | None:
        if now < self._hold_until:
            return None
        for segment in self._buffer.release(now):
            self._released_any = True
            if segment.kind is SegmentKind.FIN or (
                not segment.payload and self._rules.empty_data_is_end
            ):
                self.declare_end()
                break
            self._deliver(segment.payload)
        if self._unread.memory_bytes > self._rules.unread_limit_bytes:
            return Failure(
                StreamOverflow(
                    f"{self._unread.unread_bytes} bytes wait for the application; "
                    "read faster, or use a peer with flow control"
                ),
                ResetCode.WINDOW_VIOLATION,
            )
        return None

    def _deliver(self, payload: bytes) -> None:
        if payload:
            self.has_payload = True
            if self._discards:
                self.has_dropped_payload = True
            else:
                self._unread.append(payload)

    def _lost(self, detail: str) -> Failure:
        missing = self._buffer.next_sequence
        return Failure(
            StreamDataLost(f"message {missing} did not come ({detail}); nothing was skipped"),
            ResetCode.DATA_LOST,
        )

    # The end.

    def declare_end(self) -> None:
        """Take the direction as ended after what was delivered."""
        self.has_ended = True
        self.dropped += self._buffer.pending_items
        self._buffer.discard()

    def discard(self) -> None:
        """Forget what waits for the application, and deliver nothing from now on."""
        self._discards = True
        self._unread.clear()

    @property
    def is_discarding(self) -> bool:
        """True when the application gets nothing more."""
        return self._discards

    # Reading.

    @property
    def is_readable(self) -> bool:
        """True when bytes wait for the application."""
        return bool(self._unread)

    @property
    def unread_bytes(self) -> int:
        """Bytes that wait for the application."""
        return self._unread.unread_bytes

    @property
    def buffered_bytes(self) -> int:
        """About what the direction holds in memory."""
        return self._unread.memory_bytes + self._buffer.pending_bytes

    @property
    def pending_messages(self) -> int:
        """Messages behind a gap."""
        return self._buffer.pending_items

    @property
    def next_sequence(self) -> int:
        """The next number expected."""
        return self._buffer.next_sequence

    def read(self, max_bytes: int) -> bytes:
        """Take bytes; only while :attr:`is_readable`."""
        data = self._unread.take(max_bytes)
        self.window.consume(len(data))
        return data

    def read_frame(self) -> bytes:
        """Take one frame; only while :attr:`is_readable`."""
        data = self._unread.take_frame()
        self.window.consume(len(data))
        return data

    # Time.

    @property
    def deadline(self) -> float:
        """When :meth:`tick` has something to do; ``math.inf``: never."""
        if self.has_ended:
            return math.inf
        gap_since = self._buffer.gap_since
        gap_ends = math.inf if gap_since is None else gap_since + self._rules.gap_timeout_seconds
        if self._hold_until > -math.inf and self._buffer.pending_items:
            return min(gap_ends, self._hold_until)
        return gap_ends

    def tick(self, now: float) -> Failure | None:
        """Release what was held back; a gap that is too old is the end of the channel."""
        if now >= self._hold_until > -math.inf:
            self._hold_until = -math.inf
            return self._release(now)
        gap_since = self._buffer.gap_since
        if self.has_ended or gap_since is None:
            return None
        if now < gap_since + self._rules.gap_timeout_seconds:
            return None
        return self._lost(f"for {now - gap_since:.0f} s")


def _after_fin() -> Failure:
    return Failure(
        StreamReset("the peer sent data behind its end", ResetCode.PROTOCOL_ERROR),
        ResetCode.PROTOCOL_ERROR,
    )
