"""Why a channel fails, as its application is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.channel.idle import Quiet
from nymproxy.errors import (
    ResetCode,
    StreamDataLost,
    StreamIdleTimeout,
    StreamRefused,
    StreamReset,
)

if TYPE_CHECKING:
    from nymproxy.channel.segment import ChannelKey, Segment
    from nymproxy.errors import NymError

_TOO_QUIET = {
    Quiet.IDLE: "nothing was sent or received",
    Quiet.NO_ANSWER: "no answer after the end of our data",
    Quiet.UNANSWERED: "no answer of any kind from the peer",
    Quiet.DEAD: "the peer has stopped to ask whether we are there",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a channel cannot go on, and what the peer is told if it can be told anything."""

    error: NymError
    reset_code: ResetCode | None


class ChannelFault(Exception):
    """A machine failed in a way that it should not.

    Attributes:
        key: of the channel.
    """

    def __init__(self, key: ChannelKey) -> None:
        super().__init__("a channel's machine failed")
        self.key = key


def reset_by_peer(segment: Segment) -> StreamReset:
    """Return the error for a RESET; its reason is the peer's, so only what can be printed of it."""
    reason = "".join(char if char.isprintable() else "?" for char in segment.reason)
    detail = f"{segment.reset_code.name.lower()}{': ' + reason if reason else ''}"
    if segment.reset_code in (ResetCode.REFUSED, ResetCode.NOT_ACCEPTED):
        return StreamRefused(f"the peer refused the channel ({detail})", segment.reset_code)
    return StreamReset(f"the peer reset the channel ({detail})", segment.reset_code)


def message_given_up(cause: NymError) -> StreamDataLost:
    """Return the error for a message of ours that the transport gave up."""
    lost = StreamDataLost("a message of ours was given up; the peer waits for it in vain")
    lost.__cause__ = cause
    return lost


def too_quiet(quiet: Quiet) -> StreamIdleTimeout:
    """Return the error for a peer that was not heard for too long."""
    return StreamIdleTimeout(f"{_TOO_QUIET[quiet]} for the time limit")
