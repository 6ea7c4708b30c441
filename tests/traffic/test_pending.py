"""Ack timers: how long they run, what an ack proves, what a stall excuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.traffic import DEFAULT, OutgoingFragment, PendingAcks
from tests.traffic.helpers import ADDRESS, OTHER_TAG, TAG, make_fragment, make_message

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag


def _sent(
    pending: PendingAcks,
    now: float,
    expected_seconds: float = 0.1,
    retransmissions: int = 0,
    to: NymAddress | SenderTag = ADDRESS,
) -> OutgoingFragment:
    fragment = make_fragment(make_message(to=to))
    fragment.expected_seconds = expected_seconds
    fragment.retransmissions = retransmissions
    pending.track(fragment)
    pending.start(fragment, now)
    return fragment


def _measured(pending: PendingAcks, excess_seconds: float, count: int = 10) -> None:
    """Let packets be acknowledged so long after their own delays."""
    for number in range(count):
        fragment = _sent(pending, float(number))
        pending.acknowledge(fragment.fragment_id, number + 0.1 + excess_seconds)


def test_until_the_excess_is_measured_the_timer_is_that_of_rust() -> None:
    pending = PendingAcks(DEFAULT)
    fragment = _sent(pending, 10.0)
    assert pending.next_deadline() == pytest.approx(11.65)
    assert pending.expire(11.64) == []
    assert pending.expire(11.66) == [fragment]
    assert not fragment.in_flight
    assert pending.next_deadline() is None


def test_then_it_is_the_own_delays_and_the_excess_with_its_deviations() -> None:
    pending = PendingAcks(DEFAULT)
    _measured(pending, 0.3)
    fragment = _sent(pending, 100.0, 0.2)
    excess = pending.excess.own.seconds
    assert 0.3 < excess < 0.9  # the first sample's deviation is half of it, and it falls slowly
    assert fragment.deadline == pytest.approx(100.2 + excess)


def test_nine_samples_are_too_few() -> None:
    pending = PendingAcks(DEFAULT)
    _measured(pending, 0.3, 9)
    fragment = _sent(pending, 100.0, 0.2)
    assert fragment.deadline == pytest.approx(101.8 + pending.excess.own.seconds)


def test_no_timer_is_shorter_than_the_minimum() -> None:
    pending = PendingAcks(DEFAULT)
    _measured(pending, 0.0)
    assert _sent(pending, 100.0, 0.1).deadline == pytest.approx(100.25)
    assert _sent(pending, 100.0, 0.4).deadline == pytest.approx(100.4)


def test_an_ack_ends_the_wait() -> None:
    pending = PendingAcks(DEFAULT)
    fragment = _sent(pending, 10.0)
    assert pending.acknowledge(fragment.fragment_id, 10.1) is fragment
    assert pending.acknowledge(fragment.fragment_id, 10.1) is None
    assert pending.next_deadline() is None
    assert pending.expire(99.0) == []
    assert len(pending) == 0


def test_a_late_ack_still_counts_while_the_retransmission_waits() -> None:
    pending = PendingAcks(DEFAULT)
    fragment = _sent(pending, 0.0)
    assert pending.expire(2.0) == [fragment]
    assert pending.acknowledge(fragment.fragment_id, 2.1) is fragment


def test_an_ack_before_the_timer_started_counts() -> None:
    pending = PendingAcks(DEFAULT)
    fragment = make_fragment()
    pending.track(fragment)
    assert pending.acknowledge(fragment.fragment_id, 1.0) is fragment
    assert pending.excess.own.seconds == 0.0


def test_each_retransmission_waits_longer_up_to_the_limit() -> None:
    pending = PendingAcks(replace(DEFAULT, retransmission_backoff=2.0, maximum_ack_wait_seconds=10))
    waits = []
    for number in range(5):
        _sent(pending, 0.0, 0.0, retransmissions=number)
        waits.append(pending.next_deadline())
        pending.expire(1000.0)
    assert waits == [1.5, 3.0, 6.0, 10.0, 10.0]


def test_a_restarted_timer_replaces_the_old_one() -> None:
    pending = PendingAcks(DEFAULT)
    fragment = _sent(pending, 0.0, 0.0)
    pending.start(fragment, 1.0)
    assert pending.expire(2.0) == []
    assert pending.expire(2.6) == [fragment]


def test_a_forgotten_fragment_neither_fires_nor_counts() -> None:
    pending = PendingAcks(DEFAULT)
    fragment = _sent(pending, 0.0)
    pending.forget(fragment)
    pending.forget(fragment)
    assert pending.expire(99.0) == []
    assert pending.acknowledge(fragment.fragment_id, 1.0) is None


class TestMeasuredExcess:
    def test_an_overloaded_network_lengthens_the_timers(self) -> None:
        pending = PendingAcks(DEFAULT)
        for number in range(100):
            fragment = _sent(pending, float(number))
            pending.acknowledge(fragment.fragment_id, number + 1.5)  # 1.4 s beyond the delays
        _sent(pending, 200.0)
        deadline = pending.next_deadline()
        assert deadline is not None
        assert deadline > 200 + 0.1 + 1.4

    def test_a_sudden_overload_is_learned_from_acks_that_beat_the_retransmission(self) -> None:
        pending = PendingAcks(DEFAULT)
        for number in range(100):
            pending.acknowledge(_sent(pending, float(number)).fragment_id, number + 0.1)
        late = [_sent(pending, 200.0) for _ in range(20)]
        assert pending.expire(202.0) == late
        for fragment in late:  # queued for retransmission, not sent again yet
            fragment.retransmissions += 1
            pending.acknowledge(fragment.fragment_id, 203.0)
        assert pending.excess.own.seconds > 2.0

    def test_an_ambiguous_ack_only_raises(self) -> None:
        pending = PendingAcks(DEFAULT)
        for number in range(50):
            pending.acknowledge(_sent(pending, float(number), 0.0).fragment_id, number + 1.0)
        before = pending.excess.own.seconds
        resent = _sent(pending, 100.0, 0.0, retransmissions=1)
        pending.acknowledge(resent.fragment_id, 100.001)
        assert pending.excess.own.seconds == before
        resent = _sent(pending, 100.0, 0.0, retransmissions=1)
        pending.acknowledge(resent.fragment_id, 104.0)
        assert pending.excess.own.seconds > before


class TestStalls:
    def test_timers_that_fired_during_a_stall_get_more_time_once(self) -> None:
        pending = PendingAcks(DEFAULT)
        fragment = _sent(pending, 0.0, 0.0)  # due at 1.5
        assert pending.expire(3.0, stalled_seconds=2.0) == []
        assert pending.next_deadline() == pytest.approx(4.0)
        assert pending.expire(4.1) == [fragment]

    def test_timers_that_fired_before_the_stall_are_due(self) -> None:
        pending = PendingAcks(DEFAULT)
        fragment = _sent(pending, 0.0, 0.0)
        assert pending.expire(3.0, stalled_seconds=1.0) == [fragment]


@given(
    st.lists(
        st.tuples(st.sampled_from(["send", "ack", "wait", "forget"]), st.floats(0, 3)), max_size=80
    )
)
def test_every_fragment_is_acked_forgotten_or_expires_exactly_once(
    steps: list[tuple[str, float]],
) -> None:
    pending = PendingAcks(DEFAULT)
    live: list[OutgoingFragment] = []
    now = 0.0
    for action, amount in steps:
        if action == "wait":
            now += amount
            expired = pending.expire(now)
            assert all(fragment in live and fragment.deadline <= now for fragment in expired)
            live = [fragment for fragment in live if fragment not in expired]
            for fragment in expired:
                pending.forget(fragment)
        elif action == "send":
            live.append(_sent(pending, now, amount))
        elif live and action == "ack":
            fragment = live.pop(int(amount) % len(live))
            assert pending.acknowledge(fragment.fragment_id, now) is fragment
        elif live:
            pending.forget(live.pop())
        assert len(pending) == len(live)
        deadlines = [fragment.deadline for fragment in live]
        assert pending.next_deadline() == (min(deadlines) if deadlines else None)


class TestAcksThatWereDueLater:
    """A packet is late for no common reason when one is acknowledged that was due after it."""

    def late_by(self, seconds: float, samples: int = 10) -> tuple[PendingAcks, OutgoingFragment]:
        """One packet on its way, and another one that was due so much later acknowledged."""
        pending = PendingAcks(DEFAULT)
        _measured(pending, 0.0, samples)
        first, later = _sent(pending, 100.0), _sent(pending, 100.0 + seconds)
        pending.acknowledge(later.fragment_id, 100.1 + seconds)
        return pending, first

    def test_its_timer_ends_with_the_measured_excess(self) -> None:
        pending, first = self.late_by(0.05)
        assert first.deadline == pytest.approx(100.15)  # without the minimum of 0.25 s
        assert pending.expire(100.15) == [first]

    def test_what_was_due_almost_at_the_same_time_may_change_places(self) -> None:
        _, first = self.late_by(0.01)
        assert first.deadline == pytest.approx(100.25)

    def test_before_the_excess_is_measured_it_means_nothing(self) -> None:
        _, first = self.late_by(0.05, samples=8)
        assert first.deadline > 101.0

    def test_what_has_left_again_is_judged_by_when_it_left_last(self) -> None:
        pending = PendingAcks(DEFAULT)
        _measured(pending, 0.0)
        first = _sent(pending, 100.0)
        assert pending.expire(100.3) == [first]
        first.retransmissions = 1
        pending.track(first)
        pending.start(first, 100.3)
        deadline = first.deadline
        later = _sent(pending, 100.2)
        pending.acknowledge(later.fragment_id, 100.35)
        assert first.deadline == deadline

    def test_what_was_passed_over_unmeasured_is_looked_at_once_it_is_not(self) -> None:
        pending = PendingAcks(DEFAULT)
        _measured(pending, 0.0, 8)
        first, ninth, tenth = (_sent(pending, at) for at in (100.0, 100.1, 100.2))
        pending.acknowledge(ninth.fragment_id, 100.2)
        assert first.deadline > 101.0
        pending.acknowledge(tenth.fragment_id, 100.3)
        assert pending.expire(100.3) == [first]

    def test_a_timer_that_ends_sooner_stays_as_it_is(self) -> None:
        pending = PendingAcks(DEFAULT)
        _measured(pending, 0.0)
        first = _sent(pending, 100.0)
        later = _sent(pending, 101.0)
        pending.acknowledge(later.fragment_id, 101.2)
        assert pending.expire(101.2) == [first]

    def test_while_a_packet_is_written_it_is_judged_by_nothing(self) -> None:
        pending = PendingAcks(DEFAULT)
        _measured(pending, 0.0)
        first = _sent(pending, 100.0)
        pending.track(first)  # it is being written once more
        later = _sent(pending, 101.0)
        pending.acknowledge(later.fragment_id, 101.2)
        assert first.sent_at is None

    def test_what_nobody_waits_for_is_forgotten(self) -> None:
        pending = PendingAcks(DEFAULT)
        waiting = [_sent(pending, 50.0), make_fragment(), make_fragment()]
        for fragment in waiting[1:]:
            pending.track(fragment)  # not in flight
        for number in range(1000):
            pending.forget(_sent(pending, 100.0 + number))
        assert len(pending._due) < 300


class TestDelaysThatSomebodyElseDrew:
    """Those in a reply SURB are its creator's, and part of what is measured."""

    def replies(self, pending: PendingAcks, *excesses: float, to: SenderTag = TAG) -> None:
        for excess in excesses:
            fragment = _sent(pending, 0.0, 0.0, to=to)
            pending.acknowledge(fragment.fragment_id, excess)

    def test_the_first_acks_of_a_burst_are_those_of_its_fastest_packets(self) -> None:
        """A server without delays of its own, asked by a client that has some: seen beside Rust."""
        pending = PendingAcks(DEFAULT)
        burst = [_sent(pending, number / 500, 0.0, to=TAG) for number in range(40)]
        for number in range(28, 39):  # due more than 20 ms after the first
            pending.acknowledge(burst[number].fragment_id, number / 500 + 0.03)
        first = burst[0]
        hastened = first.deadline
        assert hastened < 0.15  # there is no minimum any more
        for fragment in burst[1:28]:
            pending.acknowledge(fragment.fragment_id, 0.12)
        assert pending.expire(hastened) == []
        assert hastened + 0.02 < first.deadline < 0.5
        assert pending.expire(first.deadline) == [first]

    def test_they_vary_more_than_links_do(self) -> None:
        pending = PendingAcks(DEFAULT)
        for number in range(20):
            self.replies(pending, 0.06 + 0.06 * (number % 2))
            own = _sent(pending, 0.0, 0.0)
            pending.acknowledge(own.fragment_id, 0.06 + 0.06 * (number % 2))
        through_surb, to_address = _sent(pending, 1.0, 0.1, to=TAG), _sent(pending, 1.0, 0.1)
        longer, usual = through_surb.deadline - 1.1, to_address.deadline - 1.1
        assert longer > usual + 0.04

    def test_they_are_each_peers_own(self) -> None:
        pending = PendingAcks(DEFAULT)
        self.replies(pending, *[2.0, 1.0] * 10)
        self.replies(pending, *[0.01] * 10, to=OTHER_TAG)
        assert _sent(pending, 10.0, 0.0, to=OTHER_TAG).deadline == pytest.approx(10.25)
        assert _sent(pending, 10.0, 0.0, to=TAG).deadline > 12.0
        assert _sent(pending, 10.0, 0.0).deadline == pytest.approx(11.5)  # of ours none is known

    def test_of_a_new_peer_those_of_all_are_expected_and_the_minimum_stays(self) -> None:
        pending = PendingAcks(DEFAULT)
        self.replies(pending, *[0.01] * 10)
        first = _sent(pending, 10.0, 0.0, to=OTHER_TAG)
        assert first.deadline == pytest.approx(10.25)
        known, later = _sent(pending, 10.0, 0.0, to=TAG), _sent(pending, 10.1, 0.0, to=TAG)
        pending.acknowledge(later.fragment_id, 10.11)
        assert known.deadline < 10.2
        assert first.deadline == pytest.approx(10.25)


class TestWhenTheWayIsOpenAgain:
    def test_timers_run_no_longer_than_without_back_off(self) -> None:
        pending = PendingAcks(DEFAULT)
        _measured(pending, 0.0)
        old = _sent(pending, 100.0, retransmissions=8)
        new = _sent(pending, 103.9, retransmissions=3)
        fresh = _sent(pending, 103.9)
        idle = make_fragment()
        pending.track(idle)
        pending.hasten(104.0)
        assert old.deadline == new.deadline == pytest.approx(104.25)
        assert fresh.deadline == pytest.approx(104.15)
        assert pending.expire(104.3) == [fresh, old, new]


def test_what_left_before_a_sleep_proves_no_delay_of_the_network() -> None:
    pending = PendingAcks(DEFAULT)
    _measured(pending, 0.2)
    before = pending.excess.own.seconds
    slept_through = _sent(pending, 100.0)
    pending.measure_from(170.0)
    pending.acknowledge(slept_through.fragment_id, 170.1)
    assert pending.excess.own.seconds == before
    later = _sent(pending, 171.0)
    pending.acknowledge(later.fragment_id, 181.0)
    assert pending.excess.own.seconds > before
