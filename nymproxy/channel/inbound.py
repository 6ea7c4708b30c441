"""The receiving direction of one channel: order, limits, and its end.

::

            FIN behind a gap          all before it came
      OPEN ------------------> ENDING ------------------> ENDED
        |                                                   ^
        +----- FIN or end in its turn; declared ------------+

======= ======================================================================
OPEN    DATA of any number is taken
ENDING  DATA below the FIN is taken; above it is an error, or dropped
ENDED   nothing is taken; what waits can be read
======= ======================================================================

Whether the application still reads is another matter: :meth:`InboundDirection.discard`.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

from nymproxy.channel.failures import Failure
from nymproxy.channel.queues import ReadQueue
from nymproxy.channel.reorder import Insertion, ReorderBuffer
from nymproxy.channel.segment import Segment, SegmentKind
from nymproxy.channel.serial import serial_distance
from nymproxy.channel.windows import ReceiveWindow
from nymproxy.errors import ResetCode, StreamDataLost, StreamOverflow, StreamReset

if TYPE_CHECKING:
    from nymproxy.channel.quirks import Quirks
    from nymproxy.channel.rules import ChannelRules


class Receiving(enum.Enum):
    """What has become of the peer's direction."""

    OPEN = "open"
    """More may come."""
    ENDING = "ending"
    """The end is known; something before it is missing."""
    ENDED = "ended"
    """The end was reached in order, or declared."""


class InboundDirection:
    """Takes DATA and FIN in any order; hands out bytes in order, then the end.

    Args:
        rules: the limits.
        quirks: what is let in, or held back, besides.
    """

    def __init__(self, rules: ChannelRules, quirks: Quirks) -> None:
        self._order = order = rules.order
        self._unread_limit_bytes = rules.flow.unread_limit_bytes
        self._quirks = quirks
        self._buffer: ReorderBuffer[Segment] = ReorderBuffer(
            modulus=order.sequence_modulus,
            first=order.first_receive_sequence,
            limit_items=order.reorder_limit_frames,
            limit_bytes=order.reorder_limit_bytes,
        )
        self._unread = ReadQueue()
        self._fin_sequence: int | None = None
        self._discards = False
        self._is_held = quirks.holds_until > -math.inf
        self.window = ReceiveWindow(
            rules.flow.initial_window_bytes, rules.flow.window_tolerance_bytes
        )
        self.gap_timeout_seconds = order.gap_timeout_seconds
        """A gap that stays open longer is an error."""
        self.state = Receiving.OPEN
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
        if self.state is not Receiving.OPEN and (self.has_ended or self._is_behind_fin(segment)):
            return self._receive_behind_end(segment)
        insertion = self._buffer.insert(segment.sequence, segment, len(segment.payload), now)
        if insertion is Insertion.OVERFLOW:
            return self._lost(f"{self._buffer.pending_items} messages wait behind it")
        if insertion is not Insertion.ACCEPTED:
            self.dropped += 1
            if insertion is Insertion.OLD and self._quirks.admits(segment):
                self._deliver(segment.payload)
                return self._release(now)
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
            serial_distance(self._fin_sequence, segment.sequence, self._order.sequence_modulus) > 0
        )

    def _receive_behind_end(self, segment: Segment) -> Failure | None:
        self.dropped += 1
        if self._order.data_after_fin_is_error and self._is_behind_fin(segment):
            return _after_fin()
        return None

    def _receive_fin(self, segment: Segment) -> Failure | None:
        self._fin_sequence = segment.sequence
        self.state = Receiving.ENDING
        if self._order.data_after_fin_is_error and any(
            self._is_behind_fin(pending) for _, pending in self._buffer.pending()
        ):
            return _after_fin()
        return None

    def _release(self, now: float) -> Failure | None:
        if self._is_held:
            if now < self._quirks.holds_until:
                return None
            self._is_held = False
        for segment in self._buffer.release(now):
            self._quirks.released()
            if segment.kind is SegmentKind.FIN or (
                not segment.payload and self._order.empty_data_is_end
            ):
                self.declare_end()
                break
            self._deliver(segment.payload)
        if self._unread.memory_bytes > self._unread_limit_bytes:
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

    @property
    def has_ended(self) -> bool:
        """True when the end was reached in order, or declared."""
        return self.state is Receiving.ENDED

    def declare_end(self) -> None:
        """Take the direction as ended after what was delivered."""
        self.state = Receiving.ENDED
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
        gap_ends = self._gap_ends
        if self._is_held and self._buffer.pending_items:
            return min(gap_ends, self._quirks.holds_until)
        return gap_ends

    @property
    def _gap_ends(self) -> float:
        since = self._buffer.gap_since
        return math.inf if since is None else since + self.gap_timeout_seconds

    def tick(self, now: float) -> Failure | None:
        """Release what was held back; a gap that is too old is the end of the channel."""
        if self._is_held and now >= self._quirks.holds_until:
            return self._release(now)
        if self.has_ended or now < self._gap_ends:
            return None
        return self._lost(f"for {self.gap_timeout_seconds:.0f} s")


def _after_fin() -> Failure:
    return Failure(
        StreamReset("the peer sent data behind its end", ResetCode.PROTOCOL_ERROR),
        ResetCode.PROTOCOL_ERROR,
    )
