"""A transport that knows when all that was sent through it has been acknowledged or given up.

An identity that is thrown away takes its retransmissions with it: what it said last, perhaps the
Close of an aborted session, must be acknowledged first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._signal import Signal
from nymproxy.mixnet.transport import DEFAULT_LANE, TransportWrapper

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.transport import Delivery, MessageTransport


class SettlingTransport(TransportWrapper):
    """Passes everything on to another transport, and counts what is under way."""

    def __init__(self, transport: MessageTransport) -> None:
        super().__init__(transport)
        self._under_way = 0
        self._settled = Signal()

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
    ) -> Delivery:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        delivery = await super().send(to, payload, surbs=surbs, lane=lane)
        if not delivery.is_settled:
            self._under_way += 1
            delivery.subscribe(self._changed)
        return delivery

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await self._settled.wait()

    def _changed(self, delivery: Delivery) -> None:
        if delivery.is_settled:
            self._under_way -= 1
            if not self._under_way:
                self._settled.set()
