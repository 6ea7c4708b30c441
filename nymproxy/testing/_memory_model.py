"""The parts of the memory network that users give and get: faults, records, fates."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from nymproxy.mixnet.traffic import PacketKind
from nymproxy.testing._pretended_mixnet import PacketFaults


class MessageKind(enum.Enum):
    """What a record of the log stands for."""

    MESSAGE = "message"
    """Sent to an address."""
    REPLY = "reply"
    """Sent to a sender tag."""
    SURB_REQUEST = "surb-request"
    """The client's own: a holder of SURBs runs low."""
    SURBS = "surbs"
    """The client's own: the answer to a request."""


KIND_OF_PACKET = {
    PacketKind.DATA: MessageKind.MESSAGE,
    PacketKind.REPLY: MessageKind.REPLY,
    PacketKind.SURB_REQUEST: MessageKind.SURB_REQUEST,
    PacketKind.ADDITIONAL_SURBS: MessageKind.SURBS,
}


class MessageFate(enum.Enum):
    """What becomes of one chosen message."""

    DELIVER = "deliver"
    ABANDON = "abandon"
    """No packet gets through: the delivery fails after the retransmission limit."""
    VANISH = "vanish"
    """Acknowledged, yet never read: what a gateway that loses its storage does."""


@dataclass(slots=True)
class MemoryMessage:
    """One record of the log.

    Attributes:
        number: counts the messages of the whole network from 0.
        sender: name of the sending endpoint.
        recipient: name of the receiving endpoint, or empty if there is none.
        surbs: reply SURBs attached (or requested).
        sent_at: when the last packet left, on the clock of the event loop; ``None`` before.
        delivered_at: one entry per arrival; two for a duplicated message.
        retransmissions: packets that left again.
        fate: what becomes of it.
    """

    number: int
    kind: MessageKind
    sender: str
    recipient: str
    payload: bytes
    surbs: int
    lane: int
    packet_count: int
    sent_at: float | None = None
    delivered_at: list[float] = field(default_factory=list)
    retransmissions: int = 0
    fate: MessageFate = MessageFate.DELIVER


ChooseFate: TypeAlias = Callable[[MemoryMessage], MessageFate]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Endpoint ``name`` loses its gateway ``at_seconds`` after the network's start.

    Attributes:
        for_seconds: until it reconnects; ``None``: for good, as a client whose gateway is gone.
    """

    name: str
    at_seconds: float
    for_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryFaults:
    """What goes wrong, as data. The default is a perfect network without delay.

    Attributes:
        delay_seconds: time of every packet, and of every acknowledgement, on its way.
        jitter_seconds: added to it, uniform in [0, jitter), for each packet: reorders messages.
        loss: probability that a packet is lost.
        retransmission_seconds: an endpoint made now sends a packet again after this time and the
            measured excess, longer at each repetition.
        max_retransmissions: of one packet by an endpoint made now; then its message is given up.
        duplication: probability that a message arrives a second time. (A packet that comes twice
            is dropped by the recipient's client: ``packet_duplication``.)
        packet_duplication: probability of that, for each packet.
        reordering: probability that a packet is held back by ``reordering_seconds``.
        corruption: probability that a gateway flips a bit of a packet that it pushes.
        swallowing: probability that a gateway acks a packet and then loses it.
        choose_fate: decides, once for each message, whether it is lost whatever happens.
        disconnects: endpoints that lose their gateways.
    """

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0
    retransmission_seconds: float = 1.6
    max_retransmissions: int = 20
    duplication: float = 0.0
    packet_duplication: float = 0.0
    reordering: float = 0.0
    reordering_seconds: float = 0.2
    corruption: float = 0.0
    swallowing: float = 0.0
    choose_fate: ChooseFate | None = None
    disconnects: tuple[Disconnect, ...] = ()

    @lru_cache(maxsize=16)  # noqa: B019 - small, and the same few plans are asked all the time
    def of_packets(self) -> PacketFaults:
        """Return the part of it that happens to packets."""
        trip = (self.delay_seconds, self.delay_seconds + self.jitter_seconds)
        return PacketFaults(
            delay=trip,
            ack_delay=trip,
            loss=self.loss,
            duplication=self.packet_duplication,
            reordering=self.reordering,
            reordering_seconds=self.reordering_seconds,
            corruption=self.corruption,
            swallowing=self.swallowing,
        )
