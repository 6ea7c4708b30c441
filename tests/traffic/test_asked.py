"""Asked and Overdue: how long an answer with SURBs is awaited, and for whom one is asked again."""

from __future__ import annotations

import math

import pytest

from nymproxy.mixnet.traffic.asked import (
    EARLY_REPETITIONS,
    LEAST_PATIENCE_SECONDS,
    UNMEASURED_PATIENCE_SECONDS,
    Asked,
    Overdue,
)
from tests.traffic.helpers import OTHER_TAG, TAG


def asked_at(now: float, amount: int = 20) -> Asked:
    """One that was asked, and whose gateway has acknowledged that."""
    asked = Asked(0.0)
    asked.ask(amount)
    asked.arrived(now)
    return asked


class TestAsked:
    def test_a_request_that_is_not_acknowledged_is_the_business_of_its_packet(self) -> None:
        asked = Asked(0.0)
        assert asked.overdue_at == math.inf
        asked.ask(10)
        assert asked.overdue_at == math.inf
        assert (asked.silence(2.0), asked.owes_seconds(2.0)) == (0.0, 0.0)
        asked.left(3.0)
        assert (asked.silence(6.0), asked.owes_seconds(6.0)) == (3.0, 3.0)

    def test_nothing_is_awaited_when_the_answer_overtakes_the_ack(self) -> None:
        asked = Asked(0.0)
        asked.ask(10)
        asked.answered(10, 1.5)
        asked.arrived(1.6)
        assert asked.overdue_at == math.inf

    def test_the_rest_is_awaited_from_the_last_part(self) -> None:
        asked = asked_at(1.0)
        assert asked.overdue_at == 1.0 + UNMEASURED_PATIENCE_SECONDS
        asked.answered(10, 1.2)
        assert asked.overdue_at == 1.2 + LEAST_PATIENCE_SECONDS
        asked.answered(10, 1.3)
        assert (asked.pending, asked.overdue_at) == (0, math.inf)

    def test_a_slow_sender_is_given_its_time(self) -> None:
        asked = Asked(0.0)
        for number in range(20):
            now = 100.0 * number
            asked.ask(10)
            asked.arrived(now)
            asked.answered(10, now + 5.0)
        asked.ask(10)
        asked.arrived(5000.0)
        assert asked.overdue_at == pytest.approx(5005.0, abs=0.5)

    def test_it_is_asked_early_twice_after_longer_and_longer(self) -> None:
        asked = asked_at(0.0)
        times = []
        while (due := asked.overdue_at) < math.inf:
            times.append(due)
            asked.lost(due, early=True)
            assert asked.pending == 0
            asked.ask(10)
            asked.arrived(due)
        assert times == [UNMEASURED_PATIENCE_SECONDS, 3 * UNMEASURED_PATIENCE_SECONDS]
        assert len(times) == EARLY_REPETITIONS
        assert asked.repetitions == 0

    def test_an_answer_to_one_of_several_requests_measures_nothing(self) -> None:
        asked = asked_at(0.0)
        asked.lost(3.0, early=True)
        asked.ask(10)
        asked.arrived(3.1)
        asked.answered(5, 3.2)
        assert asked.overdue_at == 3.2 + UNMEASURED_PATIENCE_SECONDS

    def test_what_will_not_come_is_not_awaited(self) -> None:
        asked = asked_at(0.0)
        asked.not_coming(15)
        assert (asked.pending, asked.overdue_at) == (5, UNMEASURED_PATIENCE_SECONDS)
        asked.not_coming()
        assert (asked.pending, asked.overdue_at) == (0, math.inf)


class TestOverdue:
    def test_those_whose_answer_came_or_who_are_forgotten_are_not(self) -> None:
        known = {TAG: asked_at(0.0), OTHER_TAG: asked_at(0.0)}
        overdue = Overdue(known.get)
        assert overdue.next_deadline == math.inf
        for tag in (TAG, OTHER_TAG):
            overdue.request_arrived(tag, 0.0)
        known.pop(OTHER_TAG)
        overdue.request_arrived(OTHER_TAG, 0.0)
        assert overdue.next_deadline == UNMEASURED_PATIENCE_SECONDS
        known[TAG].answered(10, 2.0)
        assert overdue.take(UNMEASURED_PATIENCE_SECONDS, 0.0) == []
        assert overdue.next_deadline == 2.0 + 2.0 + 4 * 1.0
        assert overdue.take(overdue.next_deadline, 0.0) == [TAG]
        assert overdue.take(1000.0, 0.0) == []

    @pytest.mark.parametrize(("stalled", "grace"), [(0.25, 0.25), (60.0, 1.0)])
    def test_who_could_not_read_waits_for_what_may_be_there(
        self, stalled: float, grace: float
    ) -> None:
        known = {TAG: asked_at(0.0)}
        overdue = Overdue(known.get)
        overdue.request_arrived(TAG, 0.0)
        assert overdue.take(100.0, stalled) == []
        assert overdue.next_deadline == 100.0 + grace
        assert overdue.take(100.0 + grace, 0.0) == [TAG]
