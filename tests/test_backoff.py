"""Pauses between attempts."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy._backoff import Backoff, doubled


def test_pauses_stay_in_their_range() -> None:
    shortest, longest = Backoff(), Backoff()
    pauses = [(shortest.failed(0.0), longest.failed(1.0)) for _ in range(100)]
    assert list(pauses[0]) == [1, 1]
    assert list(pauses[-1]) == [30, 60]
    assert all(1 <= low <= high <= 60 for low, high in pauses)
    longest.succeeded()
    assert longest.failed(1.0) == 1


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_the_pauses_of_a_reconnecting_client(spreads: list[float]) -> None:
    backoff = Backoff(first_seconds=2.0, longest_seconds=30.0)
    pauses = [backoff.failed(spread) for spread in spreads]
    assert all(1.0 <= pause <= 30.0 for pause in pauses)
    assert pauses[0] <= 2.0
    assert pauses[1] <= 4.0
    backoff.succeeded()
    assert backoff.failed(1.0) <= 2.0


def test_clients_do_not_come_back_in_step() -> None:
    assert (
        len({Backoff(first_seconds=2.0).failed(Random(seed).random()) for seed in range(20)}) == 20
    )


@pytest.mark.parametrize(
    ("doublings", "seconds"), [(0, 5.0), (1, 10.0), (6, 300.0), (10_000, 300.0)]
)
def test_doubling_has_an_end(doublings: int, seconds: float) -> None:
    assert doubled(5.0, doublings, 300.0) == seconds
