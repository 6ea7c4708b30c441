"""The estimate of a time that is measured again and again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy._smoothed_time import SmoothedTime


def test_nothing_is_known_before_the_first_measurement() -> None:
    time = SmoothedTime()
    assert not time.is_measured
    assert (time.seconds, time.longest_seconds) == (0.0, 0.0)


def test_the_first_one_is_the_estimate_and_half_of_it_the_deviation() -> None:
    time = SmoothedTime()
    time.sample(2.0)
    assert time.is_measured
    assert (time.seconds, time.longest_seconds) == (2.0, 2.0 + 4 * 1.0)


def test_the_figures_of_rfc_6298() -> None:
    """Alpha is 1/8 and beta 1/4; the deviation is from the estimate as it was before."""
    time = SmoothedTime()
    time.sample(2.0)
    time.sample(4.0)
    assert time.seconds == 2.25
    assert time.longest_seconds == pytest.approx(2.25 + 4 * (1.0 + (2.0 - 1.0) / 4))


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_it_stays_within_what_was_measured(measured: list[float]) -> None:
    time = SmoothedTime()
    for seconds in measured:
        time.sample(seconds)
    least, most = min(measured), max(measured)
    assert least * (1 - 1e-9) <= time.seconds <= most * (1 + 1e-9)
    assert time.longest_seconds >= time.seconds
