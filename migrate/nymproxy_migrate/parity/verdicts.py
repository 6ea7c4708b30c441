"""How a pair of values becomes a verdict, and how far the stream side may fall behind.

Both sides run on one machine that does other things, too. An allowance is therefore two-fold: a
share, for what grows with the work, and an absolute part below which a difference is noise.
The stream side is worse only beyond the larger of both, and better only beyond it, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nymproxy_migrate.parity.model import Verdict

Number = int | float


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far the stream side may fall behind.

    Attributes:
        share: of the legacy value; 0.3 is 30 %.
        absolute: in the row's unit.
        unit: of ``absolute``, for people.
    """

    share: float = 0.0
    absolute: float = 0.0
    unit: str = ""

    def __str__(self) -> str:
        parts = []
        if self.share:
            parts.append(f"{self.share * 100:g} %")
        if self.absolute:
            parts.append(f"{self.absolute:g} {self.unit}".strip())
        return " or ".join(parts) or "none"

    def exceeded(self, more: Number, less: Number) -> bool:
        """Tell whether ``more`` is above ``less`` by more than is allowed."""
        limit = less + max(self.share * abs(less), self.absolute)
        return more > limit and not math.isclose(more, limit)


NONE = Allowance()
"""Bytes, order, ends of data and counts: right or wrong, no load excuses them."""

FIRST_BYTE = Allowance(absolute=500, unit="ms")
"""A new connection may have to wait for a new identity; registering one takes about that long."""

ROUND_TRIP = Allowance(0.3, 25, "ms")
"""Without mix delays a round trip is a few ms of CPU, so a third of it is one turn of the
scheduler; with them it is some hundred ms, and 30 % are far outside what the median wanders."""

PAUSE = Allowance(0.3, 2000, "ms")
"""One lost packet costs a retransmission, up to about 1.5 s on a busy machine; a stall is more."""

DURATION = Allowance(0.3, 2000, "ms")
"""Several connections at once contend for identities and for both cores: one retransmission."""

GOODPUT_SHARE, GOODPUT_SECONDS = 0.3, 1.0
"""A second more, whatever the share, is one retransmission in a transfer that is that short."""

PACKETS = Allowance(0.25)
"""Framing differs, and a retransmission or two happen; a lost batching would double the packets."""

FEW_PACKETS = Allowance(0.25, 0.5)
"""As ``PACKETS``, for exchanges of so few bytes that single packets show."""

MEMORY = Allowance(0.3, 16, "MB")
"""The interpreter with its libraries is the most of it; buffers of a few MB come and go."""


def identities(reserve: int) -> Allowance:
    """Return the allowance for clients that keep ``reserve`` identities ready.

    These may or may not be registered when counting ends.
    """
    return Allowance(absolute=reserve)


def lower_is_better(legacy: Number, stream: Number, allowance: Allowance) -> Verdict:
    """Compare times, packets, memory."""
    if allowance.exceeded(stream, legacy):
        return Verdict.WORSE
    return Verdict.BETTER if allowance.exceeded(legacy, stream) else Verdict.SAME


def higher_is_better(legacy: Number, stream: Number) -> Verdict:
    """Compare counts of what should happen; there is no allowance."""
    return lower_is_better(-legacy, -stream, NONE)


def goodput(legacy_seconds: float, stream_seconds: float) -> Verdict:
    """Compare two transfers of as many bytes by their times.

    A rate that is 30 % lower is a time that is ``1 / 0.7`` of the other.
    """
    allowance = Allowance(1 / (1 - GOODPUT_SHARE) - 1, GOODPUT_SECONDS)
    return lower_is_better(legacy_seconds, stream_seconds, allowance)


def correct(legacy: bool, stream: bool) -> Verdict:
    """Compare right and wrong: wrong on the stream side is worse, even if both are."""
    if not stream:
        return Verdict.WORSE
    return Verdict.SAME if legacy else Verdict.BETTER
