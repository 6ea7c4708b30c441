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
    ("at_ns", "epoch"),
    [
        (1000 * HOUR, 100),
        (1001 * HOUR - 1, 100),
        (1001 * HOUR, 101),
        (1010 * HOUR, 110),
        (900 * HOUR, 100),  # before the reference: it never goes back
    ],
)
def test_expected_epoch(at_ns: int, epoch: int) -> None:
    assert INFO.expected_epoch(at_ns) == epoch


def test_next_epoch_start() -> None:
    assert INFO.next_epoch_start_ns(1000 * HOUR) == 1001 * HOUR
    assert INFO.next_epoch_start_ns(1005 * HOUR + 1) == 1006 * HOUR


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
    assert epoch >= info.epoch_id
    assert info.expected_epoch(info.next_epoch_start_ns(at_ns)) == epoch + 1
    assert info.expected_epoch(info.next_epoch_start_ns(at_ns) - 1) == epoch
