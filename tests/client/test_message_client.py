"""MessageClient over a network on paper: what is delivered, what is raised, what ends it."""

from __future__ import annotations

import gc
import os
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.address import NodeIdentity, NymAddress, SenderTag
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryAbandoned,
    MessageTooLarge,
    NoReplySurbs,
    UnknownGateway,
    UsageError,
)
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize
from nymproxy.mixnet.traffic import DEFAULT, SurbPolicy, WindowLimits
from nymproxy.mixnet.transport import MAX_MESSAGE_BYTES, Received
from tests.client.paper_network import QUICK, PaperNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.mixnet.client.message_client import MessageClient

NEVER = replace(QUICK, maximum_retransmissions=2)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that counters tell of only."""
    with anyio.fail_after(50):
        while not condition():  # noqa: ASYNC110 - counters announce nothing
            await anyio.sleep(0.01)


async def receive_one(client: MessageClient) -> Received:
    with anyio.fail_after(50):
        return await anext(client.receive())


async def receive_tag(client: MessageClient) -> SenderTag:
    received = await receive_one(client)
    assert received.sender_tag is not None
    return received.sender_tag


class TestSending:
    @pytest.mark.parametrize("size", [0, 1, 1_500, 1_604, 50_000])
    @pytest.mark.parametrize("gateway", [0, 1])
    async def test_messages_arrive_whole(self, size: int, gateway: int) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client(gateway) as bob:
            payload = os.urandom(size)
            delivery = await alice.send(bob.address, payload)
            assert (await receive_one(bob)).payload == payload
            with anyio.fail_after(30):
                await delivery.acknowledged()
            assert delivery.packet_count == alice.counters.sent["data"]

    async def test_a_message_to_ourselves_arrives(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            await alice.send(alice.address, b"note")
            assert (await receive_one(alice)).payload == b"note"

    async def test_a_plain_message_says_nothing_of_its_sender(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            await alice.send_plain(bob.address, b"")
            assert await receive_one(bob) == Received(b"", None)

    async def test_all_messages_to_one_recipient_carry_one_tag(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob, network.client() as carol:
            tags = []
            for recipient in (bob, bob, carol):
                await alice.send(recipient.address, b"x")
                tags.append(await receive_tag(recipient))
            assert tags[0] == tags[1]
            assert tags[0] != tags[2]

    async def test_one_lane_is_in_order(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            for number in range(100):
                await alice.send(bob.address, bytes([number]), lane=3)
            received = [(await receive_one(bob)).payload[0] for _ in range(100)]
            assert received == list(range(100))

    async def test_waiting_senders_of_one_lane_keep_their_order(self) -> None:
        network = PaperNetwork()
        profile = replace(QUICK, lane_packets=1)
        async with network.client(profile=profile) as alice, network.client() as bob:
            network.link_of(alice).disconnect()
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(alice.send, bob.address, bytes([number]))
                    await anyio.wait_all_tasks_blocked()
                network.link_of(alice).reconnect()
            received = [(await receive_one(bob)).payload[0] for _ in range(20)]
            assert received == list(range(20))

    async def test_a_larger_packet_size_is_used_when_it_saves_packets(self) -> None:
        network = PaperNetwork()
        profile = replace(QUICK, secondary_packet_size=PacketSize.EXTENDED16)
        async with network.client(profile=profile) as alice, network.client() as bob:
            for payload in (b"small", os.urandom(15_000)):
                delivery = await alice.send(bob.address, payload)
                assert delivery.packet_count == 1
                assert (await receive_one(bob)).payload == payload
            lengths = [len(packet.packet) for packet in network.packets]
            assert lengths == [2413, PacketSize.EXTENDED16.packet_length]


class TestRefusals:
    async def test_too_large(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            with pytest.raises(MessageTooLarge):
                await alice.send(alice.address, bytes(MAX_MESSAGE_BYTES + 1))
            with pytest.raises(MessageTooLarge):
                await alice.send_plain(alice.address, bytes(MAX_MESSAGE_BYTES + 1))

    async def test_unknown_gateway(self) -> None:
        network = PaperNetwork()
        elsewhere = NodeIdentity(bytes([0x58] + [0x66] * 31))
        async with network.client() as alice:
            address = NymAddress(alice.address.identity, bytes(32), elsewhere)
            with pytest.raises(UnknownGateway):
                await alice.send(address, b"x")
            with pytest.raises(UnknownGateway):
                await alice.send_plain(address, b"x")

    async def test_a_tag_that_nothing_came_from(self) -> None:
        network = PaperNetwork()
        async with network.client() as bob:
            with pytest.raises(NoReplySurbs):
                await bob.send(SenderTag(bytes(16)), b"x")

    async def test_a_reply_waits_for_surbs_that_were_overtaken(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            await alice.send(bob.address, b"overtook the message with the SURBs")
            tag = await receive_tag(bob)
            delivery = await bob.send(tag, b"reply")
            assert not delivery.is_sent
            await alice.send(bob.address, b"with SURBs", surbs=20)
            assert (await receive_one(alice)).payload == b"reply"
            await delivery.acknowledged()

    async def test_an_empty_reply_and_surbs_in_a_reply(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            await alice.send(bob.address, b"hello", surbs=20)
            tag = await receive_tag(bob)
            with pytest.raises(UsageError):
                await bob.send(tag, b"")
            with pytest.raises(UsageError):
                await bob.send(tag, b"x", surbs=1)
            with pytest.raises(UsageError):
                await alice.send(bob.address, b"x", surbs=-1)

    async def test_an_address_nothing_can_be_encrypted_to_fails_its_message(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            address = NymAddress(alice.address.identity, bytes(32), alice.address.gateway)
            delivery = await alice.send(address, b"x")
            with anyio.fail_after(30), pytest.raises(UsageError):
                await delivery.sent()
            assert alice.counters.unbuilt == {"address": 1}


class TestReplies:
    @pytest.mark.parametrize("size", [1, 1_500, 100_000])
    async def test_replies_of_any_size(self, size: int) -> None:
        network = PaperNetwork()
        async with network.client(0) as alice, network.client(1) as bob:
            await alice.send(bob.address, b"question", surbs=20)
            tag = await receive_tag(bob)
            payload = os.urandom(size)
            delivery = await bob.send(tag, payload)
            assert await receive_one(alice) == Received(payload, None)
            with anyio.fail_after(30):
                await delivery.acknowledged()

    async def test_ten_surbs_cost_a_round_trip(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            await alice.send(bob.address, b"question", surbs=10)
            tag = await receive_tag(bob)
            assert bob.reply_surbs_in_hand(tag) == 0
            await bob.send(tag, b"answer")
            assert (await receive_one(alice)).payload == b"answer"
            assert bob.counters.sent["surb-request"] == 1
            assert alice.counters.sent["additional-surbs"] > 0

    async def test_twenty_do_not(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            await alice.send(bob.address, b"question", surbs=20)
            tag = await receive_tag(bob)
            assert bob.reply_surbs_in_hand(tag) == 10
            await bob.send(tag, b"answer")
            assert (await receive_one(alice)).payload == b"answer"
            assert "surb-request" not in bob.counters.sent

    async def test_a_stranger_gets_no_surbs(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            await alice.send(bob.address, b"question", surbs=10)
            tag = await receive_tag(bob)
            alice._machine._tags._tags.clear()  # as if it had written to somebody else only
            await bob.send(tag, b"answer")
            await anyio.sleep(0.2)
            assert "additional-surbs" not in alice.counters.sent

    async def test_an_unanswered_request_fails_the_reply(self) -> None:
        network = PaperNetwork()
        profile = replace(
            QUICK, surbs=SurbPolicy(rerequest_seconds=0.01, maximum_rerequests=1, drop_seconds=300)
        )
        async with network.client() as alice, network.client(profile=profile) as bob:
            await alice.send(bob.address, b"question", surbs=10)
            tag = await receive_tag(bob)
            alice._machine._tags._tags.clear()
            delivery = await bob.send(tag, b"answer")
            for now in (10.0, 20.0, 30.0):
                bob._machine._outbox.tick(bob._clock() + now)
            with pytest.raises(DeliveryAbandoned):
                await delivery.sent()

    async def test_send_waits_when_too_much_waits_for_surbs(self) -> None:
        network = PaperNetwork()
        profile = replace(QUICK, surbs=SurbPolicy(maximum_waiting=4))
        async with network.client() as alice, network.client(profile=profile) as bob:
            await alice.send(bob.address, b"question", surbs=10)
            tag = await receive_tag(bob)
            network.link_of(bob).disconnect()
            for lane in range(4):
                await bob.send(tag, b"answer", lane=lane)
            with anyio.move_on_after(0.05) as scope:
                await bob.send(tag, b"one more", lane=9)
            assert scope.cancelled_caught
            assert bob._machine._outbox.lane_room.used(9) == 0
            network.link_of(bob).reconnect()
            for _ in range(4):
                await receive_one(alice)
            await bob.send(tag, b"one more", lane=9)
            assert (await receive_one(alice)).payload == b"one more"


class TestFaults:
    async def test_losses_are_retransmitted_and_duplicates_dropped(self) -> None:
        network = PaperNetwork()
        network.forwards = lambda _packet: network.random.choice([0, 1, 1, 1, 1, 2])
        network.acks = lambda _packet: network.random.choice([0, 1, 1, 1, 1, 2])
        profile = replace(QUICK, maximum_retransmissions=30)
        async with network.client(profile=profile) as alice, network.client(1, profile) as bob:
            payloads = [os.urandom(5_000) for _ in range(5)]
            deliveries = [await alice.send(bob.address, data, surbs=5) for data in payloads]
            received = [await receive_one(bob) for _ in payloads]
            assert sorted(message.payload for message in received) == sorted(payloads)
            with anyio.fail_after(50):
                for delivery in deliveries:
                    await delivery.acknowledged()
                tag = received[0].sender_tag
                assert tag is not None
                replies = [await bob.send(tag, data) for data in payloads]
                answers = [(await receive_one(alice)).payload for _ in payloads]
                assert sorted(answers) == sorted(payloads)
                for delivery in replies:
                    await delivery.acknowledged()
            assert alice.counters.retransmissions > 0
            assert bob.counters.late_duplicates > 0

    async def test_a_dead_recipient_fails_the_delivery(self) -> None:
        network = PaperNetwork()
        network.forwards = lambda _packet: 0
        async with network.client(profile=NEVER) as alice:
            delivery = await alice.send(alice.address, os.urandom(5_000))
            with anyio.fail_after(30), pytest.raises(DeliveryAbandoned):
                await delivery.acknowledged()
            assert delivery.is_sent
            counters = alice.counters
            assert counters.given_up == {"delivery-abandoned": 1}
            assert counters.sent["retransmission"] <= 2 * delivery.packet_count

    async def test_garbage_is_counted_and_does_no_harm(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            link = network.link_of(alice)
            for garbage in (b"", b"x" * 21, b"y" * 32, os.urandom(1643), bytes(1643)):
                await link.deliver(garbage)
            await alice.send(alice.address, b"still here")
            assert (await receive_one(alice)).payload == b"still here"
            assert sum(alice.counters.malformed.values()) >= 4

    async def test_without_topology_messages_wait_for_one(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            alice._use(None)
            assert not alice.status.is_ready
            with pytest.raises(Exception, match="topology"):
                await alice.send(alice.address, b"x")
            alice._use(network.topology)
            await alice.send(alice.address, b"x")
            assert (await receive_one(alice)).payload == b"x"
            assert alice.status.is_ready


class TestRotation:
    async def test_packets_of_the_new_rotation_and_stale_surbs(self) -> None:
        network = PaperNetwork()
        async with network.client(0) as alice, network.client(1) as bob:
            await alice.send(bob.address, b"question", surbs=30)
            tag = await receive_tag(bob)
            network.rotate()
            await network.keeper_of(bob).refresh()
            await anyio.wait_all_tasks_blocked()
            delivery = await bob.send(tag, b"with a stale SURB")
            assert (await receive_one(alice)).payload == b"with a stale SURB"
            with anyio.fail_after(30):
                await delivery.acknowledged()  # its ack travels under the old rotation too
            assert bob.counters.retransmissions == 0
            await network.keeper_of(alice).refresh()
            await anyio.wait_all_tasks_blocked()
            network.packets.clear()
            await alice.send(bob.address, b"new keys")
            assert (await receive_one(bob)).payload == b"new keys"
            assert {packet.rotation for packet in network.packets} == {KeyRotation.ODD}


class TestLanes:
    async def test_a_full_lane_makes_send_wait(self) -> None:
        network = PaperNetwork()
        profile = replace(QUICK, lane_packets=4)
        async with network.client(profile=profile) as alice:
            network.link_of(alice).disconnect()
            await alice.send(alice.address, os.urandom(20_000))
            with anyio.move_on_after(0.05) as scope:
                await alice.send(alice.address, b"waits")
            assert scope.cancelled_caught
            await alice.send(alice.address, b"other lane", lane=1)
            network.link_of(alice).reconnect()
            await alice.send(alice.address, b"last")
            received = {(await receive_one(alice)).payload for _ in range(3)}
            assert b"waits" not in received
            assert {b"other lane", b"last"} <= received
            assert alice._machine._outbox.lane_room.total == 0

    async def test_a_discarded_lane_fails_what_waits_and_what_is_in_flight(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            network.acks = lambda _packet: 0
            in_flight = await alice.send(bob.address, b"in flight", lane=1)
            assert (await receive_one(bob)).payload == b"in flight"
            network.link_of(alice).disconnect()
            waiting = await alice.send(bob.address, os.urandom(50_000), lane=1)
            other = await alice.send(bob.address, b"other", lane=2)
            alice.discard_lane(1)
            for delivery in (in_flight, waiting):
                with pytest.raises(DeliveryAbandoned):
                    await delivery.acknowledged()
            network.acks = lambda _packet: 1
            network.link_of(alice).reconnect()
            assert (await receive_one(bob)).payload == b"other"
            with anyio.fail_after(30):
                await other.acknowledged()
            assert alice._machine._outbox.lane_room.total == 0

    async def test_a_discarded_reply_lane_frees_its_tag(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            await alice.send(bob.address, b"question", surbs=10)
            tag = await receive_tag(bob)
            network.link_of(bob).disconnect()
            delivery = await bob.send(tag, os.urandom(30_000), lane=5)
            assert bob._machine._outbox.tag_room.used(tag) > 0
            bob.discard_lane(5)
            assert isinstance(delivery.error, DeliveryAbandoned)
            assert bob._machine._outbox.tag_room.total == bob._machine._outbox.lane_room.total == 0


class TestWindow:
    async def test_no_more_than_the_window_is_in_flight(self) -> None:
        network = PaperNetwork()
        network.forwards = lambda _packet: 0
        window = WindowLimits(initial=4, minimum=2, maximum=8)
        profile = replace(QUICK, window=window, ack_wait_addition_seconds=5.0)
        async with network.client(profile=profile) as alice:
            await alice.send(alice.address, os.urandom(50_000))
            await until(lambda: alice.counters.packets_sent >= 4)
            await anyio.sleep(0.05)
            assert alice.counters.packets_sent == 4

    async def test_batches_are_written_together(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            await alice.send(alice.address, os.urandom(50_000))
            await receive_one(alice)
            assert max(network.link_of(alice).batches) > 4


class TestCover:
    async def test_an_idle_client_sends_cover_and_recognises_it(self) -> None:
        network = PaperNetwork()
        profile = replace(
            DEFAULT, sending_delay_seconds=0.008, loop_cover_delay_seconds=0.02, name="busy"
        )
        async with network.client(profile=profile) as alice:
            await until(lambda: alice.counters.covers_received > 10)
            await until(lambda: alice.counters.sent.get("cover", 0) > 10)
            await until(lambda: alice.counters.sent.get("loop-cover", 0) > 1)
            counters = alice.counters
            assert counters.retransmissions == 0
            assert not counters.malformed

    async def test_data_takes_the_place_of_cover(self) -> None:
        network = PaperNetwork()
        profile = replace(DEFAULT, sending_delay_seconds=0.002, loop_cover_delay_seconds=None)
        async with network.client(profile=profile) as alice, network.client() as bob:
            delivery = await alice.send(bob.address, os.urandom(30_000))
            # Cover that was being written when the data came is counted with the first packet.
            await until(lambda: alice.counters.sent.get("data", 0) > 0)
            covers = [alice.counters.sent.get("cover", 0)]
            delivery.subscribe(lambda _: covers.append(alice.counters.sent.get("cover", 0)))
            with anyio.fail_after(30):
                await delivery.sent()
            assert alice.counters.sent["data"] == delivery.packet_count == 19
            assert covers[0] == covers[1]  # when the last one left

    async def test_loop_cover_without_schedule(self) -> None:
        network = PaperNetwork()
        profile = replace(QUICK, loop_cover_delay_seconds=0.01)
        async with network.client(profile=profile) as alice:
            await alice.send(alice.address, b"x")
            await until(lambda: alice.counters.sent.get("loop-cover", 0) > 2)
            assert "cover" not in alice.counters.sent


class TestEnd:
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_a_client_that_is_over_does_not_wait_for_the_garbage_collector(self) -> None:
        network = PaperNetwork()
        gc.disable()
        try:
            client = await network.make_client()
            left = weakref.ref(client)
            async with client:
                delivery = await client.send(client.address, b"to myself")
                await delivery.acknowledged()
            del client, delivery
            await until(lambda: left() is None)
        finally:
            gc.enable()

    async def test_closing_wakes_everybody(self) -> None:
        network = PaperNetwork()
        outcomes: list[str] = []
        profile = replace(QUICK, lane_packets=1)

        async def send_waiting(client: MessageClient) -> None:
            with pytest.raises(ClientDisconnected):
                await client.send(client.address, b"waits")
            outcomes.append("send")

        async def receive(client: MessageClient) -> None:
            async for _ in client.receive():
                pass
            outcomes.append("receive")

        async def watch(client: MessageClient) -> None:
            statuses = [status async for status in client.status_changes()]
            assert statuses[-1].is_closed
            outcomes.append("status")

        async with network.client(profile=profile) as alice:
            network.link_of(alice).disconnect()
            # More than one batch, so that some of it still waits in the lane.
            delivery = await alice.send(alice.address, os.urandom(30_000))
            async with anyio.create_task_group() as tasks:
                for task in (send_waiting, receive, watch):
                    tasks.start_soon(task, alice)
                await anyio.wait_all_tasks_blocked()
                with anyio.fail_after(30):
                    await alice.aclose()
            assert sorted(outcomes) == ["receive", "send", "status"]
            with pytest.raises(DeliveryAbandoned):
                await delivery.sent()
            with pytest.raises(ClientDisconnected):
                await alice.send(alice.address, b"too late")
            await alice.aclose()

    async def test_losing_the_gateway_for_good_ends_in_errors(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            network.forwards = lambda _packet: 0
            delivery = await alice.send(alice.address, b"lost")
            network.link_of(alice).break_for_good()
            with anyio.fail_after(30):
                with pytest.raises(ClientDisconnected, match="go away"):
                    await anext(alice.receive())
                with pytest.raises(DeliveryAbandoned):
                    await delivery.acknowledged()
            with pytest.raises(ClientDisconnected):
                await alice.send(alice.address, b"x")
            assert alice.status.is_closed
            assert not alice.is_connected

    async def test_messages_that_arrived_before_the_end_are_handed_out(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            await alice.send(alice.address, b"first")
            await until(lambda: alice.counters.messages_received == 1)
            await alice.aclose()
            assert [message.payload async for message in alice.receive()] == [b"first"]

    async def test_an_error_in_the_body_comes_out_unwrapped(self) -> None:
        network = PaperNetwork()
        with pytest.raises(ValueError, match="mine"):
            async with network.client():
                raise ValueError("mine")

    async def test_only_one_task_receives(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice, anyio.create_task_group() as tasks:
            tasks.start_soon(receive_one, alice)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(UsageError):
                await anext(alice.receive())
            tasks.cancel_scope.cancel()

    async def test_a_client_is_entered_once_and_before_use(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            with pytest.raises(UsageError):
                await alice.__aenter__()


class TestStatus:
    async def test_it_follows_the_link(self) -> None:
        network = PaperNetwork()
        async with network.client() as alice:
            assert alice.is_connected
            seen = []
            async with anyio.create_task_group() as tasks:

                async def watch() -> None:
                    async for status in alice.status_changes():
                        seen.append(status.is_ready)
                        if len(seen) == 3:
                            return

                tasks.start_soon(watch)
                await anyio.wait_all_tasks_blocked()
                network.link_of(alice).disconnect()
                await anyio.wait_all_tasks_blocked()
                assert alice.status.reason.startswith("reconnecting")
                network.link_of(alice).reconnect()
            assert seen == [True, False, True]

    async def test_a_slow_application_stops_the_reading_and_loses_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("nymproxy.mixnet.machine.inbox.MAXIMUM_MESSAGES", 3)
        network = PaperNetwork()
        async with network.client() as alice, network.client() as bob:
            for number in range(20):
                await alice.send(bob.address, bytes([number]))
            await anyio.sleep(0.1)
            assert bob.counters.messages_received <= 4
            received = {(await receive_one(bob)).payload[0] for _ in range(20)}
            assert received == set(range(20))
