"""Percentiles and noise."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistics import (
    MINIMUM_FOR_P99,
    Summary,
    bootstrap_interval,
    is_noisy,
    percentile,
)

SAMPLES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200)


@given(SAMPLES)
def test_the_median_is_the_median(samples: list[float]) -> None:
    ordered = sorted(samples)
    expected = statistics.median(ordered)
    assert percentile(ordered, 50) == pytest.approx(expected, abs=1e-6)


@given(SAMPLES)
def test_percentiles_are_in_order_and_in_range(samples: list[float]) -> None:
    summary = Summary.of(samples)
    assert summary.count == len(samples)
    assert summary.minimum == min(samples)
    assert summary.maximum == max(samples)
    assert summary.minimum <= summary.p50 <= summary.p90 + 1e-6
    assert summary.p90 <= summary.maximum + 1e-6
    assert summary.p99 is None


def test_p99_needs_a_thousand_samples() -> None:
    assert Summary.of(range(MINIMUM_FOR_P99 - 1)).p99 is None
    assert Summary.of(range(MINIMUM_FOR_P99 + 1)).p99 == 990


@given(SAMPLES)
def test_an_interval_holds_the_percentile(samples: list[float]) -> None:
    summary = Summary.of(samples)
    low, high = summary.p50_interval
    assert min(samples) <= low <= high <= max(samples)


def test_an_interval_is_as_wide_as_theory_says() -> None:
    """Of 1,000 samples the median lies within 31 ranks with 95 % (binomial: 1.96 sqrt(n) / 2)."""
    low, high = bootstrap_interval(range(1000), 50)
    assert 465 <= low <= 474
    assert 526 <= high <= 535
    assert bootstrap_interval([1.0, 2.0], 50) == (1.0, 2.0)


def test_pooling_is_not_averaging() -> None:
    calm, stalled = [1.0] * 99, [100.0]
    assert Summary.of(calm + stalled).p90 == 1.0
    assert (Summary.of(calm).p90 + Summary.of(stalled).p90) / 2 == 50.5


@pytest.mark.parametrize(("ordered", "percent"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_nonsense_is_refused(ordered: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match=r"percent"):
        percentile(ordered, percent)


@pytest.mark.parametrize(
    ("samples", "larger_is_better", "noisy"),
    [
        ([1.0], False, False),
        ([1.0, 1.09, 50.0], False, False),
        ([50.0, 1.0, 1.11], False, True),
        ([10.0, 9.5, 1.0], True, False),
        ([10.0, 8.0, 7.9], True, True),
    ],
)
def test_noise_is_between_the_two_best(
    samples: list[float], larger_is_better: bool, noisy: bool
) -> None:
    assert is_noisy(samples, larger_is_better=larger_is_better) is noisy
