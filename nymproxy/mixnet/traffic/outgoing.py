"""The records of what is being sent: one for each message, one for each of its fragments.

They are kept until the last fragment is acknowledged or the message is given up. Every part of
the sending side (lanes, SURB controller, ack timers) holds the same records, so giving a message up
is one flag, and the parts drop its fragments when they come across them.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.errors import NymError
    from nymproxy.mixnet.messages import ReplySurb
    from nymproxy.mixnet.records import DeliveryRecord
    from nymproxy.mixnet.sphinx import PacketSize
    from nymproxy.mixnet.traffic.mix_trials import Mix


class ControlLane(enum.Enum):
    """Lanes of the client's own; a caller's lanes are integers."""

    RETRANSMISSION = "retransmission"
    SURB_REQUEST = "surb-request"
    ADDITIONAL_SURBS = "additional-surbs"


Lane: TypeAlias = int | ControlLane


class PacketKind(enum.Enum):
    """What a packet that leaves is for; counted by kind."""

    DATA = "data"
    REPLY = "reply"
    SURB_REQUEST = "surb-request"
    ADDITIONAL_SURBS = "additional-surbs"
    RETRANSMISSION = "retransmission"
    COPY = "copy"
    """A further packet of a fragment in flight, in place of a cover."""
    COVER = "cover"
    LOOP_COVER = "loop-cover"
    RETURNED_COVER = "returned-cover"
    """A cover to a peer, for a packet that came of it."""


class OutgoingMessage:
    """One message on its way: where to, how often to try, and what is left to do."""

    __slots__ = (
        "any_surb",
        "delivery",
        "kind",
        "lane",
        "maximum_retransmissions",
        "surbs",
        "to",
        "unacknowledged",
        "unsent",
    )

    def __init__(
        self,
        delivery: DeliveryRecord,
        kind: PacketKind,
        to: NymAddress | SenderTag,
        lane: Lane,
        maximum_retransmissions: int,
        *,
        surbs: int = 0,
        any_surb: bool = False,
    ) -> None:
        self.any_surb = any_surb or kind is PacketKind.SURB_REQUEST
        """It may use the reserve of reply SURBs."""
        self.delivery = delivery
        self.kind = kind
        self.to = to
        self.lane = lane
        self.maximum_retransmissions = maximum_retransmissions
        self.surbs = surbs
        """Reply SURBs that it asks for, or hands out."""
        self.unsent = delivery.packet_count
        """Fragments that have not left for the first time."""
        self.unacknowledged = delivery.packet_count

    def give_up(self, error: NymError) -> None:
        """Fail the delivery; the fragments that wait anywhere are dropped when met."""
        self.delivery.fail(error)


class OutgoingFragment:
    """One fragment: its bytes (not its packet, which is built when it leaves) and its timer.

    Attributes:
        message: the message it belongs to.
        fragment_id: the 5 bytes that its ack carries.
        data: the serialised fragment.
        size: of the packet it goes into.
        surb: the reply SURB for the next transmission, of a fragment to a sender tag.
        holds_lane_room: it waits for the first time, and occupies room in its lane.
        is_parked: it waits for a SURB, so its room in its lane does not count in the total.
        holds_tag_room: it waits for a SURB for the first time, and occupies room of its sender tag.
        retransmissions: how often it was queued again.
        copies: how often it left once more in place of a cover, since it left last.
        copy_acked_from: an ack from then on may be that of such a copy, in the clock's seconds, and
            is not measured.
        has_left: it has left at least once.
        in_flight: it has left and its timer runs.
        is_acknowledged: its ack came.
        sent_at: when it left last, in the clock's seconds; ``None`` before the first time, and
            while its packet is being written.
        expected_seconds: delays of its last packet and of that packet's ack, as far as we drew
            them.
        mixes: which both pass, as far as they are known.
        deadline: when its timer fires; only meaningful in flight.
    """

    __slots__ = (
        "copies",
        "copy_acked_from",
        "data",
        "deadline",
        "expected_seconds",
        "fragment_id",
        "has_left",
        "holds_lane_room",
        "holds_tag_room",
        "in_flight",
        "is_acknowledged",
        "is_parked",
        "message",
        "mixes",
        "retransmissions",
        "sent_at",
        "size",
        "surb",
    )

    def __init__(
        self, message: OutgoingMessage, fragment_id: bytes, data: bytes, size: PacketSize
    ) -> None:
        self.message = message
        self.fragment_id = fragment_id
        self.data = data
        self.size = size
        self.surb: ReplySurb | None = None
        self.holds_lane_room = False
        self.holds_tag_room = False
        self.is_parked = False
        self.retransmissions = 0
        self.copies = 0
        self.copy_acked_from = math.inf
        self.has_left = False
        self.in_flight = False
        self.is_acknowledged = False
        self.sent_at: float | None = None
        self.expected_seconds = 0.0
        self.mixes: tuple[Mix, ...] = ()
        self.deadline = 0.0

    @property
    def is_done(self) -> bool:
        """True when it need not be sent (again): acknowledged, or its message was given up."""
        return self.is_acknowledged or self.message.delivery.error is not None

    @property
    def kind(self) -> PacketKind:
        """What its next packet counts as."""
        return PacketKind.RETRANSMISSION if self.retransmissions else self.message.kind

    def excess_seconds(self, now: float) -> float:
        """Return how much longer than expected it has been under way since it left last."""
        if self.sent_at is None:
            return 0.0
        return max(0.0, now - self.sent_at - self.expected_seconds)

    def mark_left(self) -> None:
        """Record that it leaves; the message is sent when the last fragment left once."""
        if not self.has_left:
            self.has_left = True
            message = self.message
            message.unsent -= 1
            if message.unsent == 0:
                message.delivery.mark_sent()

    def mark_acknowledged(self) -> None:
        """Record its ack; the message is acknowledged with its last fragment."""
        if not self.is_acknowledged:
            self.is_acknowledged = True
            message = self.message
            message.unacknowledged -= 1
            if message.unacknowledged == 0:
                message.delivery.mark_acknowledged()
