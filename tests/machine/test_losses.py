"""Losses and timers as a whole: how many packets are sent again without need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from nymproxy.mixnet.traffic import BARE
from nymproxy.testing._pretended_client import PretendedClient, pretended_profile
from nymproxy.testing._pretended_mixnet import PacketFaults
from nymproxy.testing._simulated_plan import SimulatedFaults
from tests.machine.conversations import make_mixnet, submit
from tests.machine.transfers import Transfer

if TYPE_CHECKING:
    from nymproxy.testing._agenda import VirtualAgenda

MESSAGES = 2_000


@pytest.mark.parametrize("jitter_seconds", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_hardly_any_packet_is_sent_again_without_need(jitter_seconds: float, loss: float) -> None:
    """Without need: both packets, the first and the second, are acknowledged."""
    trip = (0.05, 0.05 + jitter_seconds)
    network = make_mixnet(1, PacketFaults(delay=trip, ack_delay=trip, loss=loss))
    agenda = cast("VirtualAgenda", network.agenda)
    alice = PretendedClient("alice", network, pretended_profile(), packet_rate=50.0)
    bob = PretendedClient("bob", network, pretended_profile())
    for number in range(MESSAGES):
        agenda.at(number / 50, partial(submit, alice, bob.machine.address, b"x"))
    while agenda.now < MESSAGES / 50 + 60:
        agenda.step()
        bob.machine.inbox.take()
    counters = alice.machine.counters
    assert bob.machine.counters.messages_received == MESSAGES
    assert counters.unknown_acks <= MESSAGES / 100
    assert counters.retransmissions >= loss * MESSAGES * 0.7


def test_a_megabyte_passes_losses_in_half_a_second_where_nothing_is_measured_before() -> None:
    """``bare``, packets and acks under way for 5 to 15 ms, one in twenty lost: 1.5 s before."""
    transfer = Transfer(
        BARE,
        uploads=1_000_000,
        faults=SimulatedFaults(delay=(0.005, 0.015), ack_delay=(0.005, 0.015), loss=0.05),
    )
    transfer.run(1.0)
    assert len(transfer.acceptor.received) == 1_000_000
    counters = transfer.dialer.client.machine.counters
    assert counters.retransmissions > 40
    assert counters.unknown_acks <= 10
