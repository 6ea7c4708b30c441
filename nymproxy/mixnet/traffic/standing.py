"""Whether a peer is there: who has answered us goes before strangers, and those before the silent.

Anybody can be a thousand strangers who want a long answer, bring reply SURBs for its beginning and
are never heard of again. To take turns with each of them is what a flood asks for. So a peer has to
show, again and again, that it gets what it is sent.
"""

from __future__ import annotations

import enum
from typing import Final

_PROVEN_PACKETS: Final = 64
"""Since the last sign of life. During a download of `default`, with a round trip of 0.2 to 0.8 s
and up to 5 % of loss, nine in ten signs come within 20 packets, and all within 65. `fast` and
`bare` are beyond it for an eighth of their packets at most, which matters only if others wait."""


class Rank(enum.IntEnum):
    """In which class a peer takes turns; see :class:`~nymproxy.mixnet.traffic.lanes.Lanes`."""

    PROVEN = 0
    """It has reacted to what it was sent, not many packets ago."""
    NEW = 1
    """Nothing is known of it, and nothing was sent to it yet."""
    SILENT = 2
    """It has taken something, or much, without a sign of life."""


class Standing:
    """What shows that a peer who is known by its sender tag alone is there.

    A sign of life is anything that comes from it after an acknowledgement of something sent to it:
    acknowledgements are its gateway's, and take as long as the fastest answer. What it sent before
    (its first messages, one behind the other) tells nothing.
    """

    __slots__ = ("_is_proven", "_is_reached", "_taken")

    def __init__(self) -> None:
        self._is_reached = False
        self._is_proven = False
        self._taken = 0

    @property
    def rank(self) -> Rank:
        """The class in which it takes turns now."""
        if self._is_proven:
            return Rank.PROVEN if self._taken < _PROVEN_PACKETS else Rank.SILENT
        return Rank.SILENT if self._taken else Rank.NEW

    def took(self) -> None:
        """Take note of a packet that leaves for it."""
        self._taken += 1

    def reached(self) -> None:
        """Take note of an acknowledgement of its gateway."""
        self._is_reached = True

    def heard(self) -> None:
        """Take note of something that came from it."""
        if self._is_reached:
            self._is_proven = True
            self._taken = 0
