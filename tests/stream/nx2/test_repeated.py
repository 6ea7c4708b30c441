"""When a frame goes again that was not answered."""

from __future__ import annotations

import pytest

from nymproxy.stream.nx2.repeated import MAX_PAUSE_SECONDS, Repeated
from nymproxy.stream.nx2.roundtrip import LONGEST_ACK_PAUSE_SECONDS, PeerDelay


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


def test_what_waits_for_its_turn_is_not_sent_again_meanwhile() -> None:
    repeated = Repeated()
    repeated.left(0.0)
    repeated.queued(1.0, 3.0)
    assert (repeated.has_begun, repeated.at) == (True, 1.0 + MAX_PAUSE_SECONDS)
    repeated.left(20.0)
    repeated.left(20.5)  # acknowledged
    assert not repeated.is_due(23.0, 3.0)
    assert repeated.is_due(23.5, 3.0)


def test_a_first_pause_that_has_grown_is_waited_for() -> None:
    repeated = Repeated()
    assert not repeated.is_due(0.0, 3.0)
    repeated.queued(1.0, 3.0)
    repeated.left(2.0)
    assert not repeated.is_due(5.0, 8.0)
    assert repeated.at == 10.0
    assert repeated.is_due(10.0, 8.0)


def test_an_answer_tells_how_busy_the_peer_is() -> None:
    repeated, delay = Repeated(), PeerDelay()
    repeated.answered(1.0, delay)
    assert delay.seconds == 0
    repeated.queued(1.0, 3.0)
    repeated.left(2.0)
    repeated.answered(2.0 + LONGEST_ACK_PAUSE_SECONDS + 8.0, delay)
    assert not repeated.goes_on
    assert delay.seconds == pytest.approx(1.0)
    delay.sample(LONGEST_ACK_PAUSE_SECONDS - 1.0)  # as fast as it may be
    assert delay.seconds == pytest.approx(7 / 8)
