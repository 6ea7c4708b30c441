"""Epochs, rotations, and the keys that are alive in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import ConfigurationError
from nymproxy.localnet.epochs import EpochClock, EpochSchedule
from nymproxy.mixnet.sphinx import KeyRotation

schedules = st.builds(
    EpochSchedule,
    st.floats(0, 2e9),
    st.integers(0, 10_000),
    st.floats(0.5, 1e7),
    st.integers(2, 48),
)


@given(schedules, st.floats(0, 1e8))
def test_a_moment_lies_in_its_epoch(schedule: EpochSchedule, elapsed: float) -> None:
    now = schedule.reference_unix + elapsed
    epoch = schedule.epoch_at(now)
    tolerance = 1e-3 + schedule.epoch_seconds * 1e-6
    assert schedule.epoch_start(epoch) <= now + tolerance
    assert now < schedule.epoch_start(epoch + 1) + tolerance
    first, last = schedule.rotation_bounds(schedule.rotation_of(epoch))
    assert first <= epoch <= last


@given(schedules, st.integers(0, 100_000))
def test_at_most_one_odd_and_one_even_key_are_alive(schedule: EpochSchedule, epoch: int) -> None:
    alive = schedule.alive_rotations(epoch)
    assert alive[0] == schedule.rotation_of(epoch)
    assert len({rotation_id % 2 for rotation_id in alive}) == len(alive)


def test_overlap_and_announcement() -> None:
    schedule = EpochSchedule(0.0, 48, 10.0, 24)
    assert schedule.alive_rotations(48) == (2, 1)
    assert schedule.alive_rotations(49) == (2,)
    assert schedule.alive_rotations(70) == (2,)
    assert schedule.alive_rotations(71) == (2, 3)
    assert schedule.alive_rotations(72) == (3, 2)
    assert schedule.alive_rotations(0) == (0,)


def test_a_new_network_has_one_key_and_a_marker() -> None:
    schedule = EpochSchedule.starting(1000.0)
    epoch = schedule.epoch_at(1000.0)
    assert schedule.alive_rotations(epoch) == (2,)
    assert KeyRotation.from_rotation_id(2) is KeyRotation.EVEN
    assert schedule.epoch_at(900.0) == epoch


@pytest.mark.parametrize("rotations", range(1, 5))
def test_the_clock_moves_to_the_next_rotation(rotations: int) -> None:
    clock = EpochClock(EpochSchedule.starting(0.0, 100.0, 4))
    for _ in range(rotations):
        clock.advance_rotation(50.0)
    epoch = clock.epoch_at(50.0)
    assert clock.schedule.alive_rotations(epoch) == (2 + rotations, 1 + rotations)
    clock.advance_epochs(60.0)
    assert clock.schedule.alive_rotations(clock.epoch_at(60.0)) == (2 + rotations,)


@pytest.mark.parametrize("values", [(0.0, 2), (-1.0, 2), (float("nan"), 2), (1.0, 1)])
def test_impossible_schedules_are_refused(values: tuple[float, int]) -> None:
    with pytest.raises(ConfigurationError):
        EpochSchedule(0.0, 0, *values)
