"""What a sending direction is doing, and what comes out of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.channel.segment import Segment


class Sending(enum.Enum):
    """What has become of our direction."""

    OPEN = "open"
    """The application may write."""
    ENDING = "ending"
    """It has finished; the end follows what is left."""
    TOLD = "told"
    """The end was numbered, or need not be told."""
    SETTLED = "settled"
    """Everything, the end included, was acknowledged."""
    ABANDONED = "abandoned"
    """What was not numbered was dropped; only an abort can follow."""

    @property
    def has_ended(self) -> bool:
        """True when the end was numbered."""
        return self in (Sending.TOLD, Sending.SETTLED)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A DATA or FIN that is due.

    Attributes:
        segment: the message.
        index: of the message in the direction (0, 1, ..., not wrapping); ``None``: a copy of one
            that was sent before.
    """

    segment: Segment
    index: int | None
