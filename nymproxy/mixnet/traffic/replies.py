"""Replies to anonymous senders: which fragment gets which SURB.

Rules of nym-client-core 1.21.6, src/client/replies/reply_controller. Ours differ in that everything
is bounded, and that a reply that cannot be sent fails visibly. When more SURBs are asked for is in
:mod:`~nymproxy.mixnet.traffic.surb_requests`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from nymproxy.address import SenderTag
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.traffic.asked import Overdue
from nymproxy.mixnet.traffic.correspondents import Correspondent, Correspondents
from nymproxy.mixnet.traffic.outgoing import ControlLane, PacketKind
from nymproxy.mixnet.traffic.reply_actions import ReplyActions
from nymproxy.mixnet.traffic.surb_requests import SurbRequests
from nymproxy.mixnet.traffic.surbs import SurbStock, Waking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NymAddress
    from nymproxy.mixnet.messages import ReplySurb
    from nymproxy.mixnet.traffic.outgoing import Lane, OutgoingFragment
    from nymproxy.mixnet.traffic.profile import SurbPolicy

_IDLE_ENTRY_SECONDS: Final = 300.0
_TAG_BYTES: Final = 4096
"""What it takes to remember one sender, without SURBs; measured: 3.5 kB."""
_PART_OF_MEMORY: Final = 8
_FEWEST_TAGS: Final = 32


class ReplyController:
    """The store of received SURBs by sender tag, with the replies that wait for them.

    Every input returns :class:`ReplyActions`. The bounds: ``maximum_tags`` senders, no more than an
    eighth of the memory takes where nothing goes on with them (the one not heard of for longest
    goes), and ``maximum_per_tag`` SURBs each; how much may wait is for the caller to bound before
    :meth:`queue`. SURBs are charged to their sender, who may lose all of them.

    Args:
        policy: the budget.
        rotation_id: the current key rotation.
        memory: where they are charged; by default an account of its own.
    """

    __slots__ = (
        "_correspondents",
        "_memory",
        "_policy",
        "_requests",
        "_rotation_id",
        "_stale_until",
        "overdue",
        "waking",
    )

    TICK_SECONDS: Final = 5.0
    """How often :meth:`tick` wants to be called while anything waits or is held."""

    def __init__(
        self, policy: SurbPolicy, rotation_id: int, memory: MemoryAccount | None = None
    ) -> None:
        self._policy = policy
        self._memory = MemoryAccount() if memory is None else memory
        self._rotation_id = rotation_id
        # Not charged to the senders: anybody can be ten thousand of them, each below all others.
        affordable = max(_FEWEST_TAGS, self._memory.maximum_bytes // _PART_OF_MEMORY // _TAG_BYTES)
        self._correspondents = Correspondents(policy.maximum_tags, affordable)
        self._stale_until: float | None = None
        self.overdue = Overdue(self._correspondents.asked_of)
        self.waking = Waking()
        self._requests = SurbRequests(policy, self.waking)

    def __len__(self) -> int:
        return len(self._correspondents)

    def knows(self, tag: SenderTag) -> bool:
        """Tell whether anything of this sender ever arrived (and it is not forgotten)."""
        return tag in self._correspondents

    def held(self, tag: SenderTag) -> int:
        """Return how many SURBs of a sender are held, the reserve included."""
        correspondent = self._correspondents.get(tag)
        return 0 if correspondent is None else len(correspondent.stock)

    @property
    def in_hand(self) -> int:
        """How many SURBs of all senders are held, the reserves included."""
        return sum(len(each.stock) for _, each in self._correspondents.by_age())

    def usable(self, tag: SenderTag) -> int:
        """Return how many packets could be sent to a sender at once: beyond the reserve."""
        return max(0, self.held(tag) - self._policy.reserve)

    def correspondent(self, tag: SenderTag) -> Correspondent | None:
        """Return what is known of a sender, if it is known."""
        return self._correspondents.get(tag)

    def hold(self, tag: SenderTag) -> None:
        """Take note that a channel goes on with a sender: it is kept, and asked for SURBs when the
        keys rotate. :meth:`let_go` must follow."""
        self._correspondents.hold(tag)

    def let_go(self, tag: SenderTag) -> None:
        """Take note that a channel that held a sender is over."""
        self._correspondents.let_go(tag)

    def receive(
        self, tag: SenderTag, surbs: Sequence[ReplySurb], now: float, *, additional: bool
    ) -> ReplyActions:
        """Store SURBs that arrived, at least one, and use them for what waits.

        Of more than a stock may hold, only the last are looked at.

        Args:
            tag: whose they are.
            surbs: attached to a message, or sent alone.
            now: the clock.
            additional: sent alone, that is, in answer to our request.
        """
        actions = ReplyActions()
        correspondent = self._meet(tag, now, actions)
        if additional:
            correspondent.asked.answered(len(surbs), now)
        correspondent.stock.add(surbs[-self._policy.maximum_per_tag :], now)
        correspondent.fed_at = now
        correspondent.asked.fed()
        self._serve(tag, correspondent, now, actions)
        return actions

    def seen(self, tag: SenderTag, now: float) -> ReplyActions:
        """Take note of a sender whose message brought no SURBs."""
        actions = ReplyActions()
        self._meet(tag, now, actions)
        return actions

    def queue(
        self, tag: SenderTag, lane: Lane, fragments: Sequence[OutgoingFragment], now: float
    ) -> ReplyActions:
        """Take the fragments of a reply, at least one.

        They are abandoned if the sender is not known (any more), or if none of its SURBs are in
        hand and it owes none.
        """
        actions = ReplyActions()
        correspondent = self._correspondents.get(tag)
        if correspondent is None or correspondent.is_hopeless(
            now - self._policy.overtaking_seconds
        ):
            actions.abandoned.extend(fragments)
            return actions
        stock = correspondent.stock
        is_single = len(fragments) == 1 and fragments[0].message.any_surb
        if is_single and len(stock) and not self.waking.holds:
            # It is no sign of more to come, so no more is asked for on its account.
            fragments[0].surb = self.waking.take(stock)
            stock.charge()
            actions.ready.append((lane, fragments[0]))
            return actions
        correspondent.wait(lane, fragments)
        self._serve(tag, correspondent, now, actions)
        return actions

    def retransmit(self, tag: SenderTag, fragment: OutgoingFragment, now: float) -> ReplyActions:
        """Take a fragment that needs another SURB because its ack did not come.

        Args:
            tag: whose SURBs it needs.
            fragment: the fragment.
            now: the clock.
        """
        actions = ReplyActions()
        correspondent = self._correspondents.get(tag)
        if correspondent is None:
            actions.abandoned.append(fragment)
            return actions
        stock = correspondent.stock
        is_request = fragment.message.kind is PacketKind.SURB_REQUEST
        # One less than a new fragment needs.
        may_take = fragment.message.any_surb or len(stock) >= self._policy.reserve
        surb = self.waking.take(stock) if may_take and not self.waking.holds else None
        if surb is not None:
            if not (fragment.message.any_surb or is_request):
                fragment = correspondent.longest_waiting(fragment, actions.dropped)
            fragment.surb = surb
            actions.ready.append((ControlLane.RETRANSMISSION, fragment))
        elif is_request:  # it would wait for itself
            actions.abandoned.append(fragment)
            correspondent.asked.not_coming(fragment.message.surbs)
        else:
            correspondent.retransmissions.append(fragment)
        if not is_request:
            if surb is not None:
                correspondent.rate.spent(1, now)
            self._serve(tag, correspondent, now, actions)
        return actions

    def take_spare(self, tag: SenderTag, now: float) -> ReplySurb | None:
        """Take a SURB for a packet that could be done without, or ``None``.

        As many as the reserve again stay for replies that come meanwhile.
        """
        correspondent = self._correspondents.get(tag)
        if correspondent is None or self.waking.holds:
            return None
        if len(correspondent.stock) <= 2 * self._policy.reserve:
            return None
        correspondent.rate.spent(1, now)
        return self.waking.take(correspondent.stock)

    def ask_again(self, now: float, stalled_seconds: float = 0.0) -> ReplyActions:
        """Take the answers that are overdue for lost, and repeat the requests of those for whom
        something waits: see :attr:`overdue`."""
        actions = ReplyActions()
        stalled_seconds = math.inf if self.waking.holds else stalled_seconds
        for tag in self.overdue.take(now, stalled_seconds):
            correspondent = self._correspondents.get(tag)
            if correspondent is None or len(correspondent.stock) <= self._policy.reserve // 2:
                continue
            correspondent.asked.lost(now, early=True)
            if correspondent.is_waiting:
                self._requests.make(tag, correspondent, correspondent.demand, now, actions)
        return actions

    def request_left(self, to: NymAddress | SenderTag, now: float) -> None:
        """Record that a request was handed to the gateway."""
        asked = self._correspondents.asked_of(to) if isinstance(to, SenderTag) else None
        if asked is not None:
            asked.left(now)

    def request_failed(self, tag: SenderTag, amount: int, now: float) -> ReplyActions:
        """Record that a request was given up, so that its SURBs will not come."""
        actions = ReplyActions()
        correspondent = self._correspondents.get(tag)
        if correspondent is not None:
            correspondent.asked.not_coming(amount)
            self._serve(tag, correspondent, now, actions)
            if correspondent.is_hopeless(now - self._policy.overtaking_seconds):
                correspondent.abandon(actions)
        return actions

    def displace(
        self, wanted_by: SenderTag, amount: int, now: float, *, is_crowded: bool
    ) -> ReplyActions:
        """Abandon what waits for the SURBs of some senders, so that others have room to wait.

        Those without a SURB to go on with lose, first the ones that were asked, and gave none
        lately; then silent ones before new ones. A proven one whose request still waits for its
        turn to leave, or left not long ago, waits for us: it loses where it is crowded, after all
        others. Of each kind it is the ones for which most waits; none for which no more waits than
        for the sender that the room is wanted for.

        Args:
            wanted_by: who is to have the room.
            amount: fragments to abandon, about.
            now: the clock.
            is_crowded: there is no other way.
        """
        actions = ReplyActions()
        policy = self._policy
        for loser in self._correspondents.losers(
            wanted_by, policy.reserve, now, policy.overtaking_seconds, all_of_them=is_crowded
        ):
            if amount <= 0:
                break
            amount -= loser.demand
            loser.abandon(actions)
        return actions

    def discard(self, tag: SenderTag, lane: Lane) -> list[OutgoingFragment]:
        """Drop what waits for a sender's SURBs on a lane; return it.

        Retransmissions are dropped when they are met.
        """
        correspondent = self._correspondents.get(tag)
        return [] if correspondent is None else correspondent.discard(lane)

    def settle(self, now: float) -> ReplyActions:
        """Take note that the topology is known: what was held after a sleep is sent."""
        return self._serve_all(now) if self.waking.settle() else ReplyActions()

    def rotate(self, rotation_id: int, overlap_seconds: float, now: float) -> ReplyActions:
        """Take a change of the key rotation: SURBs turn stale, and as many new ones are asked for
        from those senders with whom something goes on. What waits for those who have lost all
        (several rotations at once) waits a while for what they send by themselves.

        Args:
            rotation_id: the new rotation.
            overlap_seconds: how long nodes keep the keys of the previous one, after which the stale
                SURBs are dropped.
            now: the clock.
        """
        actions = ReplyActions()
        self._rotation_id = rotation_id
        self._stale_until = now + overlap_seconds
        for tag, correspondent in self._correspondents.by_age():
            before = correspondent.stock.fresh
            correspondent.stock.rotate(rotation_id, now - overlap_seconds)
            lost = before - correspondent.stock.fresh
            correspondent.asked.not_coming()
            if before and not len(correspondent.stock):
                correspondent.fed_at = now
            if lost > 0 and self._correspondents.is_live(tag):
                amount = max(lost, self._policy.minimum_request)
                self._requests.make(tag, correspondent, amount, now, actions)
        return actions

    def tick(self, now: float) -> ReplyActions:
        """Repeat requests that stayed unanswered, give up what waits in vain, forget the idle."""
        actions = ReplyActions()
        if self.waking.has_held_enough(now):
            actions = self._serve_all(now)
        if self._stale_until is not None and now >= self._stale_until:
            self._stale_until = None
            for _, correspondent in self._correspondents.by_age():
                correspondent.stock.drop_stale(now)
        if self.waking.holds:
            return actions
        for tag, correspondent in self._correspondents.by_age():
            if correspondent.is_waiting:
                self._requests.repeat_or_give_up(tag, correspondent, now, actions)
            elif (
                not len(correspondent.stock)
                and not correspondent.asked.pending
                and now - correspondent.fed_at > _IDLE_ENTRY_SECONDS
            ):
                correspondent.stock.close()
                self._correspondents.forget(tag)
        return actions

    def close(self) -> None:
        """Charge nothing any more: the client has ended."""
        for _, correspondent in self._correspondents.by_age():
            correspondent.stock.close()

    # Inside.

    def _meet(self, tag: SenderTag, now: float, actions: ReplyActions) -> Correspondent:
        """Return the record of a sender that was just heard of, making one if there is none."""
        correspondent = self._correspondents.heard_of(tag)
        if correspondent is None:
            correspondent = Correspondent(self._open_stock(tag), now)
            forgotten = self._correspondents.add(tag, correspondent)
            if forgotten is not None:
                forgotten.stock.close()
                forgotten.abandon(actions)
        return correspondent

    def _open_stock(self, tag: SenderTag) -> SurbStock:
        share = self._memory.share(tag, lambda: stock.clear())
        stock = SurbStock(self._rotation_id, self._policy.maximum_per_tag, share)
        return stock

    def _serve_all(self, now: float) -> ReplyActions:
        actions = ReplyActions()
        for tag, correspondent in self._correspondents.by_age():
            self._serve(tag, correspondent, now, actions)
        return actions

    def _serve(
        self, tag: SenderTag, correspondent: Correspondent, now: float, actions: ReplyActions
    ) -> None:
        stock = correspondent.stock
        spent = 0
        while len(stock) > self._policy.reserve and not self.waking.holds:
            following = correspondent.next_waiting(actions.dropped)
            if following is None:
                break
            lane, fragment = following
            fragment.surb = self.waking.take(stock)
            actions.ready.append((lane, fragment))
            spent += 1
        if spent:
            correspondent.rate.spent(spent, now)
        self._requests.by_need(tag, correspondent, now, actions)
        stock.charge()
