"""Replies: the reserve, requests by need, repetition, rotation, giving up, and a state machine."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nymproxy.address import SenderTag
from nymproxy.errors import DeliveryAbandoned
from nymproxy.memory_account import MINIMUM_BYTES, MemoryAccount
from nymproxy.mixnet.sphinx import KeyRotation
from nymproxy.mixnet.traffic import (
    ControlLane,
    Lane,
    OutgoingFragment,
    PacketKind,
    ReplyActions,
    ReplyController,
    SurbPolicy,
)
from tests.traffic.helpers import (
    EVEN_ID,
    OTHER_TAG,
    TAG,
    make_fragment,
    make_fragments,
    make_message,
    make_surbs,
)

if TYPE_CHECKING:
    from nymproxy.mixnet.messages import ReplySurb

POLICY = SurbPolicy()


def _controller(policy: SurbPolicy = POLICY) -> ReplyController:
    return ReplyController(policy, EVEN_ID)


def _fed(amount: int, policy: SurbPolicy = POLICY) -> ReplyController:
    controller = _controller(policy)
    controller.receive(TAG, make_surbs(amount), 0.0, additional=False)
    return controller


def _reply(packets: int) -> list[OutgoingFragment]:
    return make_fragments(make_message(packets, kind=PacketKind.REPLY))


def _waiting(controller: ReplyController, tag: SenderTag) -> int:
    correspondent = controller.correspondent(tag)
    return 0 if correspondent is None else correspondent.demand


def _pending(controller: ReplyController, tag: SenderTag) -> int:
    correspondent = controller.correspondent(tag)
    assert correspondent is not None
    return correspondent.asked.pending


def _ready(actions: ReplyActions) -> list[OutgoingFragment]:
    return [fragment for _, fragment in actions.ready]


class TestSending:
    def test_an_unknown_sender_gets_nothing(self) -> None:
        controller = _controller()
        assert not controller.knows(TAG)
        fragments = _reply(2)
        assert controller.queue(TAG, 0, fragments, 0.0).abandoned == fragments

    def test_ten_surbs_are_kept_for_requests(self) -> None:
        controller = _fed(10)
        fragments = _reply(1)
        actions = controller.queue(TAG, 0, fragments, 0.0)
        assert actions.ready == []
        assert [request.amount for request in actions.requests] == [10]
        assert _waiting(controller, TAG) == 1
        assert controller.usable(TAG) == 0

    def test_what_goes_beyond_the_reserve_is_sent_at_once_in_order(self) -> None:
        controller = _fed(14)
        assert controller.usable(TAG) == 4
        fragments = _reply(6)
        actions = controller.queue(TAG, 0, fragments, 0.0)
        assert actions.ready == [(0, fragment) for fragment in fragments[:4]]
        surbs = [fragment.surb for fragment in fragments[:4]]
        assert None not in surbs
        assert len({id(surb) for surb in surbs}) == 4
        assert _waiting(controller, TAG) == 2

    def test_arriving_surbs_release_what_waits(self) -> None:
        controller = _fed(10)
        fragments = _reply(3)
        controller.queue(TAG, 0, fragments, 0.0)  # one SURB goes into the request
        actions = controller.receive(TAG, make_surbs(12), 1.0, additional=True)
        assert _ready(actions) == fragments

    def test_lanes_share_the_surbs_in_turn(self) -> None:
        controller = _fed(10)
        for lane in range(2):
            controller.queue(TAG, lane, _reply(5), 0.0)
        actions = controller.receive(TAG, make_surbs(6), 1.0, additional=True)
        assert {lane for lane, _ in actions.ready[:2]} == {0, 1}

    def test_senders_do_not_share_surbs(self) -> None:
        controller = _fed(50)
        controller.receive(OTHER_TAG, make_surbs(5), 0.0, additional=False)
        assert controller.queue(OTHER_TAG, 0, _reply(1), 0.0).ready == []

    def test_fragments_given_up_meanwhile_cost_no_surb(self) -> None:
        controller = _fed(10)
        fragments = _reply(3)
        controller.queue(TAG, 0, fragments, 0.0)
        fragments[0].message.give_up(DeliveryAbandoned("given up"))
        held = controller.held(TAG)
        assert controller.receive(TAG, make_surbs(20), 1.0, additional=True).ready == []
        assert controller.held(TAG) == held + 20

    def test_discard_drops_one_lane(self) -> None:
        controller = _fed(10)
        first, second = _reply(2), _reply(2)
        controller.queue(TAG, 1, first, 0.0)
        controller.queue(TAG, 2, second, 0.0)
        assert controller.discard(TAG, 1) == first
        assert controller.discard(TAG, 1) == []
        assert controller.discard(OTHER_TAG, 1) == []
        actions = controller.receive(TAG, make_surbs(20), 1.0, additional=True)
        assert _ready(actions) == second


class TestRequests:
    def test_the_amount_follows_the_need(self) -> None:
        controller = _fed(10)
        actions = controller.queue(TAG, 0, _reply(120), 0.0)
        assert [request.amount for request in actions.requests] == [50, 50, 22]
        assert _pending(controller, TAG) == 122

    def test_no_more_is_asked_for_than_the_maximum(self) -> None:
        controller = _fed(10)
        actions = controller.queue(TAG, 0, _reply(1000), 0.0)
        assert sum(request.amount for request in actions.requests) == _pending(controller, TAG)
        in_sight = _pending(controller, TAG) + controller.held(TAG)
        assert POLICY.maximum_held - POLICY.minimum_request < in_sight <= POLICY.maximum_held

    def test_additional_surbs_settle_what_is_pending_and_attached_ones_do_not(self) -> None:
        controller = _fed(10)
        controller.queue(TAG, 0, _reply(40), 0.0)
        pending = _pending(controller, TAG)
        controller.receive(TAG, make_surbs(5), 0.5, additional=False)
        assert _pending(controller, TAG) >= pending
        before = _pending(controller, TAG)
        controller.receive(TAG, make_surbs(20), 0.5, additional=True)
        assert _pending(controller, TAG) <= before

    def test_a_steady_stream_asks_before_it_runs_dry(self) -> None:
        controller = _fed(60)
        now = 0.0
        stalled = requests = 0
        answers: list[tuple[float, int]] = []
        for number in range(1000):  # one packet each 20 ms, answers take 0.4 s
            now += 0.02
            while answers and answers[0][0] <= now:
                _, amount = answers.pop(0)
                actions = controller.receive(TAG, make_surbs(amount), now, additional=True)
                answers += [(now + 0.4, request.amount) for request in actions.requests]
            actions = controller.queue(TAG, 0, _reply(1), now)
            stalled += number > 100 and not actions.ready  # once the rate is known
            requests += len(actions.requests)
            answers += [(now + 0.4, request.amount) for request in actions.requests]
        assert stalled == 0
        assert requests < 60

    def test_an_idle_sender_is_not_asked(self) -> None:
        controller = _fed(3)
        for second in range(100):
            assert controller.tick(second * 5.0).requests == []

    def test_a_failed_request_is_taken_back_and_repeated(self) -> None:
        controller = _fed(10)
        [request] = controller.queue(TAG, 0, _reply(1), 0.0).requests
        actions = controller.request_failed(TAG, request.amount, 20.0)
        assert [again.amount for again in actions.requests] == [10]
        assert controller.request_failed(OTHER_TAG, 10, 20.0).requests == []

    def test_a_silent_sender_is_asked_again_and_then_given_up(self) -> None:
        controller = _fed(10)
        fragments = _reply(2)
        controller.queue(TAG, 0, fragments, 0.0)
        controller.request_left(TAG, 0.0)
        requests = 0
        abandoned: list[OutgoingFragment] = []
        now = 0.0
        while not abandoned:
            now += ReplyController.TICK_SECONDS
            actions = controller.tick(now)
            requests += len(actions.requests)
            if actions.requests:
                controller.request_left(TAG, now)
            abandoned = actions.abandoned
            assert now < POLICY.drop_seconds
        assert abandoned == fragments
        assert requests == POLICY.maximum_rerequests + 1
        assert _waiting(controller, TAG) == 0

    def test_a_request_to_who_is_forgotten_meanwhile_leaves_all_the_same(self) -> None:
        controller = _controller()
        controller.request_left(TAG, 0.0)
        assert not controller.knows(TAG)

    def test_who_waits_for_our_request_to_leave_is_not_silent(self) -> None:
        """In ``default`` it may wait for a minute beside those of others."""
        controller = _fed(10)
        controller.queue(TAG, 0, _reply(2), 0.0)
        for now in range(5, 400, 5):
            actions = controller.tick(now)
            assert (actions.requests, actions.abandoned) == ([], [])
        controller.request_left(TAG, 400.0)
        assert controller.tick(405.0).requests == []
        assert len(controller.tick(411.0).requests) == 1

    def test_whose_surbs_lasted_for_minutes_is_given_the_time_to_answer(self) -> None:
        """It had no reason to give any: what waited for it was given up as soon as it was asked."""
        controller = _fed(12)
        assert len(_ready(controller.queue(TAG, 0, _reply(2), 350.0))) == 2
        controller.queue(TAG, 0, _reply(1), 350.0)
        controller.request_left(TAG, 350.0)
        assert controller.tick(355.0).abandoned == []
        actions = controller.receive(TAG, make_surbs(10), 355.1, additional=True)
        assert len(_ready(actions)) == 1

    @staticmethod
    def asked(packets: int = 2, surbs: int = 10) -> ReplyController:
        """A controller whose request for what waits was acknowledged at 1.0."""
        controller = _fed(surbs)
        controller.queue(TAG, 0, _reply(packets), 0.0)
        controller.overdue.request_arrived(TAG, 1.0)
        return controller

    def test_a_lost_answer_is_asked_for_again_after_a_few_round_trips(self) -> None:
        controller = self.asked()
        due = controller.overdue.next_deadline
        assert controller.ask_again(due - 0.1) == ReplyActions()
        assert due < POLICY.rerequest_seconds / 2
        [request] = controller.ask_again(due).requests
        assert request.amount == _pending(controller, TAG) == POLICY.minimum_request
        assert controller.ask_again(due + 60.0) == ReplyActions()  # not acknowledged yet

    def test_half_of_the_reserve_is_left_for_later_repetitions(self) -> None:
        controller = self.asked(packets=1, surbs=6)
        assert controller.held(TAG) == POLICY.reserve // 2
        assert controller.ask_again(60.0) == ReplyActions()
        assert _pending(controller, TAG) > 0

    def test_what_nothing_waits_for_any_more_is_not_asked_for_again(self) -> None:
        controller = self.asked()
        controller.discard(TAG, 0)
        assert controller.ask_again(60.0) == ReplyActions()
        assert _pending(controller, TAG) == 0  # who waits next asks anew

    def test_a_sender_that_is_forgotten_is_not_asked(self) -> None:
        controller = self.asked()
        controller._correspondents.forget(TAG)
        assert controller.ask_again(60.0) == ReplyActions()

    def test_while_surbs_are_held_after_a_sleep_none_is_asked(self) -> None:
        controller = self.asked()
        controller.waking.slept(60.0, holds=True)
        assert controller.ask_again(60.0) == ReplyActions()
        controller.settle(60.5)
        assert len(controller.ask_again(61.0).requests) == 1

    def test_surbs_that_come_by_the_way_do_not_put_off_the_repetition(self) -> None:
        """The answer may be lost behind its ack, while messages bring two or three each."""
        controller = _fed(10)
        controller.queue(TAG, 0, _reply(500), 0.0)
        controller.request_left(TAG, 0.0)
        for now in (4.0, 8.0, 12.0):
            controller.receive(TAG, make_surbs(3), now, additional=False)
        assert controller.tick(12.0).requests != []

    def test_surbs_reset_the_repetitions(self) -> None:
        controller = _fed(10)
        controller.queue(TAG, 0, _reply(500), 0.0)
        for number in range(1, 40):
            now = number * 12.0
            assert controller.tick(now).abandoned == []
            controller.receive(TAG, make_surbs(3), now, additional=True)


class TestAfterASleep:
    def test_the_last_surbs_to_come_are_used_first_until_the_topology_is_known(self) -> None:
        controller = _fed(12)
        late = make_surbs(2, KeyRotation.ODD)
        controller.receive(TAG, late, 1.0, additional=False)
        controller.waking.slept(1.0, holds=False)
        [first] = _ready(controller.queue(TAG, 0, _reply(1), 1.0))
        assert first.surb is late[1]
        assert controller.settle(1.0) == ReplyActions()
        [second] = _ready(controller.queue(TAG, 0, _reply(1), 1.0))
        assert second.surb is not None
        assert second.surb.rotation is KeyRotation.EVEN

    @staticmethod
    def held(late: list[ReplySurb]) -> tuple[ReplyController, list[OutgoingFragment]]:
        """A controller that has slept for long, with SURBs from before and after, and what waits
        in the order in which it leaves. A request that was in flight is given up."""
        controller = _fed(30)
        controller.hold(TAG)
        controller.waking.slept(100.0, holds=True)
        again, any_surb = make_fragment(), make_fragment(make_message(any_surb=True))
        request = make_fragment(make_message(kind=PacketKind.SURB_REQUEST))
        assert controller.retransmit(TAG, request, 100.0).abandoned == [request]
        controller.waking.slept(100.0, holds=False)  # late again
        waiting = [again, any_surb]
        assert controller.retransmit(TAG, again, 100.0) == ReplyActions()
        assert controller.queue(TAG, 0, [any_surb], 100.0) == ReplyActions()
        assert controller.receive(TAG, late, 100.0, additional=False) == ReplyActions()
        assert controller.take_spare(TAG, 100.0) is None
        assert controller.tick(100.1) == ReplyActions()
        return controller, waiting

    def test_none_is_used_before_it_is_known_which_work(self) -> None:
        late = make_surbs(20, KeyRotation.ODD)
        controller, waiting = self.held(late)
        [request] = controller.rotate(EVEN_ID + 5, 10.0, 100.5).requests
        assert request.surb is late[-1]
        assert _ready(controller.settle(100.5)) == waiting
        assert [each.surb for each in waiting] == late[-2:-4:-1]

    def test_a_directory_that_is_away_holds_nothing_for_long(self) -> None:
        late = make_surbs(20, KeyRotation.ODD)
        controller, waiting = self.held(late)
        assert _ready(controller.tick(105.0)) == waiting
        assert [each.surb for each in waiting] == late[-1:-3:-1]


class TestTheReserve:
    def test_one_packet_that_may_use_it_leaves_at_once(self) -> None:
        controller = _fed(2)
        answer = make_fragment(make_message(kind=PacketKind.REPLY, any_surb=True))
        assert controller.queue(TAG, 0, [answer], 0.0).ready == [(0, answer)]
        assert controller.held(TAG) == 1

    @pytest.mark.parametrize(("packets", "held"), [(2, 5), (1, 0)], ids=["large", "used up"])
    def test_others_wait_as_usual(self, packets: int, held: int) -> None:
        controller = _fed(held) if held else _controller()
        controller.seen(TAG, 0.0)
        message = make_message(packets, kind=PacketKind.REPLY, any_surb=True)
        actions = controller.queue(TAG, 0, make_fragments(message), 0.0)
        assert (actions.ready, actions.abandoned) == ([], [])
        assert _waiting(controller, TAG) == packets


class TestRetransmissions:
    def test_they_go_before_new_fragments(self) -> None:
        controller = _fed(10)
        waiting = _reply(2)
        controller.queue(TAG, 0, waiting, 0.0)
        lost = make_fragment(make_message(kind=PacketKind.REPLY))
        assert controller.retransmit(TAG, lost, 1.0).ready == []
        actions = controller.receive(TAG, make_surbs(20), 2.0, additional=True)
        assert actions.ready[0] == (ControlLane.RETRANSMISSION, lost)
        assert _ready(actions)[1:] == waiting

    def test_a_request_may_use_the_reserve(self) -> None:
        controller = _fed(1)
        request = make_fragment(make_message(kind=PacketKind.SURB_REQUEST))
        actions = controller.retransmit(TAG, request, 1.0)
        assert actions.ready == [(ControlLane.RETRANSMISSION, request)]
        assert controller.retransmit(TAG, request, 1.0).abandoned == [request]

    def test_a_reply_that_may_use_the_reserve_waits_when_that_is_used_up(self) -> None:
        controller = _fed(1)
        lost = make_fragment(make_message(kind=PacketKind.REPLY, any_surb=True))
        assert controller.retransmit(TAG, lost, 1.0).ready == [(ControlLane.RETRANSMISSION, lost)]
        assert controller.retransmit(TAG, lost, 1.0).abandoned == []
        actions = controller.receive(TAG, make_surbs(11), 2.0, additional=False)
        assert actions.ready == [(ControlLane.RETRANSMISSION, lost)]

    def test_an_acknowledged_one_is_dropped(self) -> None:
        controller = _fed(10)
        lost = make_fragment()
        controller.retransmit(TAG, lost, 1.0)
        lost.mark_acknowledged()
        assert controller.receive(TAG, make_surbs(20), 2.0, additional=True).ready == []

    def test_a_later_one_does_not_overtake_those_that_wait(self) -> None:
        controller = _fed(9)
        lost = [_reply(1)[0] for _ in range(4)]
        for fragment in lost[:3]:
            assert controller.retransmit(TAG, fragment, 0.0).ready == []
        held = controller.held(TAG)
        # One more would go out by itself.
        assert not controller.receive(TAG, make_surbs(10 - held), 1.0, additional=False).ready
        lost[0].message.give_up(DeliveryAbandoned("given up"))
        actions = controller.retransmit(TAG, lost[3], 1.0)
        assert _ready(actions) == lost[1:2]
        assert actions.dropped == lost[:1]
        assert _waiting(controller, TAG) == 2

    def test_a_forgotten_sender_gets_none(self) -> None:
        lost = make_fragment()
        assert _controller().retransmit(TAG, lost, 0.0).abandoned == [lost]


class TestHopeless:
    def test_none_in_hand_and_none_on_their_way(self) -> None:
        controller = _controller()
        controller.seen(TAG, 0.0)
        early, late = _reply(1), _reply(1)
        assert controller.queue(TAG, 0, early, 10.0).abandoned == []
        assert controller.queue(TAG, 0, late, 10.1).abandoned == late
        assert controller.tick(10.1).abandoned == early

    def test_when_the_request_for_them_is_given_up(self) -> None:
        controller = _fed(1)
        fragments = _reply(1)
        actions = controller.queue(TAG, 0, fragments, 0.0)
        assert [request.amount for request in actions.requests] == [10]
        assert controller.queue(TAG, 0, _reply(1), 60.0).abandoned == []
        abandoned = controller.request_failed(TAG, 10, 60.0).abandoned
        assert abandoned[:1] == fragments
        assert _waiting(controller, TAG) == 0


class TestDisplacing:
    TAGS = tuple(SenderTag(bytes([number] * 16)) for number in range(1, 5))

    def waiting(self, *counts: tuple[int, float]) -> ReplyController:
        """A controller where so many fragments wait for senders that were fed at these times."""
        controller = _controller()
        for tag, (packets, fed_at) in zip(self.TAGS, counts, strict=False):
            controller.receive(tag, make_surbs(10), fed_at, additional=False)
            controller.queue(tag, 0, _reply(packets), fed_at)
        return controller

    def left(self, controller: ReplyController) -> list[int]:
        return [_waiting(controller, tag) for tag in self.TAGS]

    def test_the_sender_for_which_most_waits_loses(self) -> None:
        controller = self.waiting((3, 0.0), (9, 0.0), (5, 0.0))
        assert len(controller.displace(TAG, 1, 1.0, is_crowded=True).abandoned) == 9
        assert self.left(controller) == [3, 0, 5, 0]

    def test_a_silent_one_before_one_that_still_answers(self) -> None:
        controller = self.waiting((3, 0.0), (9, 50.0), (5, 0.0))
        controller.displace(TAG, 6, 51.0, is_crowded=True)
        assert self.left(controller) == [0, 9, 0, 0]

    def test_none_for_which_no_more_waits_than_for_whom_it_is_wanted(self) -> None:
        controller = self.waiting((3, 0.0), (9, 0.0), (5, 0.0))
        controller.displace(self.TAGS[2], 100, 1.0, is_crowded=True)
        assert self.left(controller) == [3, 0, 5, 0]

    def test_none_that_has_surbs_to_go_on_with(self) -> None:
        controller = self.waiting((3, 0.0))
        stock = controller._correspondents.heard_of(self.TAGS[0])
        assert stock is not None
        stock.stock.add(make_surbs(20), 0.0)
        assert controller.displace(TAG, 100, 1.0, is_crowded=True).abandoned == []

    def proven(self, *counts: tuple[int, float]) -> ReplyController:
        """As :meth:`waiting`; they have reacted to what they were sent."""
        controller = self.waiting(*counts)
        for tag in self.TAGS[: len(counts)]:
            correspondent = controller.correspondent(tag)
            assert correspondent is not None
            standing = correspondent.standing
            for event in (standing.took, standing.reached, standing.heard):
                event()
        return controller

    def test_no_proven_one_that_waits_for_us_unless_there_is_no_other_way(self) -> None:
        """Requests wait for the schedule, too: in ``default`` as long as everything else."""
        controller = self.proven((3, 0.0), (9, 0.0), (5, 0.0))
        assert controller.displace(TAG, 100, 60.0, is_crowded=False).abandoned == []
        controller.request_left(self.TAGS[1], 60.0)
        assert controller.displace(TAG, 100, 70.0, is_crowded=False).abandoned == []
        assert len(controller.displace(TAG, 100, 70.1, is_crowded=False).abandoned) == 9
        assert self.left(controller) == [3, 0, 5, 0]
        assert len(controller.displace(TAG, 100, 70.1, is_crowded=True).abandoned) == 8

    def test_what_it_gives_counts_whatever_was_asked_before(self) -> None:
        controller = self.proven((30, 0.0))
        controller.request_left(self.TAGS[0], 1.0)
        controller.receive(self.TAGS[0], make_surbs(5), 20.0, additional=True)
        assert controller.displace(TAG, 100, 29.0, is_crowded=False).abandoned == []
        assert controller.displace(TAG, 100, 60.0, is_crowded=False).abandoned == []
        controller.request_left(self.TAGS[0], 60.0)
        assert controller.displace(TAG, 100, 71.0, is_crowded=False).abandoned

    def test_one_that_can_be_asked_no_more_is_not_waited_for(self) -> None:
        controller = self.proven((3, 0.0))
        controller.request_failed(self.TAGS[0], 10, 1.0)
        correspondent = controller.correspondent(self.TAGS[0])
        assert correspondent is not None
        correspondent.asked.not_coming()
        assert controller.displace(TAG, 1, 9.0, is_crowded=False).abandoned == []
        assert len(controller.displace(TAG, 1, 11.0, is_crowded=False).abandoned) == 3

    def test_a_silent_one_before_a_new_one_and_that_before_a_proven_one(self) -> None:
        controller = self.proven((9, 0.0))
        for tag, packets in zip(self.TAGS[1:], (3, 5), strict=False):
            controller.receive(tag, make_surbs(10), 0.0, additional=False)
            controller.queue(tag, 0, _reply(packets), 0.0)
        silent = controller.correspondent(self.TAGS[2])
        assert silent is not None
        silent.standing.took()
        found = []
        for _ in range(3):
            controller.displace(TAG, 1, 1.0, is_crowded=True)
            found.append(self.left(controller)[:3])
        assert found == [[9, 3, 0], [9, 0, 0], [0, 0, 0]]


class TestRotation:
    def test_it_asks_for_as_many_new_ones_once(self) -> None:
        controller = _fed(30)
        controller.hold(TAG)
        actions = controller.rotate(EVEN_ID + 1, 3600.0, 10.0)
        assert [request.amount for request in actions.requests] == [30]
        assert controller.held(TAG) == 29

    def test_it_asks_those_only_with_whom_something_goes_on(self) -> None:
        controller = _fed(30)
        controller.receive(OTHER_TAG, make_surbs(10), 0.0, additional=False)
        controller.queue(OTHER_TAG, 0, _reply(1), 0.0)
        for _ in range(2):
            controller.hold(TAG)
        for _ in range(2):
            controller.let_go(TAG)
        actions = controller.rotate(EVEN_ID + 1, 3600.0, 10.0)
        assert [request.tag for request in actions.requests] == [OTHER_TAG]

    def test_stale_ones_work_until_the_overlap_ends(self) -> None:
        controller = _fed(30)
        controller.rotate(EVEN_ID + 1, 3600.0, 10.0)
        assert len(controller.queue(TAG, 0, _reply(5), 20.0).ready) == 5
        controller.tick(3609.0)
        assert controller.held(TAG) > 0
        controller.tick(3611.0)
        assert controller.held(TAG) == 0

    def test_new_ones_are_used_first(self) -> None:
        controller = _fed(30)
        controller.rotate(EVEN_ID + 1, 3600.0, 10.0)
        controller.receive(TAG, make_surbs(5, KeyRotation.ODD), 11.0, additional=True)
        [fragment] = _reply(1)
        controller.queue(TAG, 0, [fragment], 12.0)
        assert fragment.surb is not None
        assert fragment.surb.rotation is KeyRotation.ODD

    def test_what_waits_for_a_sender_that_lost_all_waits_for_what_it_gives_by_itself(self) -> None:
        """Suspended over two rotations: nothing is left to ask with."""
        controller = _fed(30)
        controller.hold(TAG)
        actions = controller.rotate(EVEN_ID + 2, 100.0, 1000.0)
        assert (actions.requests, controller.held(TAG)) == ([], 0)
        waits = controller.queue(TAG, 0, _reply(5), 1001.0)
        assert (waits.ready, waits.abandoned) == ([], [])
        given = controller.receive(TAG, make_surbs(20), 1008.0, additional=True)
        assert len(given.ready) == 5
        again = controller.rotate(EVEN_ID + 4, 100.0, 2000.0)
        assert again.requests == []
        controller.queue(TAG, 0, _reply(5), 2001.0)
        assert len(controller.tick(2011.0).abandoned) == 5


class TestBounds:
    def test_the_sender_not_heard_of_for_longest_is_forgotten(self) -> None:
        controller = _controller(SurbPolicy(maximum_tags=3))
        tags = [SenderTag(bytes([number] * 16)) for number in range(4)]
        for tag in tags:
            controller.receive(tag, make_surbs(1), 1.0, additional=False)
        assert [controller.knows(tag) for tag in tags] == [False, True, True, True]

    def test_but_not_while_something_goes_on_with_it(self) -> None:
        controller = _controller(SurbPolicy(maximum_tags=3))
        tags = [SenderTag(bytes([number] * 16)) for number in range(5)]
        controller.receive(tags[0], make_surbs(10), 0.0, additional=False)
        controller.queue(tags[0], 0, _reply(2), 0.0)
        controller.hold(tags[1])
        for tag in tags[1:]:
            controller.receive(tag, make_surbs(1), 1.0, additional=False)
        assert [controller.knows(tag) for tag in tags] == [True, True, False, False, True]

    def test_when_something_goes_on_with_all_the_oldest_goes_and_what_waits_is_abandoned(
        self,
    ) -> None:
        controller = _controller(SurbPolicy(maximum_tags=2))
        tags = [SenderTag(bytes([number] * 16)) for number in range(3)]
        waiting = [_reply(2), _reply(2)]
        for tag, fragments in zip(tags[:2], waiting, strict=True):
            controller.receive(tag, make_surbs(10), 0.0, additional=False)
            controller.queue(tag, 0, fragments, 0.0)
        actions = controller.receive(tags[2], make_surbs(1), 1.0, additional=False)
        assert not controller.knows(tags[0])
        assert actions.abandoned == waiting[0]
        assert len(controller) == 2

    def test_many_senders_are_remembered_as_far_as_the_memory_goes(self) -> None:
        """Each costs 3.5 kB: 10,000 packets, each under a tag of its own, left 35 MB whatever the
        memory limit was."""
        controller = ReplyController(POLICY, EVEN_ID, MemoryAccount(MINIMUM_BYTES))
        controller.receive(TAG, make_surbs(1), 0.0, additional=False)
        controller.hold(TAG)
        for number in range(500):
            tag = SenderTag(number.to_bytes(16, "big"))
            controller.receive(tag, make_surbs(1), 1.0, additional=False)
        assert len(controller) == 32
        assert controller.knows(TAG)

    def test_but_none_is_forgotten_for_that_with_which_something_goes_on(self) -> None:
        controller = ReplyController(POLICY, EVEN_ID, MemoryAccount(MINIMUM_BYTES))
        tags = [SenderTag(number.to_bytes(16, "big")) for number in range(100)]
        for tag in tags:
            controller.receive(tag, make_surbs(1), 0.0, additional=False)
            controller.hold(tag)
        assert all(controller.knows(tag) for tag in tags)
        controller.let_go(tags[50])
        for number in range(100, 110):
            tag = SenderTag(number.to_bytes(16, "big"))
            controller.receive(tag, make_surbs(1), 1.0, additional=False)
            controller.hold(tag)
        assert [number for number in range(100) if not controller.knows(tags[number])] == [50]

    def test_one_sender_cannot_fill_the_memory(self) -> None:
        controller = _controller(SurbPolicy(maximum_per_tag=50))
        for _ in range(10):
            controller.receive(TAG, make_surbs(20), 0.0, additional=False)
        assert controller.held(TAG) == 50

    def test_an_empty_entry_is_forgotten_after_a_while(self) -> None:
        controller = _controller()
        controller.receive(TAG, [], 0.0, additional=False)
        assert controller.knows(TAG)
        controller.tick(299.0)
        assert controller.knows(TAG)
        controller.tick(301.0)
        assert not controller.knows(TAG)


class ReplyMachine(RuleBasedStateMachine):
    """The controller against a count of every SURB and every fragment."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = SurbPolicy(maximum_tags=8, maximum_per_tag=60)
        self.controller = ReplyController(self.policy, EVEN_ID)
        self.rotation_id = EVEN_ID
        self.now = 0.0
        self.held: dict[SenderTag, int] = defaultdict(int)
        self.waiting: dict[tuple[SenderTag, Lane], list[OutgoingFragment]] = defaultdict(list)
        self.resend: dict[SenderTag, list[OutgoingFragment]] = defaultdict(list)
        self.used: set[bytes] = set()

    def _use(self, tag: SenderTag, key: bytes) -> None:
        assert key not in self.used
        self.used.add(key)
        self.held[tag] -= 1
        assert self.held[tag] >= 0

    def _apply(self, tag: SenderTag, actions: ReplyActions) -> None:
        for lane, fragment in actions.ready:
            assert not fragment.is_done
            assert fragment.surb is not None
            self._use(tag, fragment.surb.encryption_key)
            if lane is ControlLane.RETRANSMISSION:
                queue = self.resend[tag]
            else:
                queue = self.waiting[tag, lane]
            assert fragment is queue.pop(0)
        for request in actions.requests:
            assert request.tag == tag
            assert 10 <= request.amount <= 50
            self._use(tag, request.surb.encryption_key)
        for fragment in actions.abandoned:
            for queue in (*self.waiting.values(), *self.resend.values()):
                if fragment in queue:
                    queue.remove(fragment)
                    break
            else:
                raise AssertionError("abandoned a fragment that did not wait")

    tags = st.sampled_from([TAG, OTHER_TAG])

    @rule(tag=tags, amount=st.integers(0, 40), additional=st.booleans())
    def receive(self, tag: SenderTag, amount: int, additional: bool) -> None:
        surbs = make_surbs(amount, KeyRotation.from_rotation_id(self.rotation_id))
        self.held[tag] = min(self.policy.maximum_per_tag, self.held[tag] + amount)
        self._apply(tag, self.controller.receive(tag, surbs, self.now, additional=additional))

    @rule(tag=tags, lane=st.integers(0, 2), packets=st.integers(1, 30))
    def queue(self, tag: SenderTag, lane: int, packets: int) -> None:
        if not self.controller.knows(tag):
            return
        fragments = _reply(packets)
        self.waiting[tag, lane] += fragments
        self._apply(tag, self.controller.queue(tag, lane, fragments, self.now))

    @rule(tag=tags)
    def retransmit(self, tag: SenderTag) -> None:
        if not self.controller.knows(tag):
            return
        [fragment] = _reply(1)
        self.resend[tag].append(fragment)
        self._apply(tag, self.controller.retransmit(tag, fragment, self.now))

    @rule(tag=tags, lane=st.integers(0, 2))
    def discard(self, tag: SenderTag, lane: int) -> None:
        assert self.controller.discard(tag, lane) == self.waiting.pop((tag, lane), [])

    @rule(seconds=st.floats(0, 30))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        actions = self.controller.tick(self.now)
        for tag in (TAG, OTHER_TAG):
            own = ReplyActions(requests=[plan for plan in actions.requests if plan.tag == tag])
            self._apply(tag, own)
        self._apply(TAG, ReplyActions(abandoned=actions.abandoned))
        for tag in (TAG, OTHER_TAG):
            self.held[tag] = self.controller.held(tag)  # stale ones may have been dropped

    @rule(data=st.data())
    def rotate(self, data: st.DataObject) -> None:
        before = {tag: self.controller.held(tag) for tag in (TAG, OTHER_TAG)}
        self.rotation_id += data.draw(st.sampled_from([1, 1, 1, 2, 5]))
        overlap = data.draw(st.floats(0, 100))
        actions = self.controller.rotate(self.rotation_id, overlap, self.now)
        for tag in (TAG, OTHER_TAG):
            own = [plan for plan in actions.requests if plan.tag == tag]
            assert len(own) <= 1  # one request each, no repetition
            assert self.controller.held(tag) + len(own) <= before[tag]
            for plan in own:
                assert plan.surb.encryption_key not in self.used
                self.used.add(plan.surb.encryption_key)
            self.held[tag] = self.controller.held(tag)

    @invariant()
    def every_surb_is_accounted_for(self) -> None:
        for tag in (TAG, OTHER_TAG):
            assert self.controller.held(tag) == self.held[tag]

    @invariant()
    def nothing_waits_beside_usable_surbs(self) -> None:
        for tag in (TAG, OTHER_TAG):
            waiting = sum(len(queue) for (t, _), queue in self.waiting.items() if t == tag)
            waiting += len(self.resend[tag])
            assert _waiting(self.controller, tag) == waiting
            if waiting:
                assert self.controller.usable(tag) == 0


TestReplyMachine = ReplyMachine.TestCase


def test_a_sender_without_surbs_is_known_and_answered_only_when_it_sends_some() -> None:
    controller = _controller()
    assert _ready(controller.seen(TAG, 0.0)) == []
    assert _ready(controller.receive(TAG, make_surbs(20), 1.0, additional=False)) == []
