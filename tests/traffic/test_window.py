"""The window of unacknowledged packets: growth, decrease, bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.mixnet.traffic import CongestionWindow, WindowLimits

LIMITS = WindowLimits(initial=10, minimum=4, maximum=40, decrease=0.5, queueing_target_seconds=0.3)


def _use_fully(window: CongestionWindow) -> None:
    window.sent(window.room)


def test_it_admits_the_initial_window_and_no_more() -> None:
    window = CongestionWindow(LIMITS)
    assert window.room == 10
    _use_fully(window)
    assert window.room == 0


def test_it_grows_with_each_ack_until_the_first_loss() -> None:
    window = CongestionWindow(LIMITS)
    for _ in range(5):
        _use_fully(window)
        window.acknowledged(0.0)
    assert window.size == 15
    window.lost(sent_at=1.0, now=2.0)
    assert window.size == 7.5
    _use_fully(window)
    window.acknowledged(0.0)
    assert window.size == pytest.approx(7.5 + 1 / 7.5)


def test_losses_of_one_round_count_once() -> None:
    window = CongestionWindow(WindowLimits(initial=32, minimum=4, maximum=64, decrease=0.5))
    _use_fully(window)
    for _ in range(10):
        window.lost(sent_at=1.0, now=2.5)
    assert window.size == 16
    window.sent(10)
    window.lost(sent_at=3.0, now=4.5)
    assert window.size == 8


def test_an_unused_window_does_not_grow() -> None:
    window = CongestionWindow(LIMITS)
    for _ in range(50):
        window.sent(1)
        window.acknowledged(0.0)
    assert window.size == 10


def test_long_queues_stop_the_growth_and_longer_ones_shrink_it() -> None:
    window = CongestionWindow(LIMITS)
    _use_fully(window)
    window.acknowledged(0.5)
    assert window.size == 10
    _use_fully(window)
    window.acknowledged(1.0)
    assert window.size == pytest.approx(9.9)


def test_forgotten_packets_make_room() -> None:
    window = CongestionWindow(LIMITS)
    _use_fully(window)
    window.forgotten(3)
    assert window.room == 3


@given(st.lists(st.sampled_from(["send", "ack", "late", "lose", "forget"]), max_size=300))
def test_bounds_hold_whatever_happens(events: list[str]) -> None:
    window = CongestionWindow(LIMITS)
    in_flight = 0
    for number, event in enumerate(events):
        now = float(number)
        if event == "send" and window.room:
            window.sent()
            in_flight += 1
        elif event != "send" and in_flight:
            in_flight -= 1
            if event == "lose":
                window.lost(sent_at=now - 1.5, now=now)
            elif event == "forget":
                window.forgotten()
            else:
                window.acknowledged(0.0 if event == "ack" else 5.0)
        assert LIMITS.minimum <= window.size <= LIMITS.maximum
        assert window.in_flight == in_flight
        assert window.room == max(0, int(window.size) - in_flight)
