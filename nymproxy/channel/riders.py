"""Acknowledgements that wait a moment for something to go along with, by whom they are for."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.driver import ChannelDriver
    from nymproxy.channel.link import Message


_MAX_AT_ONCE = 16
"""Looked at for one message, of however many wait."""


class Riders:
    """Those of all channels of one transport."""

    def __init__(self) -> None:
        self._waiting: defaultdict[NymAddress | SenderTag, dict[ChannelDriver, None]]
        self._waiting = defaultdict(dict)
        self._peers: dict[ChannelDriver, NymAddress | SenderTag] = {}

    def note(self, driver: ChannelDriver) -> None:
        """Note whether the channel has one now, and for whom."""
        peer = driver.peer if driver.link.rides else None
        before = self._peers.get(driver)
        if peer == before:
            return
        if before is not None:
            self.forget(driver)
        if peer is not None:
            self._peers[driver] = peer
            self._waiting[peer][driver] = None

    def forget(self, driver: ChannelDriver) -> None:
        """Note that the channel has none. Idempotent."""
        peer = self._peers.pop(driver, None)
        if peer is None:
            return
        del self._waiting[peer][driver]
        if not self._waiting[peer]:
            del self._waiting[peer]

    def load(self, driver: ChannelDriver, message: Message, now: float) -> bytes:
        """Return what is sent for a message: with those that have room, which are told by it."""
        waiting = islice(self._waiting.get(driver.peer, ()), _MAX_AT_ONCE)
        others = [each for each in waiting if each is not driver]
        if not others:
            return message.payload
        payload = driver.link.bring_along(message, (each.link for each in others), now)
        for each in others:
            if not each.link.rides:
                each.changed(now)
        return payload
