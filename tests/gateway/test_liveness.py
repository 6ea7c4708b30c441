"""nymproxy.mixnet.gateway.liveness, in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import PhaseTimeout
from nymproxy.mixnet.gateway.liveness import Liveness

IDLE, PONG = 30.0, 20.0


def listening(now: float) -> Liveness:
    liveness = Liveness(IDLE, PONG)
    liveness.hear(now)
    return liveness


def test_silence_asks_for_one_ping_and_then_counts_as_death() -> None:
    liveness = listening(5.0)
    assert liveness.deadline == 35.0
    liveness.time_out(34.9)
    assert not liveness.take_ping()
    liveness.time_out(35.0)
    assert [liveness.take_ping(), liveness.take_ping()] == [True, False]
    assert liveness.deadline == 55.0
    liveness.time_out(54.9)
    with pytest.raises(PhaseTimeout, match="answers no ping"):
        liveness.time_out(55.0)


def test_any_sign_of_life_answers_the_ping() -> None:
    liveness = listening(0.0)
    liveness.time_out(30.0)
    liveness.hear(49.0)
    assert liveness.deadline == 79.0
    liveness.time_out(55.0)


def test_a_time_in_which_nobody_listened_does_not_count() -> None:
    liveness = listening(0.0)
    liveness.postpone(100.0)
    assert liveness.deadline == 130.0
    liveness.time_out(130.0)
    liveness.postpone(7.0)
    assert liveness.deadline == 157.0


@given(st.lists(st.floats(0.1, IDLE - 0.1), max_size=50))
def test_who_speaks_often_enough_is_never_pinged(gaps: list[float]) -> None:
    liveness, now = listening(0.0), 0.0
    for gap in gaps:
        now += gap
        liveness.time_out(now)
        assert not liveness.take_ping()
        liveness.hear(now)
