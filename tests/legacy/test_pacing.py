"""R9: gaps between messages to an old server."""

from __future__ import annotations

import math

import pytest

from nymproxy.legacy.pacing import LegacyPacing

DEFAULT_RATE = 50.0
FAST_RATE = 250.0
LONG = 40


def paced(packet_rate: float | None = DEFAULT_RATE, gap_seconds: float = 0.25) -> LegacyPacing:
    """A pacing past its first message, which was acknowledged at 10 s."""
    pacing = LegacyPacing(gap_seconds=gap_seconds, packet_rate=packet_rate)
    pacing.begun(0, 0.0)
    pacing.handed_over(0, 30, 0.0)
    pacing.sent(0, 0.6)
    pacing.acknowledged(0, 1.0)
    return pacing


def settle(pacing: LegacyPacing, index: int, packets: int, at: float) -> None:
    pacing.begun(index, at)
    pacing.handed_over(index, packets, at)
    pacing.sent(index, at)
    pacing.acknowledged(index, at + 0.1)


def test_r9_the_first_message_leaves_at_once() -> None:
    assert LegacyPacing(gap_seconds=0.25, packet_rate=50).ready_at(5.0, is_end=False) == 5.0


def test_r9_a_second_after_the_first_message() -> None:
    assert paced().ready_at(1.0, is_end=False) == 1.6
    assert paced().ready_at(1.0, is_end=True) == 1.6
    assert paced().ready_at(9.0, is_end=False) == 9.0


@pytest.mark.parametrize(
    ("packet_rate", "packets", "gap"),
    [
        (DEFAULT_RATE, 4, 0.25),
        (DEFAULT_RATE, 5, 0.0),
        (FAST_RATE, 24, 0.25),
        (FAST_RATE, 25, 0.0),
        (None, 10_000, 0.25),
    ],
)
def test_r9_size_replaces_pacing(packet_rate: float | None, packets: int, gap: float) -> None:
    pacing = paced(packet_rate)
    settle(pacing, 1, packets, 20.0)
    assert pacing.ready_at(20.2, is_end=False) == max(20.2, 20.0 + gap)


def test_r9_the_gap_counts_from_the_last_packet() -> None:
    pacing = paced()
    pacing.begun(1, 20.0)
    pacing.handed_over(1, 2, 20.0)
    assert pacing.ready_at(20.0, is_end=False) == math.inf
    pacing.sent(1, 23.0)
    assert pacing.ready_at(23.0, is_end=False) == 23.25


def test_r9_a_gap_before_the_close_whatever_the_size() -> None:
    pacing = paced()
    settle(pacing, 1, LONG, 20.0)
    assert pacing.ready_at(20.0, is_end=False) == 20.0
    assert pacing.ready_at(20.0, is_end=True) == 20.25


def test_r9_zero_switches_the_gaps_off_but_the_first() -> None:
    pacing = paced(gap_seconds=0.0)
    assert pacing.ready_at(1.0, is_end=False) == 1.6
    settle(pacing, 1, 1, 20.0)
    assert pacing.ready_at(20.0, is_end=True) == 20.0


def test_r9_after_a_lost_packet_nothing_starts_until_the_message_is_acknowledged() -> None:
    pacing = paced()
    pacing.begun(1, 20.0)
    pacing.handed_over(1, LONG, 20.0)
    pacing.sent(1, 21.0)
    assert pacing.ready_at(21.4, is_end=False) == 21.4  # may still be on its way
    assert pacing.ready_at(21.6, is_end=False) == math.inf
    pacing.acknowledged(1, 23.0)
    assert pacing.ready_at(23.0, is_end=False) == 23.0


def test_r9_an_older_message_that_lacks_its_acknowledgement_holds_back_too() -> None:
    pacing = paced()
    pacing.begun(1, 20.0)
    pacing.handed_over(1, LONG, 20.0)
    pacing.sent(1, 21.0)
    pacing.begun(2, 21.1)
    pacing.handed_over(2, LONG, 21.1)
    pacing.sent(2, 22.0)
    pacing.acknowledged(2, 22.2)
    assert pacing.ready_at(22.3, is_end=False) == math.inf
    pacing.acknowledged(1, 24.0)
    assert pacing.ready_at(24.0, is_end=False) == 24.0


def test_an_acknowledgement_that_overtakes_the_notice_of_sending_counts_as_sent() -> None:
    pacing = paced()
    pacing.begun(1, 20.0)
    pacing.handed_over(1, 2, 20.0)
    pacing.acknowledged(1, 20.5)
    pacing.sent(1, 20.6)
    assert pacing.ready_at(20.6, is_end=False) == 20.75
