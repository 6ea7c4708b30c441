"""The sending side as a whole: acks at any time, room given back, giving up, SURB requests."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import DeliveryAbandoned
from nymproxy.mixnet.machine.composer import Composer
from nymproxy.mixnet.messages import FragmentId, ReplyKeyStore
from nymproxy.mixnet.records import DeliveryRecord
from nymproxy.mixnet.traffic import (
    BARE,
    DEFAULT,
    Lane,
    Outbox,
    OutgoingFragment,
    OutgoingMessage,
    PacketKind,
    TrafficProfile,
    WindowLimits,
)
from tests.traffic.helpers import ADDRESS, EVEN_ID, TAG, make_fragments, make_surbs, seeded


class Bench:
    """An outbox, and short ways to use it."""

    def __init__(self, profile: TrafficProfile = BARE) -> None:
        maker: Any = None  # only SURBs of our own need one
        composer = Composer(ADDRESS, maker, ReplyKeyStore(), profile, seeded())
        self.outbox = Outbox(profile, EVEN_ID, composer.surb_request)

    def submit(
        self,
        packets: int,
        *,
        lane: Lane = 0,
        is_reply: bool = False,
        to: NymAddress | SenderTag | None = None,
    ) -> OutgoingMessage:
        to = to or (TAG if is_reply else ADDRESS)
        is_reply = isinstance(to, SenderTag)
        kind = PacketKind.REPLY if is_reply else PacketKind.DATA
        message = OutgoingMessage(DeliveryRecord(packets), kind, to, lane, 2)
        assert self.outbox.lane_room.reserve(lane, packets, lambda: None).granted
        if is_reply:
            assert self.outbox.tag_room.reserve(to, packets, lambda: None).granted
        self.outbox.submit(message, make_fragments(message), 0.0)
        return message

    def take(self) -> OutgoingFragment:
        fragment = self.outbox.next_fragment()
        assert fragment is not None
        return fragment

    def ack(self, fragment: OutgoingFragment, now: float = 0.1) -> None:
        self.outbox.acknowledged(FragmentId(fragment.fragment_id), now)


class TestSleep:
    @pytest.mark.parametrize("wakes_by", ["a sleep", "a restored link"])
    def test_acks_that_waited_for_us_prove_no_delay(self, wakes_by: str) -> None:
        """Suspended for 70 s: else later losses would not be noticed for 20 s each."""
        bench = Bench()
        bench.submit(4)
        slept, measured, later, last = (bench.take() for _ in range(4))
        bench.outbox.left(measured, 0.0)
        bench.ack(measured, 0.1)
        before = bench.outbox._pending.excess.own.seconds
        bench.outbox.left(slept, 0.2)
        if wakes_by == "a sleep":
            bench.outbox.slept(70.0, holds=False)
        else:
            bench.outbox.link_restored(70.0)
        bench.ack(slept, 70.0)
        assert bench.outbox._pending.excess.own.seconds == before
        bench.outbox.left(later, 71.0)
        bench.outbox.left(last, 71.0)
        bench.ack(later, 71.2)
        assert bench.outbox._pending.excess.own.seconds != before


class TestDelivery:
    def test_sent_then_acknowledged(self) -> None:
        bench = Bench()
        delivery = bench.submit(2).delivery
        fragments = [bench.take(), bench.take()]
        assert bench.outbox.next_fragment() is None
        states = []
        delivery.subscribe(lambda d: states.append((d.is_sent, d.is_acknowledged)))
        for fragment in fragments:
            bench.outbox.left(fragment, 0.0)
        for fragment in fragments:
            bench.ack(fragment)
        assert states == [(True, False), (True, True)]

    def test_an_ack_that_comes_before_the_write_returns(self) -> None:
        bench = Bench()
        delivery = bench.submit(1).delivery
        fragment = bench.take()
        bench.ack(fragment)
        bench.outbox.left(fragment, 0.2)
        assert delivery.is_acknowledged
        assert bench.outbox.next_timer() == math.inf
        assert bench.outbox.sendable() == 0

    def test_a_second_ack_is_only_counted(self) -> None:
        bench = Bench()
        bench.submit(1)
        fragment = bench.take()
        bench.outbox.left(fragment, 0.0)
        bench.ack(fragment)
        bench.ack(fragment)
        assert bench.outbox.unknown_acks == 1

    def test_retransmissions_up_to_the_limit_and_then_failure(self) -> None:
        bench = Bench()
        delivery = bench.submit(1).delivery
        now = 0.0
        for _ in range(3):  # once and two retransmissions
            bench.outbox.left(bench.take(), now)
            now += 100.0
            bench.outbox.expire(now)
        assert bench.outbox.next_fragment() is None
        assert isinstance(delivery.error, DeliveryAbandoned)
        assert bench.outbox.retransmissions == 2
        assert bench.outbox.given_up == {"delivery-abandoned": 1}

    def test_an_ack_spares_the_queued_retransmission(self) -> None:
        bench = Bench()
        delivery = bench.submit(1).delivery
        fragment = bench.take()
        bench.outbox.left(fragment, 0.0)
        bench.outbox.expire(10.0)
        bench.ack(fragment, 10.1)
        assert delivery.is_acknowledged
        assert bench.outbox.next_fragment() is None

    def test_what_was_given_up_on_its_way_is_not_sent_again(self) -> None:
        bench = Bench()
        message = bench.submit(1)
        bench.outbox.left(bench.take(), 0.0)
        bench.outbox.give_up(message, DeliveryAbandoned("test"))
        bench.outbox.expire(10.0)
        assert bench.outbox.next_fragment() is None
        assert bench.outbox.unacknowledged_count == 0
        assert bench.outbox.retransmissions == 0

    def test_a_packet_that_cannot_be_built_is_tried_again(self) -> None:
        bench = Bench()
        delivery = bench.submit(1).delivery
        fragment = bench.take()
        bench.outbox.start_timer(fragment, 0.0)
        assert not delivery.is_sent
        bench.outbox.expire(10.0)
        bench.outbox.left(bench.take(), 10.0)
        assert delivery.is_sent

    def test_everything_fails_at_the_end(self) -> None:
        bench = Bench()
        deliveries = [bench.submit(3, lane=lane).delivery for lane in range(3)]
        bench.outbox.left(bench.take(), 0.0)
        bench.outbox.give_up_all(DeliveryAbandoned("closed"))
        assert all(isinstance(delivery.error, DeliveryAbandoned) for delivery in deliveries)
        assert bench.outbox.next_fragment() is None


class TestWindow:
    def test_it_bounds_what_is_in_flight_and_opens_with_acks_and_losses(self) -> None:
        window = WindowLimits(initial=2, minimum=1, maximum=2)
        bench = Bench(replace(BARE, window=window))
        bench.submit(5)
        first, second = bench.take(), bench.take()
        bench.outbox.left(first, 0.0)
        bench.outbox.left(second, 0.0)
        assert bench.outbox.sendable() == 0
        bench.ack(first)
        assert bench.outbox.sendable() == 1
        bench.outbox.expire(50.0)
        assert bench.outbox.sendable() == 1  # shrunk to one, the retransmission among what waits

    def test_a_schedule_has_none(self) -> None:
        bench = Bench(DEFAULT)
        bench.submit(100)
        for _ in range(50):
            bench.outbox.left(bench.take(), 0.0)
        assert bench.outbox.sendable() == 50


class TestReplies:
    def test_a_request_leaves_with_our_address_and_a_surb(self) -> None:
        bench = Bench()
        bench.outbox.surbs_received(TAG, make_surbs(10), 0.0, additional=False)
        bench.submit(1, is_reply=True)
        request = bench.take()
        assert request.message.kind is PacketKind.SURB_REQUEST
        assert request.surb is not None
        assert ADDRESS.to_bytes() in request.data
        assert bench.outbox.next_fragment() is None

    def test_a_lost_reply_takes_another_surb(self) -> None:
        bench = Bench()
        bench.outbox.surbs_received(TAG, make_surbs(15), 0.0, additional=False)
        bench.submit(1, is_reply=True)
        fragment = bench.take()
        first = fragment.surb
        bench.outbox.left(fragment, 0.0)
        bench.outbox.expire(10.0)
        again = bench.take()
        assert again is fragment
        assert again.surb not in (None, first)

    def test_a_request_whose_answer_is_lost_is_made_again(self) -> None:
        bench = Bench()
        bench.outbox.surbs_received(TAG, make_surbs(10), 0.0, additional=False)
        bench.submit(1, is_reply=True)
        request = bench.take()
        bench.outbox.left(request, 0.0)
        bench.ack(request)
        due = bench.outbox.next_timer()
        bench.outbox.expire(due)
        again = bench.take()
        assert again.message.kind is PacketKind.SURB_REQUEST
        assert again is not request
        assert again.surb is not None

    def test_a_request_that_is_given_up_is_made_again(self) -> None:
        bench = Bench()
        bench.outbox.surbs_received(TAG, make_surbs(10), 0.0, additional=False)
        bench.submit(1, is_reply=True)
        bench.outbox.surbs_received(TAG, make_surbs(1), 0.0, additional=False)
        request = bench.take()
        request.retransmissions = 10
        bench.outbox.left(request, 0.0)
        bench.outbox.expire(100.0)
        assert bench.take().message.kind is PacketKind.SURB_REQUEST


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["data", "reply", "surbs", "send", "ack", "expire", "discard", "fail"]),
            st.integers(0, 3),
        ),
        max_size=60,
    )
)
def test_room_is_given_back_exactly_once(steps: list[tuple[str, int]]) -> None:
    bench = Bench(replace(BARE, lane_packets=10_000, total_packets=100_000))
    outbox = bench.outbox
    outbox.surbs_received(TAG, make_surbs(12), 0.0, additional=False)
    flying: list[OutgoingFragment] = []
    messages: list[OutgoingMessage] = []
    now = 0.0
    for action, number in steps:
        now += 0.3
        if action == "data":
            messages.append(bench.submit(number + 1, lane=number))
        elif action == "reply" and outbox.replies.knows(TAG):
            messages.append(bench.submit(number + 1, lane=number, is_reply=True))
        elif action == "surbs":
            outbox.surbs_received(TAG, make_surbs(number * 5 + 1), now, additional=True)
        elif action == "send" and outbox.sendable() and (fragment := outbox.next_fragment()):
            outbox.left(fragment, now)
            flying.append(fragment)
        elif action == "ack" and flying:
            outbox.acknowledged(FragmentId(flying.pop().fragment_id), now)
        elif action == "expire":
            now += 5.0
            outbox.expire(now)
        elif action == "discard":
            outbox.discard_lane(number)
        elif action == "fail" and messages:
            outbox.give_up(messages.pop(), DeliveryAbandoned("test"))
    outbox.give_up_all(DeliveryAbandoned("end"))
    while outbox.next_fragment() is not None:
        pass
    outbox.surbs_received(TAG, make_surbs(200), now, additional=True)  # meets all that waits
    assert outbox.lane_room.total == 0
    assert outbox.tag_room.total == 0
    outbox.expire(now + 1000)
    assert all(message.delivery.is_settled for message in messages)


class TestStanding:
    """Who answers goes before strangers, whatever they have waiting."""

    STRANGERS = tuple(SenderTag(bytes(14) + bytes([1, number])) for number in range(20))

    def _served(self, bench: Bench, packets: int) -> list[SenderTag | NymAddress]:
        return [bench.take().message.to for _ in range(packets)]

    def _waiting(self, *, is_proven: bool) -> Bench:
        """Return an outbox with answers for 20 strangers, and for one who may have reacted to
        one, and since been sent 3 packets."""
        bench = Bench()
        everybody = (TAG, *self.STRANGERS)
        for tag in everybody:
            bench.outbox.surbs_received(tag, make_surbs(50), 0.0, additional=False)
        bench.submit(4, is_reply=True)
        first = bench.take()
        bench.outbox.left(first, 0.0)
        bench.ack(first)
        if is_proven:
            bench.outbox.sender_seen(TAG, 0.2)
        for tag in self.STRANGERS:
            bench.submit(4, to=tag)
        return bench

    def test_an_answer_to_who_has_reacted_does_not_wait_for_a_round_of_strangers(self) -> None:
        assert self._served(self._waiting(is_proven=True), 6).count(TAG) == 3
        assert self._served(self._waiting(is_proven=False), 6).count(TAG) == 0

    def test_a_word_takes_what_waits_out_of_the_crowd(self) -> None:
        bench = self._waiting(is_proven=False)
        bench.outbox.surbs_received(TAG, make_surbs(1), 0.2, additional=True)
        assert self._served(bench, 6).count(TAG) == 3

    def test_who_is_forgotten_while_something_waits_is_silent(self) -> None:
        bench = self._waiting(is_proven=True)
        bench.outbox.replies._correspondents.forget(TAG)
        bench.outbox._lanes.rank(TAG)
        assert self._served(bench, 6).count(TAG) == 0

    def test_an_address_was_chosen_by_us(self) -> None:
        bench = self._waiting(is_proven=False)
        bench.submit(3)
        assert self._served(bench, 6).count(ADDRESS) == 3


class TestAfterAPause:
    def waiting(self) -> tuple[Bench, OutgoingFragment, OutgoingFragment]:
        """Two packets in flight after an ack at 1 s, one of them with a timer that backed off."""
        bench = Bench()
        bench.submit(3)
        first, patient, other = bench.take(), bench.take(), bench.take()
        patient.retransmissions = 8
        bench.outbox.left(first, 0.9)
        bench.ack(first, 1.0)
        bench.outbox.left(patient, 1.0)
        bench.outbox.left(other, 1.0)
        return bench, patient, other

    def test_the_first_ack_sends_again_what_waits(self) -> None:
        bench, patient, other = self.waiting()
        assert patient.deadline > 30
        bench.ack(other, 3.1)
        assert 3.1 < patient.deadline < 8

    def test_acks_that_come_all_the_time_do_not(self) -> None:
        bench, patient, other = self.waiting()
        deadline = patient.deadline
        bench.ack(other, 2.9)
        assert patient.deadline == deadline > 30


def test_what_was_lost_is_copied_again_when_it_leaves_again() -> None:
    bench = Bench(DEFAULT)
    bench.submit(1)
    outbox, now = bench.outbox, 0.0
    fragment = bench.take()
    for _ in range(2):
        outbox.left(fragment, now)
        assert outbox.next_copy(now) is fragment
        outbox.copy_left(fragment, now)
        assert outbox.next_copy(now) is None
        now = outbox.next_timer()
        outbox.expire(now)
        assert bench.take() is fragment


def test_a_fragment_that_waits_twice_to_be_copied_is_copied_once() -> None:
    bench = Bench(DEFAULT)
    bench.submit(1)
    fragment = bench.take()
    bench.outbox.left(fragment, 0.0)
    now = bench.outbox.next_timer()
    bench.outbox.expire(now)
    bench.outbox.left(bench.take(), now)
    assert bench.outbox.next_copy(now) is fragment
    bench.outbox.copy_left(fragment, now)
    assert bench.outbox.next_copy(now) is None


def test_the_patience_for_an_ack_is_measured() -> None:
    bench = Bench()
    bench.submit(1)
    last = bench.take()
    assert bench.outbox.ack_patience_seconds(last) == 3.0
    for number in range(10):
        bench.submit(1)
        fragment = bench.take()
        bench.outbox.left(fragment, float(number))
        bench.ack(fragment, number + 0.5)
    assert 1.0 < bench.outbox.ack_patience_seconds(last) < 3.0
