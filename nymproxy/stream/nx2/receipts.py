"""The receiving half of acknowledging: what has come, and when the peer is told."""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Self

from nymproxy.stream.nx2.frames import MAX_RANGES
from nymproxy.stream.nx2.kept import MAX_FRAMES_AHEAD

if TYPE_CHECKING:
    from nymproxy.stream.nx2.roundtrip import RoundTrip

UNTOLD_BYTES = 256 * 1024
UNTOLD_FRAMES = 128
UNTOLD_SECONDS = 2.5
DIALER_QUIET_SECONDS = 1.0
END_SECONDS = 0.1
GAP_SECONDS = 1.5
LEAST_LIMITED_SECONDS = 1.0
MAX_FRAMES_BEYOND = 2 * MAX_FRAMES_AHEAD
_SEQUENCES: Final = struct.Struct(">QQ")


class ReceivedRanges:
    """Which sequences have come: all below :attr:`next_expected`, and ranges beyond it."""

    __slots__ = ("_ranges", "next_expected")

    def __init__(self) -> None:
        self.next_expected = 0
        self._ranges: list[list[int]] = []  # first and last, ascending, never touching

    def pack(self) -> bytes:
        """Return in a short form what has come."""
        return b"".join(_SEQUENCES.pack(*each) for each in ((0, self.next_expected), *self._ranges))

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Make it again."""
        received = cls()
        (_, received.next_expected), *ranges = _SEQUENCES.iter_unpack(packed)
        received._ranges = [list(each) for each in ranges]
        return received

    @property
    def has_gap(self) -> bool:
        """True when something came beyond what is missing."""
        return bool(self._ranges)

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Return the first ranges, as an ACK names them."""
        return tuple((first, last) for first, last in self._ranges[:MAX_RANGES])

    def has(self, sequence: int) -> bool:
        """Tell whether one has come."""
        index = bisect_left(self._ranges, [sequence + 1])
        is_in_range = index > 0 and sequence <= self._ranges[index - 1][1]
        return sequence < self.next_expected or is_in_range

    def is_in_reach(self, sequence: int) -> bool:
        """Tell whether a peer that keeps the rules can have sent that sequence."""
        return sequence < self.next_expected + MAX_FRAMES_BEYOND

    def add(self, sequence: int) -> bool:
        """Note one; False: it had come before."""
        if sequence < self.next_expected:
            return False
        if sequence == self.next_expected:
            self.next_expected += 1
            if self._ranges and self._ranges[0][0] == self.next_expected:
                self.next_expected = self._ranges.pop(0)[1] + 1
            return True
        index = bisect_left(self._ranges, [sequence + 1])
        before = self._ranges[index - 1] if index else None
        after = self._ranges[index] if index < len(self._ranges) else None
        if before is not None and sequence <= before[1]:
            return False
        joins_after = after is not None and after[0] == sequence + 1
        if before is not None and before[1] == sequence - 1:
            before[1] = sequence
            if joins_after and after is not None:
                before[1] = after[1]
                del self._ranges[index]
        elif joins_after and after is not None:
            after[0] = sequence
        else:
            self._ranges.insert(index, [sequence, sequence])
        return True


class Receipts:
    """When an ACK is due, and what it says.

    Args:
        round_trip: of the stream.
        is_dialer: acceptors wait longer, since an ACK of theirs takes a reply SURB.
    """

    def __init__(self, round_trip: RoundTrip, *, is_dialer: bool) -> None:
        self._round_trip = round_trip
        self._quiet_seconds = DIALER_QUIET_SECONDS if is_dialer else UNTOLD_SECONDS
        self.received = ReceivedRanges()
        self.echo = 0
        """The largest counter of a PROBE, SEAL or RESUME that came."""
        self._untold_bytes = self._untold_frames = 0
        self._untold_since = self._last_at = math.inf
        self._gap_ack_at = math.inf
        self._gap_pause = GAP_SECONDS
        self._is_asked = False
        self._end: int | None = None  # the sequence of a FIN, while something before it is missing
        self._end_at = math.inf  # when its ACK is due, which an answer may spare
        self._wants_limited = False
        self._last_ack_at = -math.inf

    # What comes.

    def is_in_reach(self, sequence: int) -> bool:
        """Tell whether a peer that keeps the rules can have sent that sequence."""
        return self.received.is_in_reach(sequence)

    def numbered(self, sequence: int, size: int, now: float, *, is_end: bool = False) -> bool:
        """Note a numbered frame; False: it had come before."""
        if not self.received.add(sequence):
            self._wants_limited = True  # it was sent again: the peer does not know that it came
            return False
        if self._untold_since == math.inf:
            self._untold_since = now
        self._last_at = now
        self._untold_bytes += size
        self._untold_frames += 1
        self._end = sequence if is_end else self._end
        if self._end is not None and self.received.next_expected > self._end:
            self._end, self._end_at = None, now + END_SECONDS
        if not self.received.has_gap:
            self._gap_ack_at, self._gap_pause = math.inf, GAP_SECONDS
        elif self._gap_ack_at == math.inf:
            self._gap_ack_at = now + GAP_SECONDS
        return True

    def asked(self, counter: int) -> None:
        """Note a PROBE, SEAL or RESUME."""
        self.echo = max(self.echo, counter)
        self._is_asked = True

    # What the peer is told.

    @property
    def owes_answer(self) -> bool:
        """True when the peer waits for an ACK: it asked, or has ended."""
        return self._is_asked or self._end_at < math.inf

    @property
    def end_waits(self) -> bool:
        """True while the ACK of an end waits for an answer that may spare it."""
        return self._end_at < math.inf and not self.received.has_gap

    def frame_sent(self) -> None:
        """Note that a sealed frame of ours carried what is expected next."""
        self._untold_bytes = self._untold_frames = 0
        self._untold_since = self._last_at = self._end_at = math.inf

    def ack_sent(self, now: float) -> None:
        """Note that an ACK was made."""
        self.frame_sent()
        self._is_asked = self._wants_limited = False
        self._last_ack_at = now
        if self._gap_ack_at <= now:
            self._gap_pause *= 2
            self._gap_ack_at = now + self._gap_pause

    @property
    def due_at(self) -> float:
        """When an ACK is due; a past time: now."""
        is_much = self._untold_bytes >= UNTOLD_BYTES or self._untold_frames >= UNTOLD_FRAMES
        if self._is_asked or is_much:
            return -math.inf
        quiet = min(self._last_at + self._quiet_seconds, self._untold_since + UNTOLD_SECONDS)
        limited = self._last_ack_at + max(LEAST_LIMITED_SECONDS, self._round_trip.seconds)
        gap = max(self._gap_ack_at, limited)
        return min(quiet, gap, self._end_at, limited if self._wants_limited else math.inf)
