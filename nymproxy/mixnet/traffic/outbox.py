"""The sending side as one machine: lanes, SURBs, ack timers and window around the same records.

It is told what the application sends, what left, which acks and SURBs came and what time it is;
it says which fragment is next. Building packets and writing them is the caller's part. The way of
a fragment, after nym-client-core 1.21.6 (src/client/real_messages_control)::

    submit ─► (waits for a SURB) ─► lane ─► next_fragment ─► tracked ─► left ─► acknowledged
                     ▲                ▲                                   │
                     └────────────────┴──────── timer fired ◄─────────────┘
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final, TypeAlias

from nymproxy.address import SenderTag
from nymproxy.errors import DeliveryAbandoned
from nymproxy.mixnet.traffic.copies import CopyCandidates
from nymproxy.mixnet.traffic.lanes import Lanes
from nymproxy.mixnet.traffic.open_messages import OpenMessages
from nymproxy.mixnet.traffic.outgoing import ControlLane, PacketKind
from nymproxy.mixnet.traffic.pending import PendingAcks
from nymproxy.mixnet.traffic.replies import ReplyController
from nymproxy.mixnet.traffic.room import Room
from nymproxy.mixnet.traffic.round_trips import RoundTrips
from nymproxy.mixnet.traffic.standing import Rank, Standing
from nymproxy.mixnet.traffic.window import CongestionWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from nymproxy.address import NymAddress
    from nymproxy.errors import NymError
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.messages import FragmentId, ReplySurb
    from nymproxy.mixnet.traffic.outgoing import OutgoingFragment, OutgoingMessage
    from nymproxy.mixnet.traffic.profile import TrafficProfile
    from nymproxy.mixnet.traffic.reply_actions import ReplyActions, SurbRequestPlan

_logger = logging.getLogger("nymproxy.traffic")

# Packets that may wait whatever others have waiting: in one lane, and of one peer.
_LANE_QUOTA: Final = 16
_PEER_QUOTA: Final = 64

_MEASURED_SAMPLES: Final = 10
_UNMEASURED_SECONDS: Final = 3.0
_SILENCE_SECONDS: Final = 2.0
"""Without any ack for so long, timers have begun to back off."""

ComposeRequest: TypeAlias = (
    "Callable[[SurbRequestPlan], tuple[OutgoingMessage, Sequence[OutgoingFragment]]]"
)


class Outbox:
    """Everything that was accepted and is neither acknowledged nor given up.

    Args:
        profile: rates, limits and bounds.
        rotation_id: the key rotation of the present topology.
        compose_request: makes the message that asks for SURBs.
        memory: where the SURBs in hand are charged.
    """

    def __init__(
        self,
        profile: TrafficProfile,
        rotation_id: int,
        compose_request: ComposeRequest,
        memory: MemoryAccount | None = None,
    ) -> None:
        self._compose_request = compose_request
        self._lanes: Lanes[OutgoingFragment] = Lanes(self._rank_of)
        self._messages = OpenMessages()
        self._pending = PendingAcks(profile)
        self._window = (
            CongestionWindow(profile.window) if profile.sending_delay_seconds is None else None
        )
        self.replies = ReplyController(profile.surbs, rotation_id, memory)
        """The SURBs in hand. Feed it through :meth:`surbs_received`, not directly."""
        self.lane_room = Room(
            profile.lane_packets, profile.total_packets, quota=_LANE_QUOTA, peer_quota=_PEER_QUOTA
        )
        """Room by lane. Reserve before :meth:`submit`. What waits for SURBs is not in its total."""
        self.tag_room = Room(
            profile.surbs.maximum_waiting,
            profile.surbs.total_waiting,
            quota=_PEER_QUOTA,
            peer_quota=_PEER_QUOTA,
            on_full=self._displace,
        )
        """Room by sender tag, for what waits for SURBs. Reserve before :meth:`submit`."""
        self._copies = CopyCandidates(profile.copies)
        self._acknowledged_at = -math.inf
        self._displaced_at_once = max(1, profile.surbs.total_waiting // 8)
        self._now = -math.inf
        self.retransmissions = 0
        """Packets that were queued again because no ack came in time."""
        self.given_up = self._messages.given_up
        """Messages that were given up, by the code of the error."""
        self.round_trips = RoundTrips()
        """Of packets that were sent once, so that the ack is surely theirs."""
        self.unknown_acks = 0
        """Acks of nothing we wait for: second acks, mostly."""

    # What the application does.

    def submit(
        self, message: OutgoingMessage, fragments: Sequence[OutgoingFragment], now: float
    ) -> None:
        """Take a message for which room was reserved (control lanes need none)."""
        self._messages.add(message)
        is_callers = not isinstance(message.lane, ControlLane)
        is_reply = isinstance(message.to, SenderTag)
        for fragment in fragments:
            fragment.holds_lane_room = is_callers
            fragment.holds_tag_room = is_callers and is_reply
        if isinstance(message.to, SenderTag):
            self._apply(self.replies.queue(message.to, message.lane, fragments, now), now)
            for fragment in fragments:
                if fragment.holds_tag_room and fragment.holds_lane_room:
                    fragment.is_parked = True
                    self.lane_room.park(message.lane)
        else:
            for fragment in fragments:
                self._lanes.push(message.lane, message.to, fragment)

    def discard_lane(self, lane: int) -> None:
        """Give up everything of a caller's lane, waiting or in flight."""
        error = DeliveryAbandoned("the lane of the message was discarded")
        messages = self._messages.of_lane(lane)
        for message in messages:
            self.give_up(message, error)
        for fragment in self._lanes.discard(lane):
            self._release(fragment)
        for tag in {message.to for message in messages if isinstance(message.to, SenderTag)}:
            for fragment in self.replies.discard(tag, lane):
                self._release(fragment)

    def give_up(self, message: OutgoingMessage, error: NymError) -> None:
        """Fail one message; its fragments are dropped where they are met."""
        self._messages.give_up(message, error)

    def give_up_all(self, error: NymError) -> None:
        """Fail everything, because the client ends."""
        self._messages.give_up_all(error)

    # What the sender does.

    def sendable(self) -> int:
        """Return how many packets may leave now (some may turn out to be done)."""
        waiting = len(self._lanes)
        return waiting if self._window is None else min(waiting, self._window.room)

    def next_fragment(self) -> OutgoingFragment | None:
        """Take the fragment that leaves next, tracked for its ack; ``None`` if nothing waits."""
        while (fragment := self._lanes.pop()) is not None:
            self._release(fragment)
            if not fragment.is_done:
                self._pending.track(fragment)
                self._note(fragment.message.to, Standing.took)
                return fragment
            self._pending.forget(fragment)
        return None

    def left(self, fragment: OutgoingFragment, now: float) -> None:
        """Record that the packet of a fragment was handed to the gateway."""
        fragment.surb = None
        fragment.mark_left()
        if fragment.message.kind is PacketKind.SURB_REQUEST:
            self.replies.request_left(fragment.message.to, now)
        self.start_timer(fragment, now)
        self._copies.left(fragment)

    def next_copy(self, now: float) -> OutgoingFragment | None:
        """Take a fragment of which another packet may leave in place of a cover.

        A reply takes another SURB for it, and only of those that nobody will miss.
        """
        while (fragment := self._copies.take()) is not None:
            to = fragment.message.to
            if isinstance(to, SenderTag):
                fragment.surb = self.replies.take_spare(to, now)
                if fragment.surb is None:
                    continue
            return fragment
        return None

    def copy_left(self, fragment: OutgoingFragment, acked_from: float) -> None:
        """Record that a copy was handed to the gateway; its ack cannot come before that time.

        Of a reply that says little, since its creator's delays are not in it: there the first of
        both acks is measured, which is what the timer waits for.
        """
        is_reply = isinstance(fragment.message.to, SenderTag)
        self._copies.copied(fragment, math.inf if is_reply else acked_from)

    def start_timer(self, fragment: OutgoingFragment, now: float) -> None:
        """Start the timer without a packet: it could not be built now, and is tried again."""
        if fragment.is_done:
            self._pending.forget(fragment)
            return
        self._pending.start(fragment, now)
        if self._window is not None:
            self._window.sent()

    # What the network does.

    def acknowledged(self, fragment_id: FragmentId, now: float) -> None:
        """Take an ack."""
        fragment = self._pending.acknowledge(fragment_id, now)
        if fragment is None:
            self.unknown_acks += 1
            return
        silence = now - self._acknowledged_at
        self._acknowledged_at = now
        if silence > _SILENCE_SECONDS:
            self.way_is_open(now)
        if fragment.in_flight:
            fragment.in_flight = False
            if self._window is not None:
                self._window.acknowledged(fragment.excess_seconds(now))
        if not fragment.retransmissions and fragment.sent_at is not None:
            self.round_trips.measured(now - fragment.sent_at)
        fragment.mark_acknowledged()
        message = fragment.message
        self._note(message.to, Standing.reached)
        if message.unacknowledged == 0:
            self._messages.settle(message)
            if message.kind is PacketKind.SURB_REQUEST and isinstance(message.to, SenderTag):
                self.replies.overdue.request_arrived(message.to, now)

    def link_restored(self, now: float) -> None:
        """Take note that there is a gateway again: acks that waited there prove no delay."""
        self._pending.measure_from(now)
        self.way_is_open(now)

    def way_is_open(self, now: float) -> None:
        """Take note that packets get through (again): what waits for a timer that has backed off
        meanwhile is sent again at once."""
        self._pending.hasten(now)

    def slept(self, now: float, *, holds: bool) -> None:
        """Take note, before acks are taken or timers fire, that the process stood still until now:
        acks that waited meanwhile prove no delay of the network. For ``holds`` see
        :class:`~nymproxy.mixnet.traffic.surbs.Waking`; :meth:`settle` ends that."""
        self._pending.measure_from(now)
        self.replies.waking.slept(now, holds=holds)

    def settle(self, now: float) -> None:
        """Take note that the topology is known; see :meth:`ReplyController.settle`."""
        self._apply(self.replies.settle(now), now)

    def surbs_received(
        self, tag: SenderTag, surbs: Sequence[ReplySurb], now: float, *, additional: bool
    ) -> None:
        """Take SURBs of a sender, at least one."""
        self._note(tag, Standing.heard)
        self._apply(self.replies.receive(tag, surbs, now, additional=additional), now)

    def sender_seen(self, tag: SenderTag, now: float) -> None:
        """Take note of a sender: replies to it wait for SURBs, which may have been overtaken."""
        self._note(tag, Standing.heard)
        self._apply(self.replies.seen(tag, now), now)

    def rotated(self, rotation_id: int, overlap_seconds: float, now: float) -> None:
        """Take a change of the key rotation; see :meth:`ReplyController.rotate`."""
        self._apply(self.replies.rotate(rotation_id, overlap_seconds, now), now)

    # What can be seen.

    @property
    def waiting_count(self) -> int:
        """Packets that wait for their turn to leave."""
        return len(self._lanes)

    @property
    def unacknowledged_count(self) -> int:
        """Packets that left and may still be acknowledged."""
        return len(self._pending)

    @property
    def window_packets(self) -> float | None:
        """How many may be unacknowledged; ``None`` with a sending schedule."""
        return None if self._window is None else self._window.size

    # What the clock does.

    def ack_patience_seconds(self, fragment: OutgoingFragment) -> float:
        """Return how long after it was due the ack of a fragment is certainly not to come any
        more."""
        excess = self._pending.excess.of(fragment.message.to)
        measured = excess.samples >= _MEASURED_SAMPLES
        return max(0.5, 2 * excess.seconds) if measured else _UNMEASURED_SECONDS

    def next_timer(self) -> float:
        """Return when :meth:`expire` is due; ``math.inf``: at no time."""
        acks = self._pending.next_deadline()
        answers = self.replies.overdue.next_deadline
        return answers if acks is None else min(acks, answers)

    def expire(self, now: float, stalled_seconds: float = 0.0) -> None:
        """Queue again what was not acknowledged in time, see :meth:`PendingAcks.expire`, and ask
        again for SURBs that have not come."""
        self._apply(self.replies.ask_again(now, stalled_seconds), now)
        for fragment in self._pending.expire(now, stalled_seconds):
            if self._window is not None:
                self._window.lost(fragment.sent_at or 0.0, now)
            if fragment.is_done:
                self._pending.forget(fragment)
            elif fragment.retransmissions >= fragment.message.maximum_retransmissions:
                self._pending.forget(fragment)
                self._give_up_unacknowledged(fragment, now)
            else:
                self._retransmit(fragment, now)

    @property
    def needs_ticks(self) -> bool:
        """True while :meth:`tick` has to be called every ``ReplyController.TICK_SECONDS``."""
        return len(self.replies) > 0

    def tick(self, now: float) -> None:
        """Do the periodic part of the reply control; see :meth:`ReplyController.tick`."""
        self._apply(self.replies.tick(now), now)

    # Inside.

    def _rank_of(self, to: Hashable) -> Rank:
        if not isinstance(to, SenderTag):
            return Rank.PROVEN  # we have chosen it ourselves
        correspondent = self.replies.correspondent(to)
        return Rank.SILENT if correspondent is None else correspondent.standing.rank

    def _note(self, to: NymAddress | SenderTag, event: Callable[[Standing], None]) -> None:
        correspondent = self.replies.correspondent(to) if isinstance(to, SenderTag) else None
        if correspondent is not None:
            event(correspondent.standing)
            self._lanes.rank(to)

    def _give_up_unacknowledged(self, fragment: OutgoingFragment, now: float) -> None:
        message = fragment.message
        tries = fragment.retransmissions + 1
        error = f"a packet was not acknowledged by the recipient's gateway in {tries} tries"
        self.give_up(message, DeliveryAbandoned(error))
        if message.kind is PacketKind.SURB_REQUEST and isinstance(message.to, SenderTag):
            self._apply(self.replies.request_failed(message.to, message.surbs, now), now)

    def _retransmit(self, fragment: OutgoingFragment, now: float) -> None:
        fragment.retransmissions += 1
        self.retransmissions += 1
        message = fragment.message
        if isinstance(message.to, SenderTag):
            self._apply(self.replies.retransmit(message.to, fragment, now), now)
        else:
            self._lanes.push(ControlLane.RETRANSMISSION, message.to, fragment)

    def _displace(self, tag: Hashable, is_crowded: bool) -> None:
        """Make room for what waits for SURBs, for a tag."""
        assert isinstance(tag, SenderTag)
        amount, now = self._displaced_at_once, self._now
        self._apply(self.replies.displace(tag, amount, now, is_crowded=is_crowded), now)

    def _apply(self, actions: ReplyActions, now: float) -> None:
        self._now = now
        for lane, fragment in actions.ready:
            if fragment.is_parked:
                fragment.is_parked = False
                self.lane_room.unpark()
            self._release_tag_room(fragment)
            self._lanes.push(lane, fragment.message.to, fragment)
        for plan in actions.requests:
            self._request(plan)
        for fragment in actions.dropped:
            self._release(fragment)
        for fragment in actions.abandoned:
            self._release(fragment)
            error = DeliveryAbandoned("there are no reply SURBs of the recipient to send it with")
            self.give_up(fragment.message, error)

    def _request(self, plan: SurbRequestPlan) -> None:
        message, fragments = self._compose_request(plan)
        self._messages.add(message)
        for fragment in fragments:
            self._lanes.push(message.lane, message.to, fragment)
        _logger.debug("asking for %d more reply SURBs", plan.amount)

    def _release(self, fragment: OutgoingFragment) -> None:
        if fragment.holds_lane_room:
            fragment.holds_lane_room = False
            self.lane_room.release(fragment.message.lane, parked=fragment.is_parked)
            fragment.is_parked = False
        self._release_tag_room(fragment)

    def _release_tag_room(self, fragment: OutgoingFragment) -> None:
        if fragment.holds_tag_room:
            fragment.holds_tag_room = False
            self.tag_room.release(fragment.message.to)
