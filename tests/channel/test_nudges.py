"""When a peer that has ended is nudged."""

from __future__ import annotations

import math

from nymproxy.channel import ChannelRules
from nymproxy.channel.nudges import Nudges


def nudges(count: int = 3, interval: float = 1.0) -> Nudges:
    return Nudges(ChannelRules(nudges_after_peer_end=count, nudge_interval_seconds=interval))


def after_data(machine: Nudges, *, messages: int = 2, acknowledged_at: float = 10.0) -> Nudges:
    for _ in range(messages):
        machine.data_numbered()
    machine.all_acknowledged(acknowledged_at)
    return machine


def times(machine: Nudges) -> list[float]:
    """When each is taken, if it is taken when it is due."""
    taken = []
    while machine.are_pending:
        now = machine.due_at
        assert not machine.take(now - 0.001)
        assert machine.take(now)
        taken.append(now)
    assert machine.due_at == math.inf
    return taken


def test_they_begin_after_the_acknowledgement_and_end() -> None:
    machine = nudges()
    machine.peer_ended(5.0)
    assert times(after_data(machine)) == [11.0, 12.0, 13.0]
    machine.all_acknowledged(14.0)  # of a nudge: not of data
    assert not machine.are_pending


def test_none_is_due_while_data_is_in_flight() -> None:
    machine = nudges()
    machine.peer_ended(5.0)
    machine.data_numbered()
    machine.data_numbered()
    assert machine.are_pending
    assert machine.due_at == math.inf
    assert not machine.take(100.0)


def test_new_data_begins_them_again() -> None:
    machine = nudges(count=2)
    machine.peer_ended(5.0)
    after_data(machine)
    assert machine.take(11.0)
    assert times(after_data(machine, messages=1, acknowledged_at=20.0)) == [21.0, 22.0]


def test_a_peer_that_goes_on_or_got_one_message_is_left_alone() -> None:
    assert not after_data(nudges()).are_pending
    ended = nudges()
    ended.peer_ended(5.0)
    assert not after_data(ended, messages=1).are_pending
    other = nudges(count=0)
    other.peer_ended(5.0)
    assert not after_data(other).are_pending


def test_an_end_soon_after_the_data_counts_and_one_long_after_it_does_not() -> None:
    machine = after_data(nudges(), acknowledged_at=10.0)
    machine.peer_ended(11.5)
    assert times(machine) == [12.5, 13.5, 14.5]
    late = after_data(nudges(), acknowledged_at=10.0)
    late.peer_ended(12.5)
    assert not late.are_pending


def test_a_second_end_changes_nothing_and_a_stop_is_final() -> None:
    machine = after_data(nudges())
    machine.peer_ended(11.0)
    assert machine.take(12.0)
    machine.peer_ended(12.1)
    assert machine.due_at == 13.0
    machine.stop()
    after_data(machine, acknowledged_at=20.0)
    assert not machine.are_pending
