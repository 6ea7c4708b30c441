"""What waits and travels in a memory network: messages and lanes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

from nymproxy.mixnet.transport import Delivery, DeliveryRecord, Received
from nymproxy.testing._memory_model import MemoryMessage, MessageFate, SurbShelf

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from nymproxy.address import SenderTag
    from nymproxy.testing._memory_endpoint import MemoryEndpoint


class Outgoing:
    """One message between ``send`` and its last acknowledgement."""

    __slots__ = (
        "delivery",
        "fate",
        "lane",
        "missing",
        "recipient",
        "record",
        "shelf",
        "tag",
        "unacknowledged",
        "unsent",
    )

    def __init__(
        self,
        record: MemoryMessage,
        lane: Lane,
        recipient: MemoryEndpoint | None,
        *,
        tag: SenderTag | None,
        shelf: SurbShelf | None,
        fate: MessageFate,
    ) -> None:
        self.record = record
        self.lane = lane
        self.recipient = recipient
        self.tag = tag
        """The tag that the recipient sees; ``None`` for a reply."""
        self.shelf = shelf
        """Where a reply takes its SURBs from; ``None`` for a message to an address."""
        self.fate = fate
        self.delivery = Delivery(DeliveryRecord(record.packet_count))
        self.unsent = self.missing = self.unacknowledged = record.packet_count

    def deliver(self, clock: Callable[[], float], *, is_copy: bool) -> None:
        """Put the message into the recipient's inbox and its SURBs on the recipient's shelf."""
        if self.recipient is None or self.fate is not MessageFate.DELIVER:
            return
        self.record.delivered_at.append(clock())
        self.recipient.take_in(Received(self.record.payload, self.tag))
        if self.tag is not None and not is_copy:
            self.recipient.take_surbs(self.tag, self.record.surbs, requested=False)


class Lane:
    """Packets of one lane wait here in order; ``send`` blocks while there is no room."""

    __slots__ = ("discarded", "number", "queue", "random", "room")

    def __init__(self, number: int, generator: random.Random) -> None:
        self.number = number
        self.random = generator
        self.queue: deque[Outgoing] = deque()
        self.discarded = False
        self.room = anyio.Event()

    def has_room(self, packet_count: int, capacity: int) -> bool:
        """Tell whether a message fits; an empty or discarded lane stops nobody."""
        if not self.queue or self.discarded:
            return True
        return sum(outgoing.unsent for outgoing in self.queue) + packet_count <= capacity

    def take_packet(self) -> None:
        """Take one packet off the head of the queue."""
        self.queue[0].unsent -= 1
        if self.queue[0].unsent == 0:
            self.queue.popleft()
        self.wake()

    def drop(self, outgoing: Outgoing) -> None:
        """Take a message out of the queue, wherever it stands."""
        if outgoing.shelf is not None:
            outgoing.shelf.queued_packets -= outgoing.unsent
        self.queue.remove(outgoing)
        self.wake()

    def wake(self) -> None:
        """Let waiting ``send`` calls look again."""
        self.room.set()
        self.room = anyio.Event()
