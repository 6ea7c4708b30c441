"""The parts of the memory network without event loop: faults, records, SURBs, agenda."""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from nymproxy.address import SenderTag

PACKET_PAYLOAD_BYTES = 1604
"""Bytes of one message that fit into one regular packet (nym-sphinx-chunking 1.21.6 src/set.rs)."""

REPLY_SURB_BYTES = 460
_REPLIABLE_OVERHEAD_BYTES = 1 + 16 + 1 + 4
_REPLY_OVERHEAD_BYTES = 1 + 1
_PADDING_BYTES = 1

SURB_RESERVE = 10
"""SURBs that only requests for more may use, as in nym-client-core 1.21.6."""

_MAX_SURBS_BEFORE_REQUESTS_STOP = 200
_MIN_SURB_REQUEST = 10
_MAX_SURB_REQUEST = 50


def packets_needed(payload_bytes: int, *, surbs: int = 0, is_reply: bool = False) -> int:
    """Return how many packets a message takes; beyond 255 the few link bytes are ignored."""
    if is_reply:
        total = _REPLY_OVERHEAD_BYTES + payload_bytes
    else:
        total = _REPLIABLE_OVERHEAD_BYTES + REPLY_SURB_BYTES * surbs + payload_bytes
    return -(-(total + _PADDING_BYTES) // PACKET_PAYLOAD_BYTES)


class MessageKind(enum.Enum):
    """What a record of the log stands for."""

    MESSAGE = "message"
    """Sent to an address."""
    REPLY = "reply"
    """Sent to a sender tag."""
    SURB_REQUEST = "surb-request"
    """The network's own: a holder of SURBs runs low."""
    SURBS = "surbs"
    """The network's own: the answer to a request."""


@dataclass(slots=True)
class MemoryMessage:
    """One record of the log.

    Attributes:
        number: counts the messages of the whole network from 0.
        sender: name of the sending endpoint.
        recipient: name of the receiving endpoint.
        surbs: reply SURBs attached (or requested).
        sent_at: when the last packet left, on the clock of the event loop; ``None`` before.
        delivered_at: one entry per arrival; two for a duplicated message.
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


class MessageFate(enum.Enum):
    """What becomes of one chosen message."""

    DELIVER = "deliver"
    ABANDON = "abandon"
    """No packet gets through: the delivery fails after the retransmission limit."""
    VANISH = "vanish"
    """Acknowledged, yet never read: what a gateway that loses its storage does."""


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
        loss: probability that one transmission of a packet is lost.
        retransmission_seconds: after this time a lost packet is sent again.
        max_retransmissions: of one packet; then its message is given up.
        duplication: probability that a message arrives a second time.
        reordering: probability that a message is held back by ``reordering_seconds`` at the end.
        choose_fate: decides, once for each message, whether it is lost whatever happens.
        disconnects: endpoints that lose their gateways.
    """

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0
    retransmission_seconds: float = 1.6
    max_retransmissions: int = 20
    duplication: float = 0.0
    reordering: float = 0.0
    reordering_seconds: float = 0.2
    choose_fate: ChooseFate | None = None
    disconnects: tuple[Disconnect, ...] = ()


class SurbShelf:
    """The reply SURBs that one holder has of one sender tag.

    The rules of nym-client-core 1.21.6 src/client/replies/reply_controller, in short: a new packet
    takes a SURB above the reserve, a retransmission one down to it, so that requests never starve.
    Whenever the SURBs in hand and on their way do not cover what is queued, one SURB is spent on a
    request for more.
    """

    __slots__ = ("in_hand", "pending", "queued_packets", "tag")

    def __init__(self, tag: SenderTag) -> None:
        self.tag = tag
        self.in_hand = 0
        self.pending = 0
        self.queued_packets = 0

    def may_take(self, *, retransmission: bool) -> bool:
        """Tell whether a packet could leave now."""
        return self.in_hand >= SURB_RESERVE + (0 if retransmission else 1)

    def take(self) -> None:
        """Use up one SURB for one packet that was queued."""
        self.in_hand -= 1
        self.queued_packets -= 1

    def add(self, count: int, *, requested: bool) -> None:
        """Put SURBs that arrived on the shelf."""
        self.in_hand += count
        if requested:
            self.pending = max(0, self.pending - count)

    def request(self) -> int:
        """Spend one SURB on a request if more are needed; return how many to ask for, or 0."""
        coming = self.in_hand + self.pending
        if (
            coming >= min(_MAX_SURBS_BEFORE_REQUESTS_STOP, self.queued_packets + SURB_RESERVE)
            or self.in_hand == 0
        ):
            return 0
        amount = min(_MAX_SURB_REQUEST, max(self.queued_packets, _MIN_SURB_REQUEST))
        self.in_hand -= 1
        self.pending += amount
        return amount


class Agenda:
    """What is to happen when; entries of the same time keep their order."""

    __slots__ = ("_entries", "_order")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    @property
    def next_time(self) -> float | None:
        """The time of the earliest entry."""
        return self._entries[0][0] if self._entries else None

    def add(self, when: float, action: Callable[[], None]) -> None:
        """Plan ``action`` for ``when``."""
        heapq.heappush(self._entries, (when, next(self._order), action))

    def run_due(self, now: float) -> None:
        """Run every action that is due, also those that running ones add for now."""
        while self._entries and self._entries[0][0] <= now:
            heapq.heappop(self._entries)[2]()
