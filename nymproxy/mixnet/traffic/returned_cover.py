"""Cover for cover: where a cover packet goes, so that as many come back as are missing.

Cover is a packet to oneself and comes back; data comes on top of it. So the gateway of somebody who
downloads pushes more packets than that of somebody idle. For each packet of a peer whose address
we know, the next cover goes to that peer instead: one less comes back, and the peer, whose packets
to us took the place of its own cover, gets one in its turn. No packet more or less is sent. There
is nothing like it in the Rust client; a Rust recipient drops any cover, whoever sent it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nymproxy.address import NymAddress


class ReturnedCover:
    """Whom covers are owed to: at most 256 at once, the oldest are forgotten.

    A packet of ours that carries something does not come back either, so it pays for one that came;
    up to four are remembered, so that small answers to small questions are paid for beforehand.
    What is owed when nothing has come for 0.2 s is forgotten: paid then, it would show that a
    transfer has ended.
    """

    _MAXIMUM_OWED: Final = 256
    _MAXIMUM_PAID: Final = 4
    _FORGOTTEN_SECONDS: Final = 0.2

    __slots__ = ("_came_at", "_owed", "_paid")

    def __init__(self) -> None:
        self._owed: deque[NymAddress] = deque(maxlen=self._MAXIMUM_OWED)
        self._paid = 0
        self._came_at = -math.inf

    def came(self, peer: NymAddress, now: float) -> None:
        """Take note of a packet of a peer, at the clock's seconds."""
        self._came_at = now
        if self._paid:
            self._paid -= 1
        else:
            self._owed.append(peer)

    def left(self, packets: int) -> None:
        """Take note of packets of ours that carry something."""
        for _ in range(packets):
            if self._owed:
                self._owed.popleft()
            elif self._paid < self._MAXIMUM_PAID:
                self._paid += 1

    def take(self, now: float) -> NymAddress | None:
        """Return whom the next cover goes to; ``None``: to ourselves."""
        if now - self._came_at > self._FORGOTTEN_SECONDS:
            self._owed.clear()
        return self._owed.popleft() if self._owed else None
