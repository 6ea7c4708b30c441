"""The sending half of acknowledging: what is kept until the peer has it, and sent again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.stream.nx2.frame_size import FrameSize
from nymproxy.stream.nx2.frames import MAX_RANGES
from nymproxy.stream.nx2.roundtrip import LEAST_RESEND_SECONDS, RoundTrip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.stream.nx2.frames import Ack

MAX_FRAMES_AHEAD = 512
MAX_BYTES_AHEAD = 1024 * 1024
LEAST_CHARGE_BYTES = 256
MAX_PAUSE_SECONDS = 30.0
MAX_MISSING_PAUSE_SECONDS = 6.0
"""Where the peer says that it has not got what its gateway acknowledged. That is no congestion; a
frame of many packets fails every other time where 3 % of them are lost so, and may in five minutes
of pauses up to 30 s."""
STALLED_SECONDS = 300.0


@dataclass(slots=True)
class _Frame:
    frame: bytes
    size: int
    handed_at: float = math.inf
    delivered_at: float = math.inf  # its packets were acknowledged
    sent: int = 0
    is_received: bool = False


class Kept:
    """Numbered frames of one direction that the peer has not acknowledged, oldest first.

    A frame is sent again as it is. While its packets are on their way the packet level cares for
    it; here it matters what became of it behind their acknowledgements.

    Args:
        round_trip: of the stream.
        now: time of creation.
    """

    def __init__(self, round_trip: RoundTrip, now: float) -> None:
        self.round_trip = round_trip
        self.frame_size = FrameSize()
        self.charged_bytes = 0
        """What is kept, for the process's memory account: at least 256 bytes a frame."""
        self._frames: dict[int, _Frame] = {}
        self._due: dict[int, float] = {}
        self._ahead_bytes = 0
        self._progress_at = now
        self._probes: tuple[int, float, int] | None = None  # counter, when, how many
        self._is_doubted = False
        self._moved_at = -math.inf

    @property
    def is_empty(self) -> bool:
        """True when everything was acknowledged."""
        return not self._frames

    @property
    def has_room(self) -> bool:
        """True when another frame may be added."""
        return len(self._frames) < MAX_FRAMES_AHEAD and self._ahead_bytes < MAX_BYTES_AHEAD

    # On its way.

    def add(self, sequence: int, frame: bytes, now: float) -> None:
        """Keep the frame with the next sequence."""
        if not self._frames:
            self._progress_at = now
        self._frames[sequence] = _Frame(frame, len(frame))
        self._ahead_bytes += len(frame)
        self.charged_bytes += max(len(frame), LEAST_CHARGE_BYTES)

    def handed_over(self, sequence: int, now: float) -> None:
        """Note that the transport took it (again)."""
        kept = self._frames.get(sequence)
        if kept is not None:
            kept.handed_at, kept.delivered_at = now, math.inf
            kept.sent += 1

    def delivered(self, sequence: int, now: float) -> None:
        """Note that the packets of what was handed over last were acknowledged."""
        kept = self._frames.get(sequence)
        if kept is not None and kept.delivered_at == math.inf:
            kept.delivered_at = now
            if kept.sent == 1:
                self.round_trip.sample(now - kept.handed_at)

    def given_up(self, sequence: int, now: float) -> None:
        """Note that the packet level gave it up: it is sent again."""
        kept = self._frames.get(sequence)
        if kept is None or kept.is_received:
            return
        if kept.handed_at <= self._moved_at:
            self._due[sequence] = now
        else:
            self._missing(sequence, kept, now, MAX_PAUSE_SECONDS)

    def moved(self, now: float) -> None:
        """Note that the stream goes on elsewhere: all that the peer has not got is sent again."""
        self._moved_at = now
        self._probes = None
        for sequence, kept in self._frames.items():
            if not kept.is_received:
                self._due[sequence] = now
                kept.sent = 0

    # What the peer says.

    def acknowledge(self, next_expected: int, now: float) -> list[int]:
        """Take the number that every sealed frame carries; returns what is acknowledged by it."""
        known = []
        is_oldest = True
        while self._frames and (sequence := next(iter(self._frames))) < next_expected:
            kept = self._frames.pop(sequence)
            # Those behind the oldest may have waited for it, and say nothing of the peer.
            if is_oldest and kept.sent == 1 and kept.delivered_at < math.inf:
                self.round_trip.peer.sample(now - kept.delivered_at)
            is_oldest = False
            self._due.pop(sequence, None)
            self._ahead_bytes -= kept.size
            if not kept.is_received:
                self._release(kept)
                known.append(sequence)
            self._progress_at = now
        return known

    def take_ack(self, ack: Ack, now: float) -> list[int]:
        """Take an ACK; returns what is acknowledged by it."""
        known = self.acknowledge(ack.next_expected, now)
        for first, last in ack.ranges:
            # Of ours, not of the range: it may be as long as the peer likes.
            known += self._received([each for each in self._frames if first <= each <= last])
        if known:
            self._progress_at = now
        asked_at = self._answered(ack.echo)
        end = ack.ranges[-1][1] if ack.ranges else ack.next_expected - 1
        is_cut_off = len(ack.ranges) == MAX_RANGES
        for sequence, kept in self._frames.items():
            if sequence > end and (is_cut_off or asked_at is None):
                break
            if kept.is_received or sequence in self._due or kept.delivered_at == math.inf:
                continue
            if asked_at is not None and kept.delivered_at <= asked_at:
                self._missing(sequence, kept, now)
            elif sequence < end:
                self._missing(sequence, kept, kept.delivered_at + self.round_trip.resend_seconds)
        return known

    def _received(self, sequences: Iterable[int]) -> list[int]:
        known = []
        for sequence in sequences:
            kept = self._frames.get(sequence)
            if kept is not None and not kept.is_received:
                kept.is_received = True
                self._due.pop(sequence, None)
                self._release(kept)
                known.append(sequence)
        return known

    def _answered(self, echo: int) -> float | None:
        """When the question was asked that an echo answers; ``None``: none is answered."""
        if self._probes is None or echo < self._probes[0]:
            return None
        _, asked_at, _ = self._probes
        self._probes = None
        return asked_at

    def _release(self, kept: _Frame) -> None:
        if kept.sent == 1:
            self.frame_size.arrived()
        self.charged_bytes -= max(kept.size, LEAST_CHARGE_BYTES)
        kept.frame = b""

    def _missing(
        self,
        sequence: int,
        kept: _Frame,
        at: float,
        longest_pause: float = MAX_MISSING_PAUSE_SECONDS,
    ) -> None:
        pause = min(LEAST_RESEND_SECONDS * 2 ** max(kept.sent - 1, 0), longest_pause)
        self._due[sequence] = max(at, kept.handed_at + pause)

    # What is due.

    def take_due(self, now: float) -> tuple[int, bytes] | None:
        """Return, once, the lowest sequence that is to be sent again now, and its frame."""
        due = min((sequence for sequence, at in self._due.items() if at <= now), default=None)
        if due is None:
            return None
        del self._due[due]
        kept = self._frames[due]
        if kept.delivered_at < math.inf and kept.handed_at > self._moved_at:
            self.frame_size.lost(kept.size)
        return due, kept.frame

    @property
    def probe_at(self) -> float:
        """When the peer is to be asked what it has; ``math.inf``: not now."""
        if self._probes is not None:
            _, asked_at, count = self._probes
            pause = self.round_trip.question_seconds * 2.0 ** min(count, 10)
            return asked_at + min(pause, MAX_PAUSE_SECONDS)
        if self._is_doubted:
            return -math.inf
        oldest = next((kept for kept in self._frames.values() if not kept.is_received), None)
        if oldest is None or next(iter(self._due), None) is not None:
            return math.inf
        return oldest.delivered_at + self.round_trip.question_seconds

    def probed(self, counter: int, now: float) -> None:
        """Note that a PROBE with that counter was handed over."""
        count = 0 if self._probes is None else self._probes[2]
        self._probes = (counter, now, count + 1)
        self._is_doubted = False

    def doubted(self) -> bool:
        """Note that the peer may have lost the stream: it is asked, whatever it has acknowledged.
        False: it is asked already."""
        self._is_doubted = self._probes is None
        return self._is_doubted

    @property
    def stalled_at(self) -> float:
        """When the lack of progress ends the stream; ``math.inf``: nothing is waited for."""
        return self._progress_at + STALLED_SECONDS if self._frames else math.inf

    @property
    def deadline(self) -> float:
        """When something is due."""
        return min(min(self._due.values(), default=math.inf), self.probe_at, self.stalled_at)
