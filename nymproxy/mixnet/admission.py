"""The way of one message into the outbox: it waits for room, in order, and can be called off."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from nymproxy.address import SenderTag
from nymproxy.errors import DeliveryAbandoned

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from nymproxy.errors import NymError
    from nymproxy.mixnet.traffic import (
        Outbox,
        OutgoingFragment,
        OutgoingMessage,
        Reservation,
        Room,
    )


class Admission:
    """Waits for room in the message's lane and then, for a reply, among those that wait for SURBs.

    The message enters the outbox in the instant in which room is granted, not when the waiting
    task is scheduled. So messages enter in the order in which they asked.
    """

    def __init__(
        self,
        outbox: Outbox,
        message: OutgoingMessage,
        fragments: list[OutgoingFragment],
        clock: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._message = message
        self._fragments = fragments
        self._clock = clock
        self._steps: deque[tuple[Room, Hashable]] = deque([(outbox.lane_room, message.lane)])
        if isinstance(message.to, SenderTag):
            self._steps.append((outbox.tag_room, message.to))
        self._reservations: list[tuple[Room, Reservation]] = []
        self._is_submitted = False
        self._error: NymError | None = None
        self._settled: anyio.Event | None = None

    async def wait(self) -> None:
        """Wait until the message is in the outbox.

        Raises:
            ClientDisconnected: what :meth:`abort` was called with.
        """
        self._advance()
        if self._is_submitted:
            await anyio.lowlevel.checkpoint_if_cancelled()
            return
        self._settled = anyio.Event()
        try:
            await self._settled.wait()
        except BaseException:
            self._call_off()
            raise
        if self._error is not None:
            raise self._error

    def abort(self, error: NymError) -> None:
        """Make :meth:`wait` raise an error, if it still waits."""
        if self._settled is not None and not self._settled.is_set():
            self._error = error
            self._call_off()
            self._settled.set()

    def _advance(self) -> None:
        """Take the next steps as far as there is room; called again with each grant."""
        while self._steps:
            room, key = self._steps.popleft()
            reservation = room.reserve(key, len(self._fragments), self._advance)
            self._reservations.append((room, reservation))
            if not reservation.granted:
                return
        self._is_submitted = True
        if self._settled is not None:
            self._settled.set()
        self._outbox.submit(self._message, self._fragments, self._clock())

    def _call_off(self) -> None:
        if self._is_submitted:
            error = DeliveryAbandoned("the sending task was cancelled")
            self._outbox.give_up(self._message, error)
            return
        for room, reservation in self._reservations:
            room.cancel(reservation)
        self._reservations.clear()
