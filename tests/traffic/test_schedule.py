"""Schedules: the right distribution, no drift, no burst after a pause; the multiplier's rules."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.traffic import BackPressure, ExponentialSchedule
from tests.traffic.helpers import seeded

MEAN = 0.02


def _gaps(count: int, seed: int = 7) -> list[float]:
    schedule = ExponentialSchedule(MEAN, seeded(seed), 0.0)
    deadlines = []
    for _ in range(count):
        deadlines.append(schedule.deadline)
        assert schedule.take_due(schedule.deadline, 1) == 1
    return [later - earlier for earlier, later in itertools.pairwise(deadlines)]


def test_gaps_are_exponential() -> None:
    gaps = _gaps(20_000)
    assert statistics.fmean(gaps) == pytest.approx(MEAN, rel=0.03)
    assert statistics.pstdev(gaps) == pytest.approx(MEAN, rel=0.05)
    assert statistics.median(gaps) == pytest.approx(MEAN * 0.6931, rel=0.05)
    beyond = sum(gap > 3 * MEAN for gap in gaps) / len(gaps)
    assert beyond == pytest.approx(0.0498, rel=0.1)


def test_gaps_are_independent() -> None:
    gaps = _gaps(20_000)
    mean = statistics.fmean(gaps)
    products = [(a - mean) * (b - mean) for a, b in itertools.pairwise(gaps)]
    correlation = statistics.fmean(products) / statistics.pvariance(gaps)
    assert abs(correlation) < 0.03


def test_a_late_caller_catches_up_and_the_rate_is_exact() -> None:
    punctual = ExponentialSchedule(MEAN, seeded(3), 0.0)
    late = ExponentialSchedule(MEAN, seeded(3), 0.0)
    sent_punctually = 0
    while punctual.deadline <= 60.0:
        sent_punctually += punctual.take_due(punctual.deadline, 1)
    sent_late = 0
    now = 0.0
    while now < 60.0:  # looks only every 0.25 s
        now += 0.25
        sent_late += late.take_due(now, 1000)
    assert sent_late == sent_punctually
    assert late.deadline == pytest.approx(punctual.deadline)


def test_after_a_long_pause_there_is_no_burst() -> None:
    schedule = ExponentialSchedule(MEAN, seeded(), 0.0, maximum_backlog_seconds=1.0)
    due = schedule.take_due(3600.0, 10_000)
    assert 20 < due < 100  # about one second's worth, not an hour's
    assert schedule.deadline > 3600.0


def test_the_limit_of_one_batch_leaves_the_rest_due() -> None:
    schedule = ExponentialSchedule(MEAN, seeded(), 0.0)
    assert schedule.take_due(0.9, 4) == 4
    assert schedule.deadline <= 0.9


def test_the_multiplier_stretches_the_gaps() -> None:
    schedule = ExponentialSchedule(MEAN, seeded(5), 0.0)
    schedule.multiplier = 6
    start = schedule.deadline
    for _ in range(5000):
        schedule.take_due(schedule.deadline, 1)
    assert (schedule.deadline - start) / 5000 == pytest.approx(6 * MEAN, rel=0.06)


@given(
    st.lists(st.floats(0, 0.5), max_size=50),
    st.integers(1, 8),
    st.integers(0, 2**32),
)
def test_nothing_is_due_before_its_deadline(steps: list[float], limit: int, seed: int) -> None:
    schedule = ExponentialSchedule(MEAN, seeded(seed), 0.0)
    now = 0.0
    for step in steps:
        now += step
        was_due = schedule.deadline <= now
        taken = schedule.take_due(now, limit)
        assert (taken > 0) == was_due
        assert taken <= limit
        assert taken == limit or schedule.deadline > now


class TestBackPressure:
    def test_full_writes_raise_it_once_a_second_up_to_six(self) -> None:
        pressure = BackPressure(0.0)
        assert pressure.written(0.5, 40) == 1  # too soon
        assert [pressure.written(1.1 * n, 40) for n in range(1, 9)] == [2, 3, 4, 5, 6, 6, 6, 6]

    def test_two_calm_seconds_lower_it(self) -> None:
        pressure = BackPressure(0.0)
        pressure.written(1.5, 40)
        assert pressure.written(3.0, 0) == 2
        assert pressure.written(3.6, 0) == 1
        assert pressure.written(9.0, 0) == 1

    def test_busy_but_not_full_writes_keep_it(self) -> None:
        pressure = BackPressure(0.0)
        pressure.written(1.5, 40)
        for n in range(100):
            assert pressure.written(2.0 + n, 20) == 2

    @given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 100)), max_size=60))
    def test_it_stays_within_one_and_six_and_moves_by_one(
        self, writes: list[tuple[float, float]]
    ) -> None:
        pressure = BackPressure(0.0)
        now = 0.0
        previous = 1
        for step, slots in writes:
            now += step
            multiplier = pressure.written(now, slots)
            assert 1 <= multiplier <= 6
            assert abs(multiplier - previous) <= 1
            previous = multiplier
