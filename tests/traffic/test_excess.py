"""How the excess is estimated, and of whom."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nymproxy.address import SenderTag
from nymproxy.mixnet.traffic import DEFAULT, Excesses, ExcessEstimator
from nymproxy.mixnet.traffic.excess import _MAXIMUM_PEERS
from tests.traffic.helpers import ADDRESS, OTHER_TAG, TAG


def test_it_is_bounded_and_falls_slowly() -> None:
    estimator = ExcessEstimator(5.0)
    for _ in range(100):
        estimator.measured(60.0)
    assert estimator.seconds == 5.0
    for _ in range(2000):
        estimator.measured(0.01)
    assert estimator.seconds < 0.1


def test_a_constant_excess_is_found() -> None:
    estimator = ExcessEstimator(20.0)
    source = random.Random(4)
    for _ in range(2000):
        estimator.measured(1.0 + source.uniform(-0.05, 0.05))
    assert 1.0 < estimator.seconds < 1.3


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_it_is_never_negative_nor_over_the_limit(samples: list[float]) -> None:
    estimator = ExcessEstimator(20.0)
    for sample in samples:
        estimator.measured(sample)
        assert 0 <= estimator.seconds <= 20


def test_so_many_deviations_that_a_sum_of_exponential_delays_is_hardly_ever_longer() -> None:
    """Three hops of 15 ms, 20 peers of 200 packets each."""
    source = random.Random(1)
    longer = 0
    for number in range(20):
        excesses, tag = Excesses(DEFAULT), SenderTag(bytes([number] * 16))
        for _ in range(200):
            seconds = sum(source.expovariate(1 / 0.015) for _ in range(3))
            longer += excesses.is_measured(tag) and seconds > excesses.of(tag).seconds
            excesses.measured(tag, seconds)
    assert longer <= 2  # 0.14 in a thousand; with four deviations 5


def test_what_peers_drew_is_measured_apart_from_what_we_know() -> None:
    excesses = Excesses(DEFAULT)
    for _ in range(10):
        excesses.measured(TAG, 3.0)
        excesses.measured(OTHER_TAG, 0.5)
        excesses.measured(ADDRESS, 0.02)
    assert excesses.of(ADDRESS) is excesses.own
    assert excesses.own.seconds < 0.1
    assert excesses.of(TAG).seconds > 3.0
    assert 0.5 < (before := excesses.of(OTHER_TAG).seconds) < 3.0
    excesses.at_least(OTHER_TAG, 0.1)
    assert excesses.of(OTHER_TAG).seconds == before
    excesses.at_least(OTHER_TAG, 1.0)
    assert excesses.of(OTHER_TAG).seconds > before


def test_a_peer_is_measured_after_as_many_packets_as_the_profile_wants() -> None:
    excesses = Excesses(replace(DEFAULT, ack_wait_samples=3))
    for measured in (False, False, True):
        for to in (TAG, ADDRESS):
            excesses.measured(to, 0.1)
            assert excesses.is_measured(to) is measured
    assert not excesses.is_measured(OTHER_TAG)
    assert excesses.of(OTHER_TAG).samples == 3  # of all that were measured


def test_what_a_peer_draws_holds_up_nobody_elses_timers_for_long() -> None:
    excesses = Excesses(DEFAULT)
    for number in range(100):
        for _ in range(10):
            excesses.measured(SenderTag(bytes([number] * 16)), 60.0)
    assert excesses.of(SenderTag(bytes(16))).seconds == DEFAULT.maximum_excess_seconds
    excesses.measured(OTHER_TAG, 0.1)
    assert excesses.of(OTHER_TAG).seconds == 3.0


def test_who_was_measured_last_longest_ago_is_forgotten() -> None:
    excesses = Excesses(replace(DEFAULT, ack_wait_samples=1))
    tags = [SenderTag(number.to_bytes(16, "big")) for number in range(_MAXIMUM_PEERS + 1)]
    for tag in (*tags[:-1], tags[0], tags[-1]):
        excesses.measured(tag, 0.1)
    assert excesses.is_measured(tags[0])
    assert not excesses.is_measured(tags[1])
    assert all(map(excesses.is_measured, tags[2:]))
