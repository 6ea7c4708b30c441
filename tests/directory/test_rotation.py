from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.directory import KeyRotationInfo

HOUR = 3600 * 10**9
INFO = KeyRotationInfo(
    validity_epochs=10,
    initial_epoch_id=80,
    epoch_id=100,
    epoch_start_ns=1000 * HOUR,
    epoch_duration_ns=HOUR,
)


@pytest.mark.parametrize(
    ("at_ns", "epoch", "rotation"),
    [
        (1000 * HOUR, 100, 2),
        (1001 * HOUR - 1, 100, 2),
        (1001 * HOUR, 101, 2),
        (1009 * HOUR, 109, 2),
        (1010 * HOUR, 110, 3),
        (900 * HOUR, 100, 2),  # before the reference: it never goes back
    ],
)
def test_expected_epoch_and_rotation(at_ns: int, epoch: int, rotation: int) -> None:
    assert INFO.expected_epoch(at_ns) == epoch
    assert INFO.expected_rotation(at_ns) == rotation


def test_rotation_starts() -> None:
    assert INFO.rotation_start_ns(2) == 1000 * HOUR
    assert INFO.rotation_start_ns(3) == 1010 * HOUR
    assert INFO.rotation_start_ns(0) == 980 * HOUR
    assert INFO.rotation_lifetime_ns == 11 * HOUR


def test_next_epoch_start() -> None:
    assert INFO.next_epoch_start_ns(1000 * HOUR) == 1001 * HOUR
    assert INFO.next_epoch_start_ns(1005 * HOUR + 1) == 1006 * HOUR


@pytest.mark.parametrize(
    ("epoch_id", "refreshed_at_ns", "stuck"),
    [
        (100, 1000 * HOUR + 5, False),
        (100, 1001 * HOUR + 1_900_000_000, False),  # within the leeway of 2 s
        (101, 1001 * HOUR - 1_900_000_000, False),
        (100, 1001 * HOUR + 2_100_000_000, True),
        (99, 1000 * HOUR + HOUR // 2, True),
        (100, 0, False),  # an unreadable refreshed_at
    ],
)
def test_stuck_epochs(epoch_id: int, refreshed_at_ns: int, stuck: bool) -> None:
    assert INFO.is_epoch_stuck(epoch_id, refreshed_at_ns) is stuck


@given(
    st.builds(
        KeyRotationInfo,
        validity_epochs=st.integers(1, 2**32 - 1),
        initial_epoch_id=st.integers(0, 2**32 - 1),
        epoch_id=st.integers(0, 2**32 - 1),
        epoch_start_ns=st.integers(0, 2**64),
        epoch_duration_ns=st.integers(1, 2**64),
    ),
    st.integers(0, 2**66),
)
def test_the_parts_fit_together(info: KeyRotationInfo, at_ns: int) -> None:
    epoch = info.expected_epoch(at_ns)
    rotation = info.expected_rotation(at_ns)
    assert rotation == info.rotation_of_epoch(epoch)
    assert info.rotation_of_epoch(info.first_epoch_of_rotation(rotation)) == rotation
    assert info.expected_epoch(info.next_epoch_start_ns(at_ns)) == epoch + 1
    if info.epoch_id >= info.initial_epoch_id and at_ns >= info.epoch_start_ns:
        assert info.rotation_start_ns(rotation) <= at_ns < info.rotation_start_ns(rotation + 1)
