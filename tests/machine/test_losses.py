"""Losses and timers as a whole: how many packets are sent again without need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from nymproxy.testing._pretended_client import PretendedClient, pretended_profile
from nymproxy.testing._pretended_mixnet import PacketFaults
from tests.machine.conversations import make_mixnet, submit

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
