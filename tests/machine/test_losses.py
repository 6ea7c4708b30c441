"""Losses and timers as a whole: how many packets are sent again without need."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest

from nymproxy.mixnet.traffic import BARE, DEFAULT, OutgoingMessage, PacketKind, TrafficProfile
from nymproxy.testing._agenda import VirtualAgenda
from nymproxy.testing._pretended_client import PretendedClient, pretended_profile
from nymproxy.testing._pretended_mixnet import PacketFaults, PretendedMixnet, Verdict
from nymproxy.testing._simulated_plan import SimulatedFaults
from tests.machine.conversations import make_mixnet, submit
from tests.machine.transfers import Transfer

if TYPE_CHECKING:
    from nymproxy.mixnet.traffic import OutgoingFragment

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


SLOW = replace(DEFAULT, packet_delay_seconds=0.05, ack_delay_seconds=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("asking", "answering", "packet_rate"), [(DEFAULT, BARE, 1200.0), (SLOW, DEFAULT, None)]
)
def test_delays_that_the_peer_drew_for_our_replies_have_none_of_them_sent_again(
    asking: TrafficProfile, answering: TrafficProfile, packet_rate: float | None, seed: int
) -> None:
    """58 packets in a row to somebody who was sent nothing before: of a server in ``bare`` seven
    went twice, and a Rust client, whose delays those of ``default`` are, warned of each."""
    way = (0.001, 0.003)
    network = make_mixnet(seed, PacketFaults(delay=way, ack_delay=way))
    agenda = cast("VirtualAgenda", network.agenda)
    client = PretendedClient("client", network, replace(asking, header_pool_size=0))

    def question_came() -> None:
        while (message := server.machine.inbox.take()) is not None:
            assert message.sender_tag is not None
            agenda.after(0, partial(submit, server, message.sender_tag, bytes(90_000)))

    server = PretendedClient(
        "server",
        network,
        replace(answering, header_pool_size=0, copies=0),
        packet_rate=packet_rate,
        on_pumped=question_came,
    )
    submit(client, server.machine.address, b"question", surbs=100)
    while (
        not client.machine.counters.messages_received
        or server.machine.gauges.packets_unacknowledged
    ):
        agenda.step()
    counters = server.machine.counters
    assert (counters.retransmissions, counters.unknown_acks) == (0, 0)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_megabyte_passes_losses_in_half_a_second_where_nothing_is_measured_before(
    direction: str,
) -> None:
    """``bare``, packets and acks under way for 5 to 15 ms, one in twenty lost: 1.5 s before."""
    total = 1_000_000
    transfer = Transfer(
        BARE,
        uploads=total if direction == "up" else 0,
        downloads=total if direction == "down" else 0,
        faults=SimulatedFaults(delay=(0.005, 0.015), ack_delay=(0.005, 0.015), loss=0.05),
    )
    transfer.run(1.0)
    ends = (transfer.dialer, transfer.acceptor)
    sender, recipient = ends if direction == "up" else reversed(ends)
    assert len(recipient.received) == total
    counters = sender.client.machine.counters
    assert counters.retransmissions > 40
    assert counters.unknown_acks <= 10


@pytest.mark.parametrize(
    ("loss", "direction", "least"),
    [(0.0, "down", 76), (0.01, "down", 73), (0.05, "down", 66), (0.05, "up", 68)],
)
def test_what_losses_leave_of_a_transfer_in_the_default_profile(
    loss: float, direction: str, least: float
) -> None:
    """kB/s at one packet every 20 ms, whose most is 79: the slots are counted, for the moments of
    the schedule are dice. Payload of 500 kB, of a stream that runs already."""
    total, warm = 600_000, 100_000
    way = (0.002, 0.006)
    transfer = Transfer(
        DEFAULT,
        uploads=total if direction == "up" else 0,
        downloads=total if direction == "down" else 0,
        faults=SimulatedFaults(delay=way, ack_delay=way, loss=loss),
    )
    ends = (transfer.dialer, transfer.acceptor)
    sender, recipient = ends if direction == "up" else reversed(ends)

    def slots_until(received: int) -> int:
        while len(recipient.received) < received:
            transfer.run(transfer.agenda.next_time)
        sent = sender.client.machine.counters.sent
        return sum(number for kind, number in sent.items() if kind != "loop-cover")

    before = slots_until(warm)
    seconds = (slots_until(total) - before) * 0.020
    assert (total - warm) / 1000 / seconds >= least


@pytest.mark.parametrize("profile", [DEFAULT, BARE], ids=lambda profile: profile.name)
def test_an_answer_whose_surbs_get_lost_behind_their_acks_takes_seconds(
    profile: TrafficProfile,
) -> None:
    """30 kB, for which three messages of ten SURBs are asked: 30 s before, a look every five."""
    fate: dict[OutgoingMessage, Verdict] = {}

    def verdict_of(message: object) -> Verdict:
        assert isinstance(message, OutgoingMessage)
        if message.kind is not PacketKind.ADDITIONAL_SURBS:
            return Verdict()
        return fate.setdefault(message, Verdict(is_swallowed=len(fate) < 3))

    def note_of(fragment: OutgoingFragment) -> OutgoingMessage:
        return fragment.message

    trip = PacketFaults(delay=(0.02, 0.06), ack_delay=(0.02, 0.06))
    network = PretendedMixnet(VirtualAgenda(), 1, lambda _sender: trip, verdict_of)
    agenda = cast("VirtualAgenda", network.agenda)
    profile = replace(profile, header_pool_size=0)
    client = PretendedClient("client", network, profile, note_of=note_of)

    def questions_came() -> None:
        while (message := server.machine.inbox.take()) is not None:
            assert message.sender_tag is not None
            agenda.after(0, partial(submit, server, message.sender_tag, b"a" * 30_000))

    server = PretendedClient("server", network, profile, note_of=note_of, on_pumped=questions_came)
    submit(client, server.machine.address, b"question", surbs=20)
    while not client.machine.counters.messages_received:
        agenda.step()
    assert agenda.now < 12
    assert sum(verdict.is_swallowed for verdict in fate.values()) == 3
    assert server.machine.counters.sent["surb-request"] == 4
