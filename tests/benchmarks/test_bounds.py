"""The arithmetic of the bounds, against figures computed by hand and elsewhere."""

from __future__ import annotations

import pytest

from benchmarks.bounds import (
    SURB_BYTES,
    Bound,
    cpu_rate_bound,
    delay_bound,
    echo_seconds,
    packets_for,
    sending_rate_bound,
)
from benchmarks.statistics import percentile

# write, (legacy with 100 SURBs, stream with 10 SURBs, stream without, reply): packets.
PACKETS = [
    (1, (29, 3, 1, 1)),
    (1448, (30, 4, 1, 1)),
    (8192, (34, 8, 6, 6)),
    (65536, (None, 44, 41, 41)),
]


@pytest.mark.parametrize(("write", "packets"), PACKETS)
def test_packets_of_one_write(write: int, packets: tuple[int | None, ...]) -> None:
    legacy, with_surbs, without, reply = packets
    if legacy is not None:
        assert packets_for(write, "legacy", surbs=100) == legacy
    assert packets_for(write, "stream", surbs=10) == with_surbs
    assert packets_for(write, "stream") == without
    assert packets_for(write, "stream", reply=True) == reply


@pytest.mark.parametrize(("reply", "largest"), [(False, 1565), (True, 1585)])
def test_the_largest_stream_payload_in_one_packet(reply: bool, largest: int) -> None:
    assert packets_for(largest, "stream", reply=reply) == 1
    assert packets_for(largest + 1, "stream", reply=reply) == 2


def test_a_surb_has_the_size_that_is_counted() -> None:
    from benchmarks.micro import Bench

    bench = Bench(1)
    surb = bench.builder(0).create_surb(bench.topology)
    assert len(surb.to_bytes()) == SURB_BYTES


@pytest.mark.parametrize(
    ("profile", "least", "most"), [("default", 0.074, 0.0803), ("fast", 0.37, 0.402)]
)
def test_the_sending_rate_bounds_the_goodput(profile: str, least: float, most: float) -> None:
    for wire in ("legacy", "stream"):
        for reply in (False, True):
            bound = sending_rate_bound(profile, wire, 32768, reply=reply)
            assert bound is not None
            assert bound.larger_is_better
            assert least < bound.value < most


def test_without_a_schedule_nothing_bounds_the_rate() -> None:
    assert sending_rate_bound("bare", "stream", 32768, reply=False) is None


@pytest.mark.parametrize(
    ("profile", "up", "down", "p50", "p90"),
    [
        ("default", 1, 1, 0.125, 0.191),
        ("default", 3, 1, 0.175, 0.251),
        ("default", 29, 1, 0.697, 0.852),
        ("fast", 1, 1, 0.065, None),
        ("fast", 3, 1, 0.085, None),
        ("fast", 29, 1, 0.197, None),
    ],
)
def test_the_delays_bound_the_echo(
    profile: str, up: int, down: int, p50: float, p90: float | None
) -> None:
    bound = delay_bound(profile, up, down)
    assert bound is not None
    assert bound.value == pytest.approx(p50, rel=0.03)
    if p90 is not None:
        found = percentile(echo_seconds(profile, up, down), 90)
        assert found == pytest.approx(p90, rel=0.03)


def test_without_delays_there_is_no_delay_bound() -> None:
    assert delay_bound("bare", 1, 1) is None


def test_the_simulation_is_seeded() -> None:
    before = echo_seconds("default", 2, 1)
    echo_seconds.cache_clear()
    assert echo_seconds("default", 2, 1) == before


def test_one_process_cannot_use_two_cores() -> None:
    spread = cpu_rate_bound(2_000_000, (1.0, 1.0, 2.0), cores=2)
    lonely = cpu_rate_bound(2_000_000, (0.1, 4.0), cores=2)
    assert spread is not None
    assert spread.value == pytest.approx(1.0)
    assert lonely is not None
    assert lonely.value == pytest.approx(0.5)
    assert cpu_rate_bound(1, (), cores=2) is None
    assert cpu_rate_bound(1, (0.0,), cores=2) is None


def test_a_quotient_is_the_figure_in_bounds() -> None:
    assert Bound("delay", 0.125).quotient(0.150) == pytest.approx(1.2)
    assert Bound("CPU", 2.0, larger_is_better=True).quotient(1.0) == 0.5
