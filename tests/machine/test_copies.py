"""Copies in place of cover: what they bring, when they leave, and that sending shows nothing."""

from __future__ import annotations

from dataclasses import replace
from statistics import quantiles
from typing import TYPE_CHECKING, cast

import pytest

from nymproxy.mixnet.traffic import DEFAULT, TrafficProfile
from nymproxy.testing._pretended_client import PretendedClient
from nymproxy.testing._pretended_mixnet import PacketFaults
from tests.machine.conversations import Echo, make_mixnet, submit
from tests.machine.line import Line, gaps, two_sample_p_value

if TYPE_CHECKING:
    from nymproxy.testing._agenda import VirtualAgenda

SCHEDULED = replace(DEFAULT, header_pool_size=0)
NO_COPIES = replace(SCHEDULED, copies=0)


def faults(loss: float) -> PacketFaults:
    return PacketFaults(delay=(0.001, 0.003), ack_delay=(0.001, 0.003), loss=loss, ack_loss=loss)


def echo(loss: float, profile: TrafficProfile, *, count: int = 250) -> tuple[list[float], Echo]:
    """The percentiles of an echo in seconds, and the stage."""
    stage = Echo(make_mixnet(7, faults(loss)), profile, surbs=1)
    return quantiles(stage.run(count), n=100), stage


class TestEcho:
    def test_without_loss_the_earlier_of_two_counts(self) -> None:
        with_copies, stage = echo(0.0, SCHEDULED)
        without, _ = echo(0.0, NO_COPIES)
        assert with_copies[49] < 0.93 * without[49]
        assert stage.dialer.machine.counters.retransmissions == 0
        assert stage.dialer.machine.counters.sent["copy"] > 200
        assert stage.server.machine.counters.sent["copy"] > 200

    def test_a_loss_in_a_hundred_is_not_felt(self) -> None:
        percentiles, _ = echo(0.01, SCHEDULED)
        assert percentiles[98] < 0.35

    def test_a_loss_in_twenty_is_hardly_felt(self) -> None:
        percentiles, stage = echo(0.05, SCHEDULED)
        assert percentiles[89] < 0.25
        assert max(stage.seconds) < 0.8


class TestWhenTheyLeave:
    def one_way(
        self, profile: TrafficProfile, payload_bytes: int, seed: int = 3
    ) -> PretendedClient:
        network = make_mixnet(seed, faults(0.0))
        alice = PretendedClient("alice", network, profile)
        bob = PretendedClient("bob", network, profile)
        agenda = cast("VirtualAgenda", network.agenda)
        submit(alice, bob.machine.address, bytes(payload_bytes))
        while agenda.now < 5.0:
            agenda.step()
        assert bob.machine.counters.messages_received == 1
        return alice

    @pytest.mark.parametrize("copies", [0, 1, 2])
    def test_a_small_message_has_as_many_as_the_profile_says(self, copies: int) -> None:
        alice = self.one_way(replace(SCHEDULED, copies=copies), 1)
        assert alice.machine.counters.sent.get("copy", 0) <= copies
        assert alice.machine.counters.sent.get("copy", 0) >= min(copies, 1)

    def test_of_two_packets_only_that_has_one_whose_ack_comes_last(self) -> None:
        """A Rust recipient warns of a fragment that comes again while another is missing."""
        sent = [self.one_way(SCHEDULED, 2_000, seed).machine.counters.sent for seed in range(20)]
        assert max(counts.get("copy", 0) for counts in sent) == 1

    def test_larger_messages_have_none(self) -> None:
        assert "copy" not in self.one_way(SCHEDULED, 4_000).machine.counters.sent

    def test_without_a_schedule_there_are_none(self) -> None:
        unpaced = replace(SCHEDULED, sending_delay_seconds=None, loop_cover_delay_seconds=None)
        assert "copy" not in self.one_way(unpaced, 1).machine.counters.sent

    def test_the_spare_surbs_of_a_peer_are_not_used_up(self) -> None:
        """A reply is copied only while twice the reserve is in hand."""
        stage = Echo(make_mixnet(7, faults(0.0)), NO_COPIES, surbs=1, server_profile=SCHEDULED)
        stage.run(200)
        counters = stage.server.machine.counters
        assert counters.sent["copy"] < 20
        assert "surb-request" not in counters.sent

    def test_a_spare_surb_comes_along_where_it_costs_no_packet(self) -> None:
        """So replies are copied, too, and the peer's stock stays as it is."""
        stage = Echo(make_mixnet(7, faults(0.0)), SCHEDULED, surbs=1)
        stage.run(200)
        counters = stage.server.machine.counters
        assert counters.sent["copy"] > 150
        assert "surb-request" not in counters.sent
        tag = stage.tag
        assert tag is not None
        assert 20 <= stage.server.machine.reply_surbs_in_hand(tag) + 10 <= 45
        assert stage.dialer.machine.counters.sent["data"] == 209  # the first has ten packets

    @pytest.mark.parametrize(("payload_bytes", "expected"), [(201, 3), (202, 2)])
    def test_what_fits_is_known_to_the_byte(self, payload_bytes: int, expected: int) -> None:
        network = make_mixnet(3, faults(0.0))
        alice = PretendedClient("alice", network, SCHEDULED)
        bob = PretendedClient("bob", network, NO_COPIES)
        submit(alice, bob.machine.address, bytes(payload_bytes), surbs=2)
        agenda = cast("VirtualAgenda", network.agenda)
        while (message := bob.machine.inbox.take()) is None:
            agenda.step()
        assert message.sender_tag is not None
        assert alice.machine.counters.sent["data"] == 1
        assert bob.machine._outbox.replies.held(message.sender_tag) == expected


@pytest.mark.timeout(300)  # some seconds of arithmetic, on a machine that may be busy
def test_what_is_sent_looks_alike_idle_and_busy() -> None:
    """10,000 gaps of an idle client and of one in conversation, copies on."""
    idle_network, busy_network = make_mixnet(11, faults(0.0)), make_mixnet(12, faults(0.0))
    idle, busy = Line(idle_network, "dialer"), Line(busy_network, "dialer")
    stage = Echo(busy_network, SCHEDULED, surbs=2)
    client = PretendedClient("dialer", idle_network, SCHEDULED)
    client.pump()
    agenda = cast("VirtualAgenda", idle_network.agenda)
    while len(idle.up) <= 10_000:
        agenda.step()
    while len(busy.up) <= 10_000:
        stage.run(len(stage.seconds) + 50)
    assert stage.dialer.machine.counters.sent["copy"] > 200
    assert two_sample_p_value(gaps(idle.up)[:10_000], gaps(busy.up)[:10_000]) > 0.01


def test_the_test_itself_sees_a_difference() -> None:
    slow, fast = [index / 1000 for index in range(1000)], [index / 1100 for index in range(1000)]
    assert two_sample_p_value(slow, fast) < 0.01
    assert two_sample_p_value(slow, list(slow)) > 0.99
