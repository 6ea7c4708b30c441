"""A transport that knows when all that was sent through it has been acknowledged or given up.

An identity that is thrown away takes its retransmissions with it: what it said last, perhaps the
Close of an aborted session, must be acknowledged first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from nymproxy.mixnet.transport import DEFAULT_LANE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.transport import Delivery, MessageTransport, Received


class SettlingTransport:
    """Passes everything on to another transport, and counts what is under way."""

    def __init__(self, transport: MessageTransport) -> None:
        self._transport = transport
        self._under_way = 0
        self._settled = anyio.Event()

    @property
    def address(self) -> NymAddress:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        return self._transport.address

    @property
    def packet_rate(self) -> float | None:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        return self._transport.packet_rate

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
    ) -> Delivery:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        delivery = await self._transport.send(to, payload, surbs=surbs, lane=lane)
        if not delivery.is_settled:
            self._under_way += 1
            delivery.subscribe(self._changed)
        return delivery

    def receive(self) -> AsyncIterator[Received]:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        return self._transport.receive()

    def discard_lane(self, lane: int) -> None:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        self._transport.discard_lane(lane)

    def reply_surbs_in_hand(self, tag: SenderTag) -> int:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        return self._transport.reply_surbs_in_hand(tag)

    async def aclose(self) -> None:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        await self._transport.aclose()

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            self._settled = anyio.Event()
            await self._settled.wait()

    def _changed(self, delivery: Delivery) -> None:
        if delivery.is_settled:
            self._under_way -= 1
            if not self._under_way:
                self._settled.set()
