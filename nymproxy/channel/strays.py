"""Sends what belongs to no channel: refusals, and answers to data for dead channels."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from nymproxy._signal import Signal
from nymproxy.address import SenderTag
from nymproxy.errors import NymError

if TYPE_CHECKING:
    from collections import Counter, deque

    from nymproxy.channel.driver import UnderWay
    from nymproxy.channel.link import Stray
    from nymproxy.mixnet.transport import DeliveryRecord, MessageTransport

logger = logging.getLogger("nymproxy.channel")

_SECONDS = 1.0
"""One that cannot be sent at once does not hold up the others."""


class StraySender:
    """Sends strays one by one, each with a reply SURB that is in hand (of the reserve, too, since a
    client that was just started has no others), or not at all: a stranger can cause as many as he
    likes.

    Args:
        transport: carries them.
        strays: where they wait.
        counters: of what was dropped.
        under_way: where they are counted.
    """

    def __init__(
        self,
        transport: MessageTransport,
        strays: deque[Stray],
        counters: Counter[str],
        under_way: UnderWay,
    ) -> None:
        self._transport = transport
        self._strays = strays
        self._counters = counters
        self._under_way = under_way
        self._waiting = Signal()
        self._all_sent = Signal()

    def wake(self) -> None:
        """Note that there may be new ones."""
        if self._strays:
            self._waiting.set()

    async def all_sent(self) -> None:
        """Wait until none waits."""
        if self._strays:
            await self._all_sent.wait()

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            while self._strays:
                await self._send(self._strays.popleft())
            self._all_sent.set()
            await self._waiting.wait()

    async def _send(self, stray: Stray) -> None:
        to = stray.to
        if isinstance(to, SenderTag) and not self._transport.reply_surbs_in_hand(to, any_surb=True):
            self._counters["stray-without-surb"] += 1
            return
        self._under_way.begin()
        delivery = None
        try:
            with anyio.move_on_after(_SECONDS):
                delivery = await self._transport.send(
                    to, stray.payload, surbs=stray.surbs, any_surb=isinstance(to, SenderTag)
                )
        except NymError as error:
            logger.debug("a refusal could not be sent: %s", error.code)
        if delivery is None:
            self._under_way.end()
        else:
            delivery.subscribe(self._changed)

    def _changed(self, delivery: DeliveryRecord) -> None:
        if delivery.is_settled:
            self._under_way.end()
