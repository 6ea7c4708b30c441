"""The memory network: what it promises to tests that stand on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
import trio.testing

from nymproxy.address import SenderTag
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryAbandoned,
    MessageTooLarge,
    NoReplySurbs,
    UnknownGateway,
    UsageError,
)
from nymproxy.mixnet.transport import MAX_MESSAGE_BYTES, MessageTransport
from nymproxy.testing import (
    Disconnect,
    MemoryEndpoint,
    MemoryFaults,
    MemoryMessage,
    MemoryNetwork,
    MessageFate,
    MessageKind,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.mixnet.transport import Received


async def take(endpoint: MemoryEndpoint, count: int = 1) -> list[Received]:
    """Receive ``count`` messages."""
    incoming = endpoint.receive()
    with anyio.fail_after(30):
        return [await anext(incoming) for _ in range(count)]


async def tag_of(sender: MemoryEndpoint, holder: MemoryEndpoint, surbs: int) -> SenderTag:
    """Give ``holder`` SURBs of ``sender`` and return the tag."""
    await sender.send(holder.address, b"hello", surbs=surbs)
    (received,) = await take(holder)
    assert received.sender_tag is not None
    return received.sender_tag


def test_an_endpoint_is_a_message_transport() -> None:
    network = MemoryNetwork()
    transport: MessageTransport = network.endpoint()
    assert transport.packet_rate is None
    assert network.find(transport.address) is transport


def test_addresses_depend_on_seed_and_name_only() -> None:
    first, again, other = MemoryNetwork(seed=1), MemoryNetwork(seed=1), MemoryNetwork(seed=2)
    first.endpoint("x")
    assert first.endpoint("a").address == again.endpoint("a").address
    assert other.endpoint("a").address != again.endpoint("b").address
    assert other.gateway != first.gateway
    with pytest.raises(UsageError):
        first.endpoint("a")


@pytest.mark.parametrize(
    ("payload_bytes", "surbs", "is_reply", "packets"),
    [
        (0, 0, False, 1),
        (201, 3, False, 1),
        (202, 3, False, 2),
        (189, 10, False, 3),
        (190, 10, False, 4),
        (0, 100, False, 29),
        (1601, 0, True, 1),
        (1602, 0, True, 2),
    ],
)
async def test_packet_counts_are_those_of_the_wire(
    payload_bytes: int, surbs: int, is_reply: bool, packets: int
) -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        if is_reply:
            delivery = await bob.send(await tag_of(alice, bob, 20), bytes(payload_bytes))
        else:
            delivery = await alice.send(bob.address, bytes(payload_bytes), surbs=surbs)
        assert delivery.packet_count == packets


async def test_a_message_arrives_with_its_tag_and_is_logged() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        delivery = await alice.send(bob.address, b"x" * 2000, surbs=2, lane=3)
        await delivery.acknowledged()
        (received,) = await take(bob)
        assert received.payload == b"x" * 2000
        assert received.sender_tag is not None
        (record,) = network.messages(MessageKind.MESSAGE)
        assert (record.sender, record.recipient, record.lane) == ("alice", "bob", 3)
        assert record.packet_count == delivery.packet_count == 2
        assert record.sent_at is not None
        assert len(record.delivered_at) == 1


async def test_one_tag_for_each_sender_and_recipient() -> None:
    async with MemoryNetwork() as network:
        alice, bob, carol = (network.endpoint(name) for name in ("alice", "bob", "carol"))
        tags = [await tag_of(alice, bob, 0), await tag_of(alice, bob, 1)]
        assert tags[0] == tags[1]
        assert await tag_of(carol, bob, 1) != tags[0]
        assert await tag_of(alice, carol, 1) != tags[0]


async def test_replies_carry_no_tag_and_use_one_surb_for_each_packet() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        tag = await tag_of(alice, bob, 20)
        assert bob.reply_surbs_in_hand(tag) == 10
        delivery = await bob.send(tag, b"r" * 4000)
        assert delivery.packet_count == 3
        (received,) = await take(alice)
        assert received.payload == b"r" * 4000
        assert received.sender_tag is None
        assert bob.reply_surbs_in_hand(tag) == 7
        assert network.messages(MessageKind.SURB_REQUEST) == []


async def test_ten_surbs_allow_no_direct_reply_but_a_request() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        tag = await tag_of(alice, bob, 10)
        await bob.send(tag, b"reply")
        assert (await take(alice))[0].payload == b"reply"
        (request,) = network.messages(MessageKind.SURB_REQUEST)
        (answer,) = network.messages(MessageKind.SURBS)
        assert request.surbs == answer.surbs == 10
        assert bob.reply_surbs_in_hand(tag) == 10 - 1 + 10 - 1 - 10


async def test_a_long_reply_is_topped_up_until_it_is_through() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        tag = await tag_of(alice, bob, 12)
        payload = bytes(range(256)) * 1000
        delivery = await bob.send(tag, payload)
        assert (await take(alice))[0].payload == payload
        await delivery.acknowledged()
        assert len(network.messages(MessageKind.SURB_REQUEST)) >= 160 // 50


async def test_a_reply_needs_a_sender_that_was_heard_of() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        tag = await tag_of(alice, bob, 0)
        with pytest.raises(NoReplySurbs):
            await bob.send(SenderTag(bytes(16)), b"reply")
        # A message came, so SURBs may be on their way: the reply waits for them.
        delivery = await bob.send(tag, b"reply")
        assert not delivery.is_sent
        await alice.send(bob.address, b"with SURBs", surbs=20)
        assert (await take(alice))[0].payload == b"reply"
        await delivery.acknowledged()


async def test_a_reply_waits_while_the_tags_owner_cannot_answer_requests() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        tag = await tag_of(alice, bob, 10)
        alice.disconnect()
        delivery = await bob.send(tag, b"reply")
        await anyio.wait_all_tasks_blocked()
        assert not delivery.is_sent
        alice.reconnect()
        await delivery.acknowledged()
        assert (await take(alice))[0].payload == b"reply"


async def test_send_refuses_what_cannot_be_sent() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        tag = await tag_of(alice, bob, 20)
        stranger = MemoryNetwork(seed=9).endpoint("stranger")
        with pytest.raises(UnknownGateway):
            await alice.send(stranger.address, b"")
        with pytest.raises(MessageTooLarge):
            await alice.send(bob.address, bytes(MAX_MESSAGE_BYTES + 1))
        with pytest.raises(UsageError):
            await bob.send(tag, b"")
        with pytest.raises(UsageError):
            await bob.send(tag, b"x", surbs=1)
        with pytest.raises(UsageError):
            await alice.send(bob.address, b"x", surbs=-1)


async def test_send_blocks_while_its_lane_is_full_and_other_lanes_go_on() -> None:
    async with MemoryNetwork(lane_capacity_packets=4) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        alice.disconnect()
        await alice.send(bob.address, b"a" * 3000, lane=1)
        await alice.send(bob.address, b"b" * 3000, lane=1)
        with anyio.move_on_after(0.02) as scope:
            await alice.send(bob.address, b"c", lane=1)
        assert scope.cancelled_caught
        await alice.send(bob.address, b"d", lane=2)
        alice.reconnect()
        assert {message.payload[:1] for message in await take(bob, 3)} == {b"a", b"b", b"d"}


async def test_lanes_share_the_schedule_fairly() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        alice.disconnect()
        await alice.send(bob.address, b"long" * 10_000, lane=1)
        await alice.send(bob.address, b"short", lane=2)
        alice.reconnect()
        assert [message.payload[:5] for message in await take(bob, 2)] == [b"short", b"longl"]


async def test_the_window_bounds_unacknowledged_packets() -> None:
    faults = MemoryFaults(choose_fate=lambda _: MessageFate.ABANDON, retransmission_seconds=600)
    async with MemoryNetwork(window_packets=2, faults=faults) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        deliveries = [await alice.send(bob.address, b"x", lane=lane) for lane in range(3)]
        assert [delivery.is_sent for delivery in deliveries] == [True, True, False]


async def test_discard_lane_fails_what_waits_and_spares_the_rest() -> None:
    async with MemoryNetwork(lane_capacity_packets=1) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        alice.disconnect()
        doomed = await alice.send(bob.address, b"doomed", lane=1)
        spared = await alice.send(bob.address, b"spared", lane=2)
        failures: list[Exception] = []

        async def wait_for_room() -> None:
            try:
                await alice.send(bob.address, b"too late", lane=1)
            except DeliveryAbandoned as error:
                failures.append(error)

        async with anyio.create_task_group() as task_group:
            task_group.start_soon(wait_for_room)
            await anyio.wait_all_tasks_blocked()
            alice.discard_lane(1)
        assert len(failures) == 1
        with pytest.raises(DeliveryAbandoned):
            await doomed.acknowledged()
        alice.reconnect()
        await spared.acknowledged()
        assert [message.payload for message in await take(bob)] == [b"spared"]


@pytest.mark.parametrize("by_aclose", [True, False])
async def test_the_end_of_an_endpoint_wakes_everybody(*, by_aclose: bool) -> None:
    async with MemoryNetwork(lane_capacity_packets=1) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        alice.disconnect()
        delivery = await alice.send(bob.address, b"x")
        ended: list[str] = []

        async def sender() -> None:
            with pytest.raises(ClientDisconnected):
                await alice.send(bob.address, b"y")
            ended.append("sender")

        async def receiver() -> None:
            end = StopAsyncIteration if by_aclose else ClientDisconnected
            with pytest.raises(end):
                await anext(alice.receive())
            ended.append("receiver")

        async def waiter() -> None:
            with pytest.raises(DeliveryAbandoned):
                await delivery.acknowledged()
            ended.append("waiter")

        with anyio.fail_after(30):
            async with anyio.create_task_group() as task_group:
                for task in (sender, receiver, waiter):
                    task_group.start_soon(task)
                await anyio.wait_all_tasks_blocked()
                if by_aclose:
                    await alice.aclose()
                else:
                    alice.lose_gateway()
        assert sorted(ended) == ["receiver", "sender", "waiter"]
        with pytest.raises(ClientDisconnected):
            await alice.send(bob.address, b"z")


async def test_two_receivers_at_once_are_refused() -> None:
    async with MemoryNetwork() as network:
        alice = network.endpoint()
        async with anyio.create_task_group() as task_group:
            task_group.start_soon(take, alice)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(UsageError):
                await anext(alice.receive())
            task_group.cancel_scope.cancel()


async def test_a_chosen_message_is_abandoned_or_vanishes() -> None:
    fates = {b"abandon": MessageFate.ABANDON, b"vanish": MessageFate.VANISH}

    def choose(message: MemoryMessage) -> MessageFate:
        return fates.get(message.payload, MessageFate.DELIVER)

    faults = MemoryFaults(choose_fate=choose, retransmission_seconds=0.001, max_retransmissions=2)
    async with MemoryNetwork(faults=faults) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        abandoned = await alice.send(bob.address, b"abandon")
        vanished = await alice.send(bob.address, b"vanish")
        await alice.send(bob.address, b"deliver")
        with pytest.raises(DeliveryAbandoned):
            await abandoned.acknowledged()
        await vanished.acknowledged()
        assert [message.payload for message in await take(bob)] == [b"deliver"]
        assert network.messages()[0].retransmissions == 2


async def test_lost_packets_come_again_also_of_replies() -> None:
    faults = MemoryFaults(loss=0.4, retransmission_seconds=0.001)
    async with MemoryNetwork(seed=3, faults=faults) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        tag = await tag_of(alice, bob, 30)
        delivery = await bob.send(tag, b"r" * 60_000)
        assert (await take(alice))[0].payload == b"r" * 60_000
        await delivery.acknowledged()
        assert network.messages(MessageKind.REPLY)[0].retransmissions > 5


async def test_duplication_delivers_twice_and_reordering_swaps() -> None:
    faults = MemoryFaults(duplication=1.0, reordering=0.5, reordering_seconds=0.01)
    async with MemoryNetwork(seed=5, faults=faults) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        for number in range(20):
            await alice.send(bob.address, bytes([number]))
        got = [message.payload[0] for message in await take(bob, 40)]
        assert sorted(got) == sorted([*range(20), *range(20)])
        assert got != sorted(got)


async def test_a_full_mailbox_makes_the_message_come_again() -> None:
    faults = MemoryFaults(retransmission_seconds=0.001)
    async with MemoryNetwork(mailbox_packets=1, faults=faults) as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        bob.disconnect()
        deliveries = [await alice.send(bob.address, bytes([number])) for number in range(3)]
        await deliveries[0].acknowledged()
        assert not deliveries[2].is_acknowledged
        bob.reconnect()
        assert sorted(message.payload[0] for message in await take(bob, 3)) == [0, 1, 2]


async def test_what_an_endpoint_does_not_take_waits_at_its_gateway() -> None:
    async with MemoryNetwork() as network:
        alice, bob = network.endpoint("alice"), network.endpoint("bob")
        for number in range(1500):  # more than a client holds
            await alice.send(bob.address, number.to_bytes(2, "big"), lane=number)
        await anyio.wait_all_tasks_blocked()
        assert bob.counters.messages_received == 1024
        assert len({message.payload for message in await take(bob, 1500)}) == 1500


def test_disconnects_of_the_plan_happen() -> None:
    faults = MemoryFaults(disconnects=(Disconnect("alice", 0.0, 3.0), Disconnect("bob", 6.0)))

    async def main() -> None:
        async with MemoryNetwork(faults=faults) as network:
            alice, bob = network.endpoint("alice"), network.endpoint("bob")
            await anyio.sleep(1)
            was_connected = alice.is_connected
            assert not was_connected
            await (await alice.send(bob.address, b"late")).acknowledged()
            assert alice.is_connected
            incoming = bob.receive()
            assert (await anext(incoming)).payload == b"late"
            with pytest.raises(ClientDisconnected):
                await anext(incoming)
            assert bob.is_closed

    on_virtual_time(main)


def on_virtual_time(test: Callable[[], object]) -> object:
    """Run an async function under trio with a clock that jumps over every wait."""
    return trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))  # type: ignore[arg-type]


def test_packet_rate_spaces_packets_evenly() -> None:
    async def main() -> None:
        async with MemoryNetwork(packet_rate=50) as network:
            alice, bob = network.endpoint("alice"), network.endpoint("bob")
            start = anyio.current_time()
            delivery = await alice.send(bob.address, b"x" * 1604 * 50)
            await delivery.acknowledged()
            assert anyio.current_time() - start == pytest.approx(50 / 50)
            assert delivery.packet_count == 51

    on_virtual_time(main)


def test_a_run_on_virtual_time_repeats_exactly() -> None:
    async def main() -> list[tuple[object, ...]]:
        faults = MemoryFaults(
            loss=0.1, delay_seconds=0.1, jitter_seconds=0.2, duplication=0.1, reordering=0.1
        )
        async with MemoryNetwork(seed=7, faults=faults, packet_rate=50) as network:
            alice, bob = network.endpoint("alice"), network.endpoint("bob")
            tag = await tag_of(alice, bob, 20)
            await bob.send(tag, b"reply" * 10_000)
            for number in range(30):
                await alice.send(bob.address, bytes([number]) * 3000, lane=number % 3)
            await take(bob, 30)
            await take(alice)
            return sorted(
                (record.kind.value, record.lane, record.payload, *record.delivered_at)
                for record in network.messages()
            )

    assert on_virtual_time(main) == on_virtual_time(main)


async def test_leaving_the_network_closes_its_endpoints() -> None:
    async with MemoryNetwork() as network:
        alice = network.endpoint()
        bob = network.endpoint()
    assert alice.is_closed
    with pytest.raises(ClientDisconnected):
        await alice.send(bob.address, b"")


def test_retransmissions_leave_the_reserve_for_requests() -> None:
    async def main() -> None:
        async with MemoryNetwork(faults=MemoryFaults(loss=0.5)) as network:
            alice, bob = network.endpoint("alice"), network.endpoint("bob")
            tag = await tag_of(alice, bob, 12)
            delivery = await bob.send(tag, b"r" * 300_000)
            with anyio.fail_after(3600):
                await delivery.acknowledged()
            assert len((await take(alice))[0].payload) == 300_000

    on_virtual_time(main)
