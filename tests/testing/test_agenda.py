"""The agenda: order, time that passes by steps, and who is told of an earlier action."""

from __future__ import annotations

import math

import pytest

from nymproxy.testing._agenda import Agenda, VirtualAgenda


def test_actions_run_in_order_of_time_and_then_of_planning() -> None:
    agenda = VirtualAgenda()
    done: list[str] = []
    agenda.at(2.0, lambda: done.append("late"))
    agenda.after(1.0, lambda: done.append("first"))
    agenda.at(1.0, lambda: done.append("second"))
    agenda.at(math.inf, lambda: done.append("never"))
    while agenda.next_time < math.inf:
        agenda.step()
    assert done == ["first", "second", "late"]
    assert agenda.now == 2.0
    with pytest.raises(IndexError):
        agenda.step()


def test_what_is_planned_for_the_past_happens_now() -> None:
    agenda = VirtualAgenda()
    times: list[float] = []
    agenda.at(5.0, lambda: agenda.at(1.0, lambda: times.append(agenda.now)))
    agenda.step()
    agenda.step()
    assert times == [5.0]


def test_run_due_runs_also_what_is_planned_meanwhile_and_leaves_the_rest() -> None:
    time = 0.0
    agenda = Agenda(lambda: time)
    done: list[str] = []
    agenda.at(1.0, lambda: agenda.after(0.0, lambda: done.append("now, too")))
    agenda.at(3.0, lambda: done.append("later"))
    time = 2.0
    agenda.run_due()
    assert done == ["now, too"]
    assert agenda.next_time == 3.0


def test_only_an_earlier_action_is_told() -> None:
    told: list[float] = []
    agenda = Agenda(lambda: 0.0, lambda: told.append(agenda.next_time))
    agenda.at(3.0, lambda: None)
    agenda.at(4.0, lambda: None)
    agenda.at(2.0, lambda: None)
    assert told == [3.0, 2.0]
