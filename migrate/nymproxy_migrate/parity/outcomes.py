"""What one end saw of a failure, how long it was watched, and what two sides of it say."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from nymproxy_migrate.parity import verdicts
from nymproxy_migrate.parity.model import Verdict

OPENING_SECONDS = 60.0
"""For a connection to be there, before anything is broken: some tenths of a second do otherwise."""
PROMPT_SECONDS = 2.0
"""A machine on which opening takes longer has no time: all else takes longer there, too."""
MOST_TIMES_LONGER = 4.0
"""How much longer is waited there."""


class Outcome(enum.IntEnum):
    """What one end saw, from the worst to the best."""

    WRONG = 0
    SHORT = 1
    NOTHING = 2
    TOLD = 3
    COMPLETE = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """An outcome, and how long it took.

    Attributes:
        outcome: None if there was no connection to break: whatever that was, it is not what was
            asked for.
        seconds: from the failure to the outcome, or to the end of patience.
        opening_seconds: from connecting to the failure.
    """

    outcome: Outcome | None
    seconds: float
    opening_seconds: float = 0.0

    def __str__(self) -> str:
        return {
            None: f"not open ({self.seconds:.0f} s)",
            Outcome.WRONG: "wrong bytes",
            Outcome.SHORT: "cut silently",
            Outcome.NOTHING: f"hangs ({self.seconds:.0f} s)",
            Outcome.TOLD: f"error in {self.seconds:.0f} s",
            Outcome.COMPLETE: "complete",
        }[self.outcome]

    @property
    def is_right(self) -> bool:
        """All of it arrived, or an error instead."""
        return self.outcome is not None and self.outcome >= Outcome.TOLD

    @property
    def is_silence(self) -> bool:
        """Nothing came of it, which a machine without time explains as well as a fault does."""
        return self.outcome in {None, Outcome.NOTHING}

    @property
    def is_slow(self) -> bool:
        """The connection had to wait for the machine before anything was broken."""
        return self.outcome is None or self.opening_seconds > PROMPT_SECONDS


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds each failure is watched, on a machine that opens promptly.

    Attributes:
        aborts: one end breaks off.
        altered: packets are altered.
        restart: the server was restarted; 30 s are promised (docs/wire.md).
        gateway: the server's gateway is gone; 15 s are promised without mix delays, 25 with them.
    """

    aborts: float = 10.0
    altered: float = 15.0
    restart: float = 40.0
    gateway: float = 25.0


def patient(seconds: float, opening_seconds: float) -> float:
    """Return how long to wait where opening took so long."""
    return seconds * min(max(opening_seconds / PROMPT_SECONDS, 1.0), MOST_TIMES_LONGER)


def judge(legacy: Seen, stream: Seen) -> tuple[Verdict, str]:
    """Return the verdict on one failure, and a note.

    The stream side has to be right, whatever the other does: that both lie excuses neither. Silence
    on both sides of a machine that had no time says nothing of either.
    """
    if legacy.is_silence and stream.is_silence and (legacy.is_slow or stream.is_slow):
        return Verdict.SKIPPED, "the machine had no time: neither side came to an end"
    if not stream.is_right:
        return Verdict.WORSE, ""
    if legacy.outcome is None or stream.outcome is None:
        return Verdict.SKIPPED, "the legacy side had no connection that could have been broken"
    return verdicts.higher_is_better(legacy.outcome, stream.outcome), ""
