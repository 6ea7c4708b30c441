"""R9: gaps between messages to an old server."""

from __future__ import annotations

import math

import pytest

from nymproxy.legacy.pacing import TURN_LIMIT_SECONDS, LegacyPacing, ServerTurns
from tests.legacy.addresses import some_address

SERVER, OTHER = some_address("server"), some_address("other")
DEFAULT_RATE = 50.0
FAST_RATE = 250.0
LONG = 40


def paced(packet_rate: float | None = DEFAULT_RATE, gap_seconds: float = 0.25) -> LegacyPacing:
    """A pacing past its first message, which was acknowledged at 10 s."""
    pacing = LegacyPacing(gap_seconds=gap_seconds, packet_rate=packet_rate)
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
    pacing.handed_over(1, LONG, 20.0)
    pacing.sent(1, 21.0)
    assert pacing.ready_at(21.4, is_end=False) == 21.4  # may still be on its way
    assert pacing.ready_at(21.6, is_end=False) == math.inf
    pacing.acknowledged(1, 23.0)
    assert pacing.ready_at(23.0, is_end=False) == 23.0


def test_r9_an_older_message_that_lacks_its_acknowledgement_holds_back_too() -> None:
    pacing = paced()
    pacing.handed_over(1, LONG, 20.0)
    pacing.sent(1, 21.0)
    pacing.handed_over(2, LONG, 21.1)
    pacing.sent(2, 22.0)
    pacing.acknowledged(2, 22.2)
    assert pacing.ready_at(22.3, is_end=False) == math.inf
    pacing.acknowledged(1, 24.0)
    assert pacing.ready_at(24.0, is_end=False) == 24.0


def test_an_acknowledgement_that_overtakes_the_notice_of_sending_counts_as_sent() -> None:
    pacing = paced()
    pacing.handed_over(1, 2, 20.0)
    pacing.acknowledged(1, 20.5)
    pacing.sent(1, 20.6)
    assert pacing.ready_at(20.6, is_end=False) == 20.75


def sharing(turns: ServerTurns, count: int, gap_seconds: float = 0.25) -> list[LegacyPacing]:
    return [
        LegacyPacing(gap_seconds=gap_seconds, packet_rate=None, turns=turns, server=SERVER)
        for _ in range(count)
    ]


def test_r9_sessions_that_begin_at_once_take_turns() -> None:
    sessions = sharing(ServerTurns(0.1), 3)
    begins = [session.ready_at(5.0, is_end=False) for session in sessions]
    assert begins == pytest.approx([5.0, 5.1, 5.2])
    # Asking again changes nothing, neither for oneself nor for the others.
    assert [one.ready_at(5.05, is_end=False) for one in sessions] == pytest.approx([5.05, 5.1, 5.2])


def test_r9_a_turn_is_for_one_message() -> None:
    first, second = sharing(ServerTurns(0.1), 2)
    assert first.ready_at(5.0, is_end=False) == 5.0
    settle(first, 0, 1, 5.0)
    assert second.ready_at(6.0, is_end=False) == 6.0
    assert first.ready_at(6.05, is_end=True) == pytest.approx(6.1)


def test_r9_a_turn_that_was_not_used_is_taken_anew() -> None:
    first, second = sharing(ServerTurns(0.1), 2)
    assert first.ready_at(5.0, is_end=False) == 5.0
    assert second.ready_at(9.0, is_end=False) == 9.0
    assert first.ready_at(9.0, is_end=False) == pytest.approx(9.1)


def test_r9_a_turn_lasts_until_the_last_packet_has_left() -> None:
    """Twenty sessions prepare their first messages together, and would finish together."""
    first, second, third = sharing(ServerTurns(0.1), 3)
    assert first.ready_at(5.0, is_end=False) == 5.0
    first.begun(0, 5.0)
    assert second.ready_at(5.0, is_end=False) == pytest.approx(5.1)
    assert third.ready_at(5.0, is_end=False) == pytest.approx(5.2)
    assert second.ready_at(5.1, is_end=False) == pytest.approx(5.3)  # behind the third
    first.handed_over(0, 30, 5.15)
    assert third.ready_at(5.2, is_end=False) == pytest.approx(5.4)
    first.sent(0, 5.25)
    assert second.ready_at(5.3, is_end=False) == pytest.approx(5.5)  # 5.25 is too close
    assert third.ready_at(5.4, is_end=False) == 5.4


def test_r9_a_turn_has_an_end_even_if_nothing_is_heard_of_its_message() -> None:
    first, second = sharing(ServerTurns(0.1), 2)
    assert first.ready_at(5.0, is_end=False) == 5.0
    first.begun(0, 5.0)
    now = 5.0
    while (ready := second.ready_at(now, is_end=False)) > now:
        now = ready
    limit = 5.0 + TURN_LIMIT_SECONDS
    assert limit <= now <= limit + 0.2


def test_r9_the_end_of_a_long_message_does_not_end_the_turn_of_another() -> None:
    long, short, third = sharing(ServerTurns(0.1), 3)
    assert long.ready_at(5.0, is_end=False) == 5.0
    long.begun(0, 5.0)
    long.handed_over(0, 100, 5.0)
    assert short.ready_at(6.0, is_end=False) == 6.0  # the long one took too long
    short.begun(0, 6.0)
    short.handed_over(0, 30, 6.0)
    long.sent(0, 6.05)
    assert third.ready_at(6.2, is_end=False) > 6.2
    short.sent(0, 6.25)
    assert third.ready_at(6.36, is_end=False) == 6.36


def test_r9_nothing_is_reserved_while_a_message_is_prepared() -> None:
    first, second = sharing(ServerTurns(0.1), 2)
    assert first.ready_at(5.0, is_end=False) == 5.0
    first.begun(0, 5.0)
    assert first.ready_at(5.0, is_end=False) == math.inf
    first.handed_over(0, 1, 5.0)
    first.sent(0, 5.0)
    assert second.ready_at(5.1, is_end=False) == 5.1


def test_r9_other_servers_have_turns_of_their_own() -> None:
    turns = ServerTurns(0.1)
    assert [turns.take(SERVER, 5.0), turns.take(OTHER, 5.0)] == [5.0, 5.0]


def test_r9_zero_switches_the_turns_off_too() -> None:
    sessions = sharing(ServerTurns(0.1), 3, gap_seconds=0.0)
    assert [session.ready_at(5.0, is_end=False) for session in sessions] == [5.0] * 3
