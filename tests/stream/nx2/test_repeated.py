"""When a frame goes again that was not answered."""

from __future__ import annotations

from nymproxy.stream.nx2.repeated import MAX_PAUSE_SECONDS, Repeated


def test_pauses_double_up_to_half_a_minute() -> None:
    repeated = Repeated()
    assert (repeated.goes_on, repeated.has_begun) == (False, False)
    repeated.begin(1.0)
    assert (repeated.goes_on, repeated.has_begun) == (True, False)
    pauses, now = [], repeated.at
    for _ in range(6):
        repeated.sent(now, 3.0)
        pauses.append(repeated.at - now)
        now = repeated.at
    assert pauses == [3.0, 6.0, 12.0, 24.0, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]
    assert repeated.has_begun


def test_a_longer_round_trip_is_a_longer_pause() -> None:
    repeated = Repeated()
    repeated.sent(0.0, 3.0)
    repeated.sent(3.0, 10.0)
    assert repeated.at == 13.0


def test_what_was_answered_goes_no_more() -> None:
    repeated = Repeated()
    repeated.sent(0.0, 3.0)
    repeated.stop()
    assert not repeated.goes_on
