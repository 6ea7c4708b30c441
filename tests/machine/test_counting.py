"""What a machine holds shows while it holds it, and its round trips when their acks come."""

from __future__ import annotations

from nymproxy.mixnet.machine.status import ClientGauges
from tests.machine.driver import Stage


def test_a_message_shows_on_its_way_and_its_acks_are_round_trips() -> None:
    stage = Stage()
    alice, bob = stage.client("alice"), stage.client("bob")
    nothing = alice.machine.gauges
    assert (nothing.packets_waiting, nothing.packets_unacknowledged) == (0, 0)
    alice.send(bob, surbs=5)
    assert alice.machine.gauges.packets_waiting > 0
    packets = alice.leave()
    assert alice.machine.gauges.packets_unacknowledged > 0
    stage.now += 0.3
    bob.hear(packets)
    assert bob.machine.gauges.surbs_in_hand == 5


def test_what_two_clients_hold_adds_up_but_not_what_has_no_window() -> None:
    one, other = ClientGauges(1, 2, 3, 10.0), ClientGauges(1, 2, 3, None)
    assert one + other == ClientGauges(2, 4, 6, 10.0)
    assert other + other == ClientGauges(2, 4, 6, None)
    assert other + one == one + other
