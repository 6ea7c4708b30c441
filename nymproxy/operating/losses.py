"""Whether the network loses what a forward sends, judged by what it did lately, and the log of it.

Nobody is told of a lost packet: its acknowledgement is missed, and it is sent again. A network that
loses many carries everything, but so slowly that its user sees nothing at all.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import anyio

from nymproxy._log_fields import fields

if TYPE_CHECKING:
    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.mixnet.machine import ClientCounters

logger = logging.getLogger("nymproxy.operating")

LOOK_SECONDS = 5.0
WINDOW_LOOKS = 3
"""Lately: since so many looks ago. With the first retransmissions, which come after two seconds, it
is said 17 s after the first loss at the latest."""
_FEWEST = 3
"""Packets sent again; of fewer nothing follows."""
_FORGOTTEN_LOOKS = 12
_TOLD_SHARE, _OVER_SHARE = 0.4, 0.1


class Losses:
    """Of the packets that a forward sent, what had to be sent again."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, int]] = deque([(0, 0)], maxlen=WINDOW_LOOKS + 1)
        self._silent_looks = 0
        self.is_told = False
        """Many are lost, as far as is known."""

    @property
    def share(self) -> float:
        """Of the packets with content of late, from 0 to 1; 0 as long as there are few."""
        sent, again = self._lately()
        return min(again / sent, 1.0) if again >= _FEWEST and sent else 0.0

    def look(self, counters: ClientCounters) -> bool:
        """Take note of what was sent so far. Returns whether there is something to tell.

        Call it every :data:`LOOK_SECONDS`. What was told is forgotten, without a word, when nothing
        has been sent for a minute.
        """
        content = sum(
            count
            for kind, count in counters.sent.items()
            if not kind.endswith("cover") and kind != "copy"
        )
        self._looks.append((content, counters.retransmissions))
        sent, again = self._lately()
        self._silent_looks = 0 if sent else self._silent_looks + 1
        if not self.is_told:
            self.is_told = self.share >= _TOLD_SHARE
            return self.is_told
        if self._silent_looks == _FORGOTTEN_LOOKS:
            self.is_told = False
        elif sent and again < _OVER_SHARE * sent:
            self.is_told = False
            return True
        return False

    def _lately(self) -> tuple[int, int]:
        (first_sent, first_again), (sent, again) = self._looks[0], self._looks[-1]
        return sent - first_sent, again - first_again


async def watch_losses(losses: Losses, roster: ClientRoster, role: str, name: str) -> None:
    """Look again and again, and write what changes to the log, until cancelled."""
    while True:
        await anyio.sleep(LOOK_SECONDS)
        if not losses.look(roster.counters):
            continue
        if losses.is_told:
            logger.warning(
                "%s %s: %.0f %% of its packets had to be sent again: the network loses them, or a "
                "machine on the way is too busy (a localnet logs queue_full then)",
                role,
                name,
                losses.share * 100,
                extra=fields("packets-lost", forward=name, share=round(losses.share, 2)),
            )
        else:
            logger.info(
                "%s %s: few packets are lost any more",
                role,
                name,
                extra=fields("packets-arrive", forward=name),
            )
