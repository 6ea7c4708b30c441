"""The theoretical curve of the round trips, against closed forms and an independent count."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy_migrate.report import erlang

SHAPES = st.integers(1, 40)
MEANS = st.floats(1e-4, 1e3)


@given(MEANS, st.floats(0, 50))
def test_one_delay_is_exponential(mean: float, times: float) -> None:
    expected = -math.expm1(-times)
    assert erlang.cumulative(1, mean, times * mean) == pytest.approx(expected, rel=1e-9)


@given(MEANS, st.floats(0, 50))
def test_two_delays_have_their_closed_form(mean: float, times: float) -> None:
    expected = 1 - (1 + times) * math.exp(-times)
    found = erlang.cumulative(2, mean, times * mean)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(
    ("shape", "times", "expected"),
    # Tables of the chi-squared distribution: with 2k degrees of freedom it is Erlang of shape k.
    [(3, 12.592 / 2, 0.95), (6, 21.026 / 2, 0.95), (6, 26.217 / 2, 0.99), (6, 11.340 / 2, 0.5)],
)
def test_known_quantiles(shape: int, times: float, expected: float) -> None:
    assert erlang.cumulative(shape, 0.015, 0.015 * times) == pytest.approx(expected, abs=5e-5)
    assert erlang.quantile(shape, 0.015, expected) == pytest.approx(0.015 * times, rel=2e-4)


def test_added_up_exponential_delays_follow_it() -> None:
    dice = random.Random(11)
    count = 20_000
    sums = [sum(dice.expovariate(1 / 0.05) for _ in range(6)) for _ in range(count)]
    for value in (0.1, 0.2, 0.3, 0.4, 0.6):
        share = sum(total <= value for total in sums) / count
        assert erlang.cumulative(6, 0.05, value) == pytest.approx(share, abs=0.015)


def test_the_far_left_keeps_its_digits() -> None:
    # x^6/6! times e^-x for small x; 1 minus a sum would leave noise or zero here.
    assert erlang.cumulative(6, 1.0, 1e-5) == pytest.approx(1e-30 / 720, rel=1e-4)


@given(SHAPES, MEANS, st.lists(st.floats(0, 1e6), min_size=2, max_size=6))
def test_it_rises_from_0_to_1(shape: int, mean: float, values: list[float]) -> None:
    found = [erlang.cumulative(shape, mean, value) for value in sorted(values)]
    assert all(0 <= share <= 1 for share in found)
    assert all(left <= right + 1e-12 for left, right in itertools.pairwise(found))
    assert erlang.cumulative(shape, mean, math.inf) == 1
    assert erlang.cumulative(shape, mean, -1.0) == 0


@given(SHAPES, MEANS, st.floats(0, 0.9999))
def test_a_quantile_is_the_inverse(shape: int, mean: float, probability: float) -> None:
    value = erlang.quantile(shape, mean, probability)
    assert erlang.cumulative(shape, mean, value) == pytest.approx(probability, abs=1e-9)


@pytest.mark.parametrize(("shape", "mean"), [(0, 1.0), (6, 0.0)])
def test_no_delay_is_there_at_once(shape: int, mean: float) -> None:
    assert erlang.cumulative(shape, mean, 0.0) == 1
    assert erlang.cumulative(shape, mean, -0.001) == 0
    assert erlang.quantile(shape, mean, 0.99) == 0


@pytest.mark.parametrize(
    ("shape", "mean"), [(-1, 1.0), (10**9, 1.0), (6, -1.0), (6, math.inf), (6, math.nan)]
)
def test_nonsense_is_refused(shape: int, mean: float) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        erlang.cumulative(shape, mean, 1.0)


@pytest.mark.parametrize("probability", [-0.1, 1.0, math.nan])
def test_a_quantile_needs_a_probability(probability: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        erlang.quantile(6, 1.0, probability)
