"""nymproxy.mixnet.randomness: the distributions, from a seeded source and at their ends."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest

from nymproxy.mixnet.randomness import (
    RandomBytes,
    exponential_delays_ns,
    exponential_seconds,
    uniform_fraction,
    uniform_index,
)


def replayed(*values: bytes) -> RandomBytes:
    queue = list(values)
    return lambda count: queue.pop(0)[:count]


def test_a_fraction_is_never_zero_and_may_be_one() -> None:
    assert 0 < uniform_fraction(lambda count: bytes(count)) < 1e-15
    assert uniform_fraction(lambda count: b"\xff" * count) == 1.0


def test_exponential_samples_have_their_mean_and_a_finite_end() -> None:
    random = Random(1)
    samples = [exponential_seconds(random.randbytes, 0.05) for _ in range(20_000)]
    assert fmean(samples) == pytest.approx(0.05, rel=0.03)
    assert sum(sample > 0.05 for sample in samples) / 20_000 == pytest.approx(0.368, abs=0.02)
    assert exponential_seconds(lambda count: bytes(count), 1.0) < 40
    assert exponential_seconds(lambda count: b"\xff" * count, 1.0) == 0.0


def test_no_delay_draws_nothing() -> None:
    def fail(count: int) -> bytes:
        raise AssertionError(f"{count} bytes were drawn")

    assert exponential_seconds(fail, 0.0) == 0.0
    assert exponential_delays_ns(fail, 0.0, 3) == [0, 0, 0]


def test_delays_are_whole_nanoseconds() -> None:
    for delay in exponential_delays_ns(Random(2).randbytes, 0.05, 4):
        assert isinstance(delay, int)
        assert 0 < delay < 5_000_000_000


def test_delays_of_one_draw_are_those_of_a_draw_each() -> None:
    drawn = Random(3).randbytes(7 * 2000)
    one, each = Random(3), iter(range(0, len(drawn), 7))
    delays = exponential_delays_ns(one.randbytes, 0.05, 2000)
    alone = [
        exponential_seconds(lambda count: drawn[(at := next(each)) : at + count], 0.05)
        for _ in delays
    ]
    assert delays == [round(seconds * 1_000_000_000) for seconds in alone]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 240])
def test_every_index_is_as_likely(count: int) -> None:
    random = Random(count)
    drawn = [uniform_index(random.randbytes, count) for _ in range(400 * count)]
    assert set(drawn) == set(range(count))
    assert max(drawn.count(index) for index in range(count)) < 520


def test_what_would_favour_small_indexes_is_drawn_again() -> None:
    too_large = b"\xff" * 8  # 2^64 - 1 leaves 0 modulo 3: one zero too many
    assert uniform_index(replayed(too_large, too_large, bytes(7) + b"\x05"), 3) == 2
