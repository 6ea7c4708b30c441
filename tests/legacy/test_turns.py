"""R9 between sessions: whose turn it is at an old server."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.legacy.pacing import LegacyPacing
from nymproxy.legacy.turns import MAX_TURN_SERVERS, TURN_LIMIT_SECONDS, ServerTurns
from tests.legacy.addresses import some_address

SERVER, OTHER = some_address("server"), some_address("other")
TURN = 0.1


def sharing(turns: ServerTurns, count: int, gap_seconds: float = 0.25) -> list[LegacyPacing]:
    return [
        LegacyPacing(gap_seconds=gap_seconds, packet_rate=None, turns=turns, server=SERVER)
        for _ in range(count)
    ]


def woken(sessions: list[LegacyPacing]) -> list[int]:
    """Return a list to which each session's number is appended when it is woken."""
    numbers: list[int] = []
    for number, session in enumerate(sessions):
        session.wake = lambda number=number: numbers.append(number)  # type: ignore[misc]
    return numbers


def test_the_first_to_come_begins_at_once() -> None:
    first, second = sharing(ServerTurns(TURN), 2)
    assert first.ready_at(5.0, is_end=False) == 5.0
    # Asking reserves nothing.
    assert second.ready_at(5.0, is_end=False) == 5.0


def test_a_turn_lasts_until_the_last_packet_has_left() -> None:
    """Twenty sessions prepare their first messages together, and would finish together."""
    sessions = sharing(ServerTurns(TURN), 3)
    first, second, third = sessions
    numbers = woken(sessions)
    first.begun(0, 5.0)
    assert second.ready_at(5.0, is_end=False) > 5.2
    assert third.ready_at(5.1, is_end=False) > 5.2
    first.handed_over(0, 30, 5.15)
    first.sent(0, 5.25)
    assert numbers == [1]
    assert second.ready_at(5.25, is_end=False) == pytest.approx(5.35)
    assert second.ready_at(5.35, is_end=False) == 5.35
    second.begun(0, 5.35)
    second.handed_over(0, 30, 5.4)
    second.sent(0, 5.45)
    assert numbers == [1, 2]
    assert third.ready_at(5.55, is_end=False) == 5.55


def test_a_turn_is_for_one_message() -> None:
    first, second = sharing(ServerTurns(TURN), 2)
    first.begun(0, 5.0)
    first.handed_over(0, 1, 5.0)
    first.sent(0, 5.0)
    first.acknowledged(0, 5.1)
    second.begun(0, 6.0)
    assert first.ready_at(6.05, is_end=True) > 6.05


def test_a_turn_has_an_end_even_if_nothing_is_heard_of_its_message() -> None:
    first, second = sharing(ServerTurns(TURN), 2)
    first.begun(0, 5.0)
    ends = 5.0 + TURN_LIMIT_SECONDS
    assert second.ready_at(5.0, is_end=False) == ends
    assert second.ready_at(ends, is_end=False) == ends


def test_the_end_of_a_long_message_does_not_end_the_turn_of_another() -> None:
    long, short, third = sharing(ServerTurns(TURN), 3)
    long.begun(0, 5.0)
    long.handed_over(0, 100, 5.0)
    assert short.ready_at(6.0, is_end=False) == 6.0  # the long one took too long
    short.begun(0, 6.0)
    short.handed_over(0, 30, 6.0)
    long.sent(0, 6.05)
    assert third.ready_at(6.2, is_end=False) == 6.0 + TURN_LIMIT_SECONDS
    short.sent(0, 6.25)
    assert third.ready_at(6.35, is_end=False) == 6.35


def test_a_session_that_prepares_a_message_does_not_wait_for_another_turn() -> None:
    first, second = sharing(ServerTurns(TURN), 2)
    numbers = woken([first, second])
    first.begun(0, 5.0)
    assert first.ready_at(5.0, is_end=False) == math.inf
    first.handed_over(0, 1, 5.0)
    first.sent(0, 5.0)
    assert numbers == []


def test_other_servers_have_turns_of_their_own() -> None:
    turns = ServerTurns(TURN)
    (here,) = sharing(turns, 1)
    there = LegacyPacing(gap_seconds=0.25, packet_rate=None, turns=turns, server=OTHER)
    here.begun(0, 5.0)
    assert there.ready_at(5.0, is_end=False) == 5.0


def test_zero_switches_the_turns_off_too() -> None:
    first, second = sharing(ServerTurns(TURN), 2, gap_seconds=0.0)
    first.begun(0, 5.0)
    assert second.ready_at(5.0, is_end=False) == 5.0


def test_the_server_that_was_used_longest_ago_is_forgotten() -> None:
    turns = ServerTurns(TURN)
    sessions = [
        LegacyPacing(
            gap_seconds=0.25, packet_rate=None, turns=turns, server=some_address(str(number))
        )
        for number in range(MAX_TURN_SERVERS + 1)
    ]
    for session in sessions:
        session.begun(0, 5.0)
    first, last = some_address("0"), some_address(str(MAX_TURN_SERVERS))
    assert turns.ready_at(first, sessions[1], 5.0) == 5.0
    assert turns.ready_at(last, sessions[1], 5.0) > 5.0


@dataclass(slots=True)
class Play:
    """Sessions with one message each, on a clock of their own; some die while they wait."""

    preparing_seconds: list[float]
    dying: set[int]
    now: float = 0.0
    began: list[int] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    _events: list[tuple[float, int, int, str]] = field(default_factory=list)

    def run(self) -> None:
        turns = ServerTurns(TURN)
        sessions = sharing(turns, len(self.preparing_seconds))
        for number, session in enumerate(sessions):
            session.wake = lambda number=number: self._at(self.now, number, "ask")  # type: ignore[misc]
            self._at(0.0, number, "ask")
        while self._events:
            self.now, _, number, what = heappop(self._events)
            session = sessions[number]
            if what == "sent":
                self.sent_at.append(self.now)
                session.sent(0, self.now)
            elif number not in self.began:
                self._ask(number, session)

    def _ask(self, number: int, session: LegacyPacing) -> None:
        ready = session.ready_at(self.now, is_end=False)
        if ready > self.now:
            if number not in self.dying:
                self._at(ready, number, "ask")
            return
        self.began.append(number)
        session.begun(0, self.now)
        session.handed_over(0, 30, self.now)
        self._at(self.now + self.preparing_seconds[number], number, "sent")

    def _at(self, when: float, number: int, what: str) -> None:
        heappush(self._events, (when, len(self._events), number, what))


@given(
    st.lists(st.floats(0.001, TURN_LIMIT_SECONDS / 2), min_size=1, max_size=30),
    st.sets(st.integers(1, 29)),
)
def test_every_session_has_its_turn_and_none_meets_another(
    preparing_seconds: list[float], dying: set[int]
) -> None:
    play = Play(preparing_seconds, dying)
    play.run()
    living = set(range(len(preparing_seconds))) - dying
    assert living <= set(play.began)
    assert all(later - earlier >= TURN - 1e-9 for earlier, later in pairwise(play.sent_at))
    # Nobody waits longer than if every turn before had been as long as it may be.
    assert play.now <= len(preparing_seconds) * (TURN_LIMIT_SECONDS + TURN)


def test_a_message_to_a_server_that_was_forgotten_changes_nothing() -> None:
    turns = ServerTurns(TURN)
    (session,) = sharing(turns, 1)
    turns.sent(SERVER, session, 5.0)
    assert turns.ready_at(SERVER, session, 5.0) == 5.0
