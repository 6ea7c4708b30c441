"""ClientMachine: what it refuses, what leaves when, what arrives, and how it ends."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.errors import (
    AddressError,
    ClientDisconnected,
    DeliveryAbandoned,
    GatewayUnreachable,
    MessageTooLarge,
    NoReplySurbs,
    NymError,
    SphinxError,
    SphinxErrorKind,
    TopologyUnavailable,
    UnknownGateway,
    UsageError,
)
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.machine import inbox as inbox_module
from nymproxy.mixnet.records import MAX_MESSAGE_BYTES, Received
from nymproxy.mixnet.traffic import DEFAULT, WindowLimits
from tests.machine.driver import OPEN, HandClient, Stage, exchange, meet

if TYPE_CHECKING:
    from nymproxy.testing._pretended_packets import PretendedPacket

STRANGER = SenderTag(bytes(16))
OVERLAP_SECONDS = 3600.0
SCHEDULED = replace(DEFAULT, header_pool_size=0, loop_cover_delay_seconds=None)


def pair() -> tuple[Stage, HandClient, HandClient]:
    stage = Stage()
    return stage, stage.client("alice"), stage.client("bob")


class TestSubmit:
    def test_a_message_leaves_arrives_and_is_acknowledged(self) -> None:
        _stage, alice, bob = pair()
        delivery = alice.send(bob, bytes(5000), surbs=3).delivery
        packets = alice.leave()
        assert len(packets) == delivery.packet_count == 4
        assert delivery.is_sent
        bob.hear(packets)
        [message] = bob.taken()
        assert message.payload == bytes(5000)
        assert message.sender_tag is not None
        alice.acked(packets)
        assert delivery.is_acknowledged
        assert bob.outbox.replies.held(message.sender_tag) == 3

    def test_a_plain_message_has_no_sender(self) -> None:
        stage, alice, bob = pair()
        alice.machine.submit_plain(bob.address, b"x", lane=0, now=stage.now)
        bob.hear(alice.leave())
        assert bob.taken() == [Received(b"x", None)]

    @pytest.mark.parametrize(
        ("to", "payload", "surbs", "error"),
        [
            ("bob", bytes(MAX_MESSAGE_BYTES + 1), 0, MessageTooLarge),
            ("bob", b"x", -1, UsageError),
            (STRANGER, b"", 0, UsageError),
            (STRANGER, b"x", 1, UsageError),
            (STRANGER, b"x", 0, NoReplySurbs),
        ],
    )
    def test_refusals(
        self, to: str | SenderTag, payload: bytes, surbs: int, error: type[NymError]
    ) -> None:
        _stage, alice, bob = pair()
        with pytest.raises(error):
            alice.send(bob if isinstance(to, str) else to, payload, surbs=surbs)
        assert alice.machine.next_departure() == math.inf

    def test_an_unknown_gateway_and_no_topology(self) -> None:
        stage, alice, bob = pair()
        elsewhere = NodeIdentity(bytes([0x58] + [0x66] * 31))
        address = NymAddress(bob.address.identity, bytes(32), elsewhere)
        with pytest.raises(UnknownGateway):
            alice.send(address)
        with pytest.raises(UnknownGateway):
            alice.machine.submit_plain(address, b"x", lane=0, now=stage.now)
        alice.machine.use_topology(None, OVERLAP_SECONDS, stage.now)
        with pytest.raises(TopologyUnavailable):
            alice.send(bob)

    def test_the_payload_is_that_of_the_moment_of_asking(self) -> None:
        stage, alice, bob = pair()
        payload = bytearray(b"before")
        submission = alice.machine.submit(
            bob.address,
            memoryview(payload),  # type: ignore[arg-type]
            surbs=20,
            lane=0,
            now=stage.now,
        )
        payload[:] = b"after!"
        while not submission.is_made:
            alice.machine.advance(submission, stage.now)
        bob.hear(alice.leave())
        assert bob.payloads() == [b"before"]

    def test_what_waits_is_admitted_in_order_as_packets_leave(self) -> None:
        stage = Stage()
        alice = stage.client("alice", replace(OPEN, lane_packets=1))
        bob = stage.client("bob")
        submissions = [alice.send(bob, bytes([number])) for number in range(4)]
        assert [each.is_admitted for each in submissions] == [True, False, False, False]
        bob.hear(alice.leave())
        assert bob.payloads() == [bytes([number]) for number in range(4)]
        assert all(each.is_admitted for each in submissions)


class TestDiscard:
    def test_it_fails_what_waits_for_a_lane_in_it_and_in_flight(self) -> None:
        stage = Stage()
        alice = stage.client("alice", replace(OPEN, lane_packets=1))
        bob = stage.client("bob")
        in_flight = alice.send(bob, lane=1)
        alice.leave()
        queued, waiting = alice.send(bob, lane=1), alice.send(bob, lane=1)
        other = alice.send(bob, b"other", lane=2)
        alice.machine.discard_lane(1)
        assert isinstance(waiting.error, DeliveryAbandoned)
        for submission in (in_flight, queued):
            assert isinstance(submission.delivery.error, DeliveryAbandoned)
        bob.hear(alice.leave())
        assert bob.payloads() == [b"other"]
        assert other.delivery.is_sent
        assert alice.outbox.lane_room.total == 0

    def test_what_waits_for_surbs_in_it_goes_as_well(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 10)
        doomed = server.send(tag, bytes(30_000), lane=1).delivery
        other = server.send(tag, b"other", lane=2).delivery
        server.machine.discard_lane(1)
        assert isinstance(doomed.error, DeliveryAbandoned)
        assert server.outbox.tag_room.used(tag) == 1
        exchange(client, server)
        assert client.payloads() == [b"other"]
        assert other.is_acknowledged

    def test_a_forgotten_submission_is_out_of_its_reach(self) -> None:
        stage = Stage()
        alice = stage.client("alice", replace(OPEN, lane_packets=1))
        alice.send(alice)
        waiting = alice.send(alice)
        alice.machine.forget(waiting)
        alice.machine.forget(waiting)
        alice.machine.discard_lane(0)
        assert waiting.is_settled  # admitted to the emptied lane
        assert waiting.error is None


class TestReplies:
    def test_beyond_the_reserve_they_leave_at_once(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 12)
        assert server.machine.knows(tag)
        assert server.machine.reply_surbs_in_hand(tag) == 2
        delivery = server.send(tag, b"answer").delivery
        packets = server.leave()
        client.hear(packets)
        server.acked(packets)
        assert client.taken() == [Received(b"answer", None)]
        assert delivery.is_acknowledged

    def test_with_the_reserve_only_a_request_leaves_and_its_answer_brings_them(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 10)
        server.send(tag, b"answer")
        request = server.leave()
        assert server.machine.counters.sent == {"surb-request": 1}
        client.hear(request)
        assert client.machine.has_chores
        exchange(client, server)
        assert client.payloads() == [b"answer"]
        assert client.machine.counters.sent["additional-surbs"] > 0

    def test_nobody_gets_surbs_for_what_is_asked_in_the_name_of_another(self) -> None:
        """Else whoever holds a SURB of ours could have them sent, and paid for, anywhere."""
        stage = Stage()
        client, server, tag = meet(stage, 10)
        victim = stage.client("victim")
        client.send(victim, b"hello", surbs=10)  # somebody whom it would answer
        victim.hear(client.leave())
        server.machine._composer._address = victim.address
        server.send(tag, b"answer")
        client.hear(server.leave())
        assert server.machine.counters.sent == {"surb-request": 1}
        assert not client.machine.has_chores
        exchange(client, victim)
        assert "additional-surbs" not in client.machine.counters.sent

    def test_the_tag_that_a_server_knows_us_by_can_be_asked_for(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 10)
        other = stage.client("other")
        assert client.machine.sender_tag_for(server.address) == tag
        assert client.machine.sender_tag_for(other.address) != tag

    def test_a_sender_of_a_message_without_surbs_is_known(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 0)
        delivery = server.send(tag, b"answer").delivery
        assert server.leave() == []
        client.send(server, b"with SURBs", surbs=20)
        exchange(client, server)
        assert client.payloads() == [b"answer"]
        assert delivery.is_acknowledged

    def test_ten_seconds_after_a_sender_was_met_its_surbs_are_not_waited_for(self) -> None:
        stage = Stage()
        _client, server, tag = meet(stage, 0)
        early = server.send(tag, b"answer").delivery
        while not early.is_settled:
            stage.now = server.machine.next_deadline()
            server.tick()
        assert 10.0 < stage.now - 1000.0 <= 15.0
        late = server.send(tag, b"answer").delivery
        assert isinstance(early.error, DeliveryAbandoned)
        assert isinstance(late.error, DeliveryAbandoned)

    def test_what_waits_for_surbs_takes_no_room_from_others(self) -> None:
        stage = Stage()
        profile = replace(OPEN, total_packets=64, lane_packets=64)
        _client, server, tag = meet(stage, 10, profile)
        for lane in range(10):
            server.send(tag, bytes(30_000), lane=lane)
        assert server.outbox.tag_room.total > 128
        other = stage.client("other")
        assert all(server.send(other, lane=100 + number).is_admitted for number in range(20))

    def test_when_too_much_waits_for_surbs_the_peer_with_most_loses(self) -> None:
        stage = Stage()
        policy = replace(OPEN.surbs, total_waiting=128)
        server = stage.client("server", replace(OPEN, surbs=policy))
        tags = []
        for number in range(3):
            client = stage.client(f"client {number}")
            client.send(server, surbs=10)
            server.hear(client.leave())
            [message] = server.taken()
            assert message.sender_tag is not None
            tags.append(message.sender_tag)
        large = server.send(tags[0], bytes(160_000)).delivery
        small = server.send(tags[1], bytes(50_000)).delivery
        last = server.send(tags[2], bytes(50_000))
        assert isinstance(large.error, DeliveryAbandoned)
        assert last.is_admitted
        assert small.error is None

    def test_at_exactly_the_reserve_a_retransmission_leaves_and_a_reply_does_not(self) -> None:
        stage = Stage()
        _client, server, tag = meet(stage, 11)
        server.send(tag, b"first")
        assert len(server.leave()) == 1
        assert server.outbox.replies.held(tag) == 10
        stage.now = server.machine.next_deadline()
        server.tick()
        assert [packet.note.retransmissions for packet in server.leave()] == [1]  # type: ignore[attr-defined]
        assert server.machine.counters.retransmissions == 1

    def test_requests_without_answer_fail_what_waits(self) -> None:
        stage = Stage()
        policy = replace(OPEN.surbs, rerequest_seconds=1.0, maximum_rerequests=1)
        _client, server, tag = meet(stage, 10, replace(OPEN, surbs=policy))
        delivery = server.send(tag, b"answer").delivery
        for _ in range(200):
            server.leave()
            stage.now = server.machine.next_deadline()
            server.tick()
            if delivery.is_settled:
                break
        assert isinstance(delivery.error, DeliveryAbandoned)


class TestTimers:
    def test_no_timer_no_deadline(self) -> None:
        stage, alice, bob = pair()
        assert alice.machine.next_deadline() == math.inf
        bob.send(alice)
        alice.hear(bob.leave())
        assert alice.machine.next_deadline() == stage.now + 5.0  # it holds a sender now

    def test_a_packet_without_ack_leaves_again_until_it_is_given_up(self) -> None:
        stage = Stage()
        alice = stage.client("alice", replace(OPEN, maximum_retransmissions=2))
        bob = stage.client("bob")
        delivery = alice.send(bob).delivery
        sent = len(alice.leave())
        while not delivery.is_settled:
            stage.now = alice.machine.next_deadline()
            alice.tick()
            sent += len(alice.leave())
        assert sent == 3
        assert isinstance(delivery.error, DeliveryAbandoned)
        assert alice.machine.counters.given_up == {"delivery-abandoned": 1}
        assert alice.machine.counters.sent == {"data": 1, "retransmission": 2}

    def test_a_late_tick_gives_acks_that_wait_to_be_read_more_time(self) -> None:
        stage, alice, bob = pair()
        alice.send(bob)
        alice.leave()
        stage.now += 1.0
        alice.send(bob)
        packets = alice.leave()
        stage.now += 5.0  # the process slept
        alice.tick()
        # The earliest fires all the same: a process that is always late retransmits, too.
        assert alice.machine.counters.retransmissions == 1
        assert stage.now < alice.machine.next_deadline() <= stage.now + 1.0
        alice.acked(packets)
        assert alice.machine.next_deadline() == math.inf

    @pytest.mark.parametrize("first", ["timers", "what waited"])
    def test_acks_that_waited_while_we_slept_make_no_timer_longer(self, first: str) -> None:
        """The event loop may come to either first."""
        stage, alice, bob = pair()
        for _ in range(20):
            alice.send(bob)
        packets = alice.leave()
        stage.now += 100.0
        if first == "timers":
            alice.tick()
        alice.acked(packets)
        alice.send(bob)
        alice.leave()
        assert alice.machine.next_deadline() <= stage.now + 2.0

    def test_who_slept_trusts_the_last_surbs_until_the_topology_is_known(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 12)
        assert server.machine.next_deadline() == stage.now + 5.0  # nothing is in flight
        client.send(server, surbs=1)
        [later] = client.leave()
        stage.now += 30.0
        server.hear([later])
        stock = server.outbox.replies._correspondents.get(tag).stock
        last = stock._fresh[-1].surb
        server.send(tag, b"answer")
        assert server.outbox._lanes.pop().surb is last
        server.machine.use_topology(stage.mixnet.rotate(), OVERLAP_SECONDS, stage.now)
        assert not server.outbox.replies.waking.has_slept

    def test_a_tick_that_is_hardly_late_retransmits(self) -> None:
        stage, alice, bob = pair()
        alice.send(bob)
        alice.leave()
        stage.now = alice.machine.next_deadline() + 0.09
        alice.tick()
        assert alice.machine.counters.retransmissions == 1

    def test_while_the_gateway_is_not_read_timers_wait_but_not_for_ever(self) -> None:
        stage, alice, bob = pair()
        alice.send(bob)
        alice.leave()
        alice.machine.reading_paused(stage.now)
        paused_at = stage.now
        while not alice.machine.counters.retransmissions:
            stage.now = alice.machine.next_deadline()
            alice.tick()
        assert 10.0 < stage.now - paused_at < 12.0
        alice.machine.reading_resumed(stage.now)

    def test_ticks_of_the_reply_control_come_every_five_seconds(self) -> None:
        stage = Stage()
        _client, server, _tag = meet(stage, 12)
        began = stage.now
        for number in range(1, 4):
            stage.now = server.machine.next_deadline()
            assert stage.now == began + 5.0 * number
            server.tick()


class TestDepartures:
    def test_a_batch_has_eight_packets(self) -> None:
        _stage, alice, bob = pair()
        alice.send(bob, bytes(20_000))
        assert len(alice.leave(batches=1)) == 8

    def test_the_window_closes_and_acks_open_it(self) -> None:
        stage = Stage()
        window = WindowLimits(initial=4, minimum=4, maximum=4)
        alice = stage.client("alice", replace(OPEN, window=window))
        alice.send(alice, bytes(20_000))
        packets = alice.leave()
        assert len(packets) == 4
        alice.acked(packets[:1])
        assert len(alice.leave()) == 1

    def test_a_schedule_sends_cover_when_nothing_waits_and_loop_cover_besides(self) -> None:
        stage = Stage()
        alice, bob = stage.client("alice", DEFAULT), stage.client("bob")
        delivery = alice.send(bob, bytes(5000)).delivery
        packets = []
        began = stage.now
        while stage.now < began + 10.0:
            stage.now = alice.machine.next_departure()
            packets += alice.leave()
        counters = alice.machine.counters
        assert counters.sent["data"] == delivery.packet_count
        assert 400 < counters.sent["cover"] + counters.sent["data"] < 600
        assert 20 < counters.sent["loop-cover"] < 80
        assert len(packets) == counters.packets_sent
        alice.hear(packets)
        alice.acked(packets)
        assert alice.machine.counters.covers_received == (
            counters.sent["cover"] + counters.sent["loop-cover"]
        )
        assert alice.machine.counters.unknown_acks == 0

    def test_what_was_given_up_meanwhile_leaves_no_gap_in_an_unpaced_batch(self) -> None:
        _stage, alice, bob = pair()
        alice.send(bob, lane=1).call_off()
        assert alice.leave() == []
        assert alice.machine.counters.sent == {}


class TestUnbuilt:
    def test_without_a_route_the_timer_brings_the_fragment_back(self) -> None:
        stage, alice, bob = pair()
        delivery = alice.send(bob).delivery
        alice.maker.error = UnknownGateway("gone")
        assert alice.leave() == []
        assert alice.machine.counters.unbuilt == {"unknown-gateway": 1}
        alice.maker.error = None
        stage.now = alice.machine.next_deadline()
        alice.tick()
        packets = alice.leave()
        assert len(packets) == 1
        alice.acked(packets)
        assert delivery.is_acknowledged

    @pytest.mark.parametrize(
        "error", [AddressError("zero"), SphinxError(SphinxErrorKind.INVALID_SURB, "bad")]
    )
    def test_what_can_never_be_built_is_given_up(self, error: NymError) -> None:
        _stage, alice, bob = pair()
        delivery = alice.send(bob).delivery
        alice.maker.error = error
        assert alice.leave() == []
        assert delivery.error is error
        assert sum(alice.machine.counters.unbuilt.values()) == 1
        assert alice.machine.next_deadline() == math.inf

    def test_a_copy_that_cannot_be_built_is_counted_and_costs_its_message_nothing(self) -> None:
        stage = Stage()
        alice, bob = stage.client("alice", SCHEDULED), stage.client("bob")
        delivery = alice.send(bob).delivery
        packets: list[PretendedPacket] = []
        while not delivery.is_sent:
            stage.now = alice.machine.next_departure()
            packets += alice.leave(1)
        before = sum(alice.machine.counters.sent.values())
        alice.maker.error = TopologyUnavailable("none")
        stage.now = alice.machine.next_departure()
        assert alice.leave(1) == []  # neither the copy nor cover in its place
        assert alice.machine.counters.unbuilt == {"topology-unavailable": 2}
        assert sum(alice.machine.counters.sent.values()) == before
        alice.maker.error = None
        alice.acked(packets)
        assert delivery.is_acknowledged

    def test_cover_that_cannot_be_built_is_counted(self) -> None:
        stage = Stage()
        alice = stage.client("alice", DEFAULT)
        alice.maker.error = TopologyUnavailable("none")
        stage.now = alice.machine.next_departure()
        alice.leave()
        assert sum(alice.machine.counters.unbuilt.values()) >= 1
        assert alice.machine.counters.sent == {}


class TestArrivals:
    def test_garbage_is_counted_and_does_no_harm(self) -> None:
        stage, alice, bob = pair()
        for garbage in (b"", b"x" * 21, b"y" * 33, bytes(1643), random.Random(1).randbytes(1643)):
            alice.machine.frame_arrived(garbage, stage.now)
        counters = alice.machine.counters
        assert sum(counters.malformed.values()) == 4
        assert counters.unknown_acks == 1
        bob.send(alice)
        alice.hear(bob.leave())
        assert alice.payloads() == [b"x"]

    def test_duplicates_are_dropped_and_counted(self) -> None:
        _stage, alice, bob = pair()
        bob.send(alice)
        packets = bob.leave()
        alice.hear([*packets, *packets])
        assert alice.payloads() == [b"x"]
        assert alice.machine.counters.late_duplicates == 1
        assert alice.machine.counters.messages_received == 1
        assert alice.machine.counters.bytes_received == 1
        bob.acked([*packets, *packets])
        assert bob.machine.counters.acknowledged == 2
        assert bob.machine.counters.unknown_acks == 1

    def test_a_full_inbox_stops_the_reading(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inbox_module, "MAXIMUM_MESSAGES", 2)
        _stage, alice, bob = pair()
        for _ in range(2):
            assert alice.machine.may_read
            bob.send(alice)
            alice.hear(bob.leave())
        assert not alice.machine.may_read
        alice.machine.inbox.take()
        assert alice.machine.may_read


class TestTopology:
    def test_a_rotation_replaces_the_surbs_in_hand(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 30)
        server.machine.live_peers.hold(tag)
        topology = stage.mixnet.rotate()
        client.machine.use_topology(topology, OVERLAP_SECONDS, stage.now)
        server.machine.use_topology(topology, OVERLAP_SECONDS, stage.now)
        server.machine.use_topology(topology, OVERLAP_SECONDS, stage.now)  # nothing new
        exchange(client, server)
        assert server.machine.counters.sent["surb-request"] == 1
        assert server.outbox.replies.held(tag) > 30
        stock = server.outbox.replies._correspondents.get(tag).stock
        assert stock.fresh == 30

    def test_a_rotation_asks_nobody_with_whom_nothing_goes_on(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 30)
        server.machine.live_peers.hold(tag)
        server.machine.live_peers.let_go(tag)
        topology = stage.mixnet.rotate()
        server.machine.use_topology(topology, OVERLAP_SECONDS, stage.now)
        exchange(client, server)
        assert "surb-request" not in server.machine.counters.sent

    @pytest.mark.parametrize("asleep", ["client", "server"])
    def test_after_several_rotations_a_peer_that_holds_dead_surbs_only_gets_new_ones(
        self, asleep: str
    ) -> None:
        """One of both stands still meanwhile; what the other sent last tells it of no rotation."""
        stage = Stage()
        client, server, tag = meet(stage, 30)
        server.machine.live_peers.hold(tag)
        client.machine.live_peers.hold(server.address)
        for number in range(4):
            topology = stage.mixnet.rotate()
            stage.now += 10 * OVERLAP_SECONDS
            awake = [client, server] if number == 3 else [client if asleep == "server" else server]
            for each in awake:
                each.machine.use_topology(topology, OVERLAP_SECONDS, stage.now)
        assert server.outbox.replies.held(tag) == 0
        exchange(client, server)
        server.machine.submit(tag, b"answer", surbs=0, lane=1, now=stage.now)
        exchange(client, server)
        assert [message.payload for message in client.taken()] == [b"answer"]
        assert server.outbox.replies.held(tag) > 0

    def test_a_peer_with_which_nothing_goes_on_gets_no_new_surbs(self) -> None:
        stage = Stage()
        client, server, _tag = meet(stage, 30)
        for _ in range(2):
            client.machine.live_peers.hold(server.address)
        for _ in range(2):
            client.machine.live_peers.let_go(server.address)
        for _ in range(3):
            topology = stage.mixnet.rotate()
            client.machine.use_topology(topology, OVERLAP_SECONDS, stage.now)
        exchange(client, server)
        assert "additional-surbs" not in client.machine.counters.sent

    def test_without_topology_it_waits_and_says_so(self) -> None:
        stage, alice, bob = pair()
        alice.send(bob)
        alice.machine.use_topology(None, OVERLAP_SECONDS, stage.now)
        assert alice.machine.status.fraction == 0.5
        assert alice.leave() == []
        alice.machine.use_topology(stage.mixnet.topology, OVERLAP_SECONDS, stage.now)
        assert alice.machine.status.fraction == 1.0
        stage.now = alice.machine.next_deadline()
        alice.tick()
        bob.hear(alice.leave())
        assert bob.payloads() == [b"x"]

    def test_the_link_shows_in_the_status(self) -> None:
        stage, alice, _bob = pair()
        assert alice.machine.status.is_ready
        alice.machine.link_changed("reconnecting", stage.now)
        assert alice.machine.status.reason == "reconnecting"
        assert 0.5 < alice.machine.status.fraction < 1
        alice.machine.link_changed(None, stage.now)
        assert alice.machine.status.is_ready


class TestReturn:
    def test_with_the_link_comes_what_waited_for_a_long_timer(self) -> None:
        stage, alice, bob = pair()
        alice.send(bob)
        [packet] = alice.leave()
        alice.machine.link_changed("reconnecting", stage.now)
        for _ in range(4):
            stage.now = alice.machine.next_deadline()
            alice.tick()
            alice.leave()
        assert alice.machine.next_deadline() > stage.now + 5
        alice.machine.link_changed(None, stage.now + 4.0)
        assert alice.machine.next_deadline() == pytest.approx(stage.now + 4.25)
        alice.acked([packet])


class TestChores:
    def test_headers_are_prepared_when_nothing_leaves(self) -> None:
        stage, alice, bob = pair()
        alice.maker.wanted_headers = 3
        alice.send(bob)
        assert not alice.machine.has_chores
        packets = alice.leave()
        alice.work()
        assert alice.maker.prepared_headers == 0  # many a client has no use for more than this
        stage.now += 1.0
        alice.acked(packets)
        alice.work()
        assert alice.maker.prepared_headers == 3
        alice.machine.do_chore(stage.now)  # nothing is left
        assert alice.maker.prepared_headers == 3

    def test_surbs_that_somebody_waits_for_come_first(self) -> None:
        stage = Stage()
        client, server, tag = meet(stage, 10)
        stage.now += 1.0
        server.send(tag)
        client.maker.wanted_headers = 1
        client.hear(server.leave())
        client.machine.do_chore(stage.now)
        assert client.maker.prepared_headers == 0
        exchange(client, server)
        assert client.maker.prepared_headers == 1


class TestEnd:
    def test_closing_fails_what_is_under_way_and_what_waits(self) -> None:
        stage = Stage()
        alice = stage.client("alice", replace(OPEN, lane_packets=1))
        in_flight = alice.send(alice)
        alice.leave()
        queued, waiting = alice.send(alice), alice.send(alice)
        making = alice.machine.submit(alice.address, b"x", surbs=50, lane=3, now=stage.now)
        alice.machine.end(None, stage.now)
        ended = alice.machine.ended
        assert isinstance(ended, ClientDisconnected)
        assert ended.__cause__ is None
        for submission in (in_flight, queued):
            error = submission.delivery.error
            assert isinstance(error, DeliveryAbandoned)
            assert error.__cause__ is ended
        assert waiting.error is making.error is ended
        alice.machine.advance(making, stage.now)
        assert not making.is_made
        with pytest.raises(ClientDisconnected):
            alice.send(alice)
        with pytest.raises(ClientDisconnected):
            alice.machine.submit_plain(alice.address, b"x", lane=0, now=stage.now)
        assert alice.machine.status.is_closed

    def test_the_first_cause_stays(self) -> None:
        stage, alice, _bob = pair()
        cause = GatewayUnreachable("refused")
        alice.machine.end(cause, stage.now)
        alice.machine.end(None, stage.now)
        assert alice.machine.ended is not None
        assert alice.machine.ended.__cause__ is cause
        with pytest.raises(ClientDisconnected) as caught:
            alice.send(alice)
        assert caught.value.__cause__ is cause

    def test_nothing_is_put_into_the_inbox_any_more_and_what_is_in_it_stays(self) -> None:
        stage, alice, bob = pair()
        for _ in range(2):
            bob.send(alice)
        packets = bob.leave()
        alice.hear(packets[:1])
        alice.machine.end(None, stage.now)
        alice.hear(packets[1:])
        assert alice.payloads() == [b"x"]

    def test_it_charges_nothing_any_more(self) -> None:
        stage = Stage()
        client, server, _tag = meet(stage, 30, memory=MemoryAccount())
        client.send(server, bytes(5000))
        packets = client.leave()
        server.hear(packets[:-1])
        server.send(client, surbs=5)
        assert server.memory.used_bytes > 30 * 1_100 + 3 * 1604
        server.machine.end(None, stage.now)
        server.hear(packets[-1:])
        assert server.memory.used_bytes == 0
        assert server.taken() == []

    def test_what_was_prepared_goes_with_the_topology(self) -> None:
        stage, alice, _bob = pair()
        assert alice.maker.has_topology
        alice.machine.end(None, stage.now)
        assert not alice.maker.has_topology

    def test_it_may_be_read_to_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inbox_module, "MAXIMUM_MESSAGES", 1)
        stage, alice, bob = pair()
        bob.send(alice)
        alice.hear(bob.leave())
        assert not alice.machine.may_read
        alice.machine.end(None, stage.now)
        assert alice.machine.may_read


@settings(max_examples=40)
@given(seed=st.integers(0, 1 << 32), loss=st.sampled_from([0.0, 0.1, 0.3]))
def test_whatever_happens_to_packets_each_message_comes_once_or_fails(
    seed: int, loss: float
) -> None:
    """Two machines; each packet and ack may be lost, doubled, or late; replies travel as well."""
    source = random.Random(seed)
    stage = Stage()
    alice = stage.client("alice", replace(OPEN, lane_packets=8))
    bob = stage.client("bob", replace(OPEN, lane_packets=8))
    questions = {
        number: alice.send(
            bob,
            bytes([number]) * source.randint(1, 9000),
            surbs=source.randint(0, 20),
            lane=number % 3,
        )
        for number in range(8)
    }
    answers = {}
    arrived: dict[str, list[int]] = {"alice": [], "bob": []}
    on_way: list[tuple[float, HandClient, bytes]] = []
    peers = {alice.address.identity: alice, bob.address.identity: bob}
    while True:
        for client in (alice, bob):
            client.work()
            for packet in client.leave():
                for _ in range(source.choice((1, 1, 1, 2))):
                    if source.random() >= loss:
                        arrival = stage.now + source.random()
                        on_way.append((arrival, peers[packet.recipient], packet.pushed))
                        if source.random() >= loss:
                            on_way.append((arrival + source.random(), client, packet.ack))
            for message in client.taken():
                number = message.payload[0]
                arrived["bob" if client is bob else "alice"].append(number)
                if client is bob and message.sender_tag is not None:
                    answers[number] = bob.send(message.sender_tag, message.payload)
        submissions = [*questions.values(), *answers.values()]
        if all(each.delivery.is_settled for each in submissions):
            break
        on_way.sort(key=lambda item: item[0], reverse=True)
        wakes_at = min(client.machine.next_deadline() for client in (alice, bob))
        if on_way and on_way[-1][0] <= wakes_at:
            stage.now, client, pushed = on_way.pop()
            client.machine.frame_arrived(pushed, stage.now)
        else:
            stage.now = max(stage.now, wakes_at)
            for client in (alice, bob):
                if client.machine.next_deadline() <= stage.now:
                    client.tick()
    for numbers, sent in ((arrived["bob"], questions), (arrived["alice"], answers)):
        assert len(numbers) == len(set(numbers))
        acked = {number for number, each in sent.items() if each.delivery.is_acknowledged}
        assert acked <= set(numbers)
    for client in (alice, bob):
        assert client.outbox.lane_room.total == 0
        assert client.outbox.tag_room.total == 0
