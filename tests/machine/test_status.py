"""Status and counters as values."""

from __future__ import annotations

from dataclasses import replace

from nymproxy.mixnet.machine.status import NOTHING_DONE, READY
from tests.machine.driver import Stage


def test_ready_is_all_of_it() -> None:
    assert (READY.fraction, READY.is_ready, READY.is_closed) == (1.0, True, False)


def test_what_several_clients_did_adds_up() -> None:
    one = replace(NOTHING_DONE, sent={"data": 2, "cover": 1}, acknowledged=3)
    both = one + replace(NOTHING_DONE, sent={"data": 5}, acknowledged=4)
    assert both.sent == {"data": 7, "cover": 1}
    assert (both.acknowledged, both.retransmissions) == (7, 0)
    assert NOTHING_DONE + one == one


def test_packets_sent_is_the_sum_of_the_kinds_and_a_snapshot_stays() -> None:
    alice = Stage().client("alice")
    alice.send(alice, surbs=5)
    before = alice.machine.counters
    alice.hear(alice.leave())
    assert before.packets_sent == 0
    counters = alice.machine.counters
    assert counters.packets_sent == sum(counters.sent.values()) == 2
