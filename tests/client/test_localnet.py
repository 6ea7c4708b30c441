"""MessageClient on the embedded mixnet: real sockets, nodes, faults."""

from __future__ import annotations

import hashlib
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.address import NodeIdentity
from nymproxy.errors import DirectoryUnavailable, GatewayUnreachable, UnknownGateway
from nymproxy.localnet import FaultPlan, LinkFaults, Localnet, LocalnetConfig, RunningLocalnet
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.traffic import BARE, TrafficProfile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nymproxy.address import NymAddress, SenderTag

CHUNK = 32_000


@asynccontextmanager
async def running(
    localnet: RunningLocalnet,
    gateway: int = 0,
    *,
    profile: TrafficProfile | str = BARE,
    storage: Path | None = None,
) -> AsyncIterator[MessageClient]:
    """A client at one of the gateways."""
    network = NetworkDetails.from_directory_url(localnet.directory_url)
    identity = localnet.gateways[gateway].identity
    async with await MessageClient.connect(
        network, gateway=identity, profile=profile, storage=storage
    ) as client:
        yield client


@asynccontextmanager
async def a_pair(
    gateway: int = 1,
    profile: TrafficProfile | str = BARE,
    config: LocalnetConfig | None = None,
) -> AsyncIterator[tuple[RunningLocalnet, MessageClient, MessageClient]]:
    """A network with two clients, the first at gateway 0."""
    async with (
        Localnet(config) as localnet,
        running(localnet, profile=profile) as alice,
        running(localnet, gateway, profile=profile) as bob,
    ):
        yield localnet, alice, bob


async def transfer(
    sender: MessageClient, to: NymAddress | SenderTag, receiver: MessageClient, data: bytes
) -> None:
    """Send data in numbered chunks and check what arrives, in any order, each once."""
    chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    arrived: dict[int, bytes] = {}

    async def collect() -> None:
        async for message in receiver.receive():
            number = int.from_bytes(message.payload[:4], "big")
            assert number not in arrived
            arrived[number] = message.payload[4:]
            if len(arrived) == len(chunks):
                return

    with anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect)
            deliveries = [
                await sender.send(to, number.to_bytes(4, "big") + chunk, lane=1)
                for number, chunk in enumerate(chunks)
            ]
        for delivery in deliveries:
            await delivery.acknowledged()
    received = b"".join(arrived[number] for number in range(len(chunks)))
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


async def introduce(sender: MessageClient, recipient: MessageClient, surbs: int = 30) -> SenderTag:
    """Send a first message; return the tag by which the recipient can answer."""
    await sender.send(recipient.address, b"hello", surbs=surbs)
    with anyio.fail_after(100):
        received = await anext(recipient.receive())
    assert received.payload == b"hello"
    assert received.sender_tag is not None
    return received.sender_tag


PATIENT = replace(BARE, ack_wait_samples=100_000, ack_wait_addition_seconds=30.0)
"""On a busy machine acks are late; what is sent again here was lost."""


class TestTransfers:
    @pytest.mark.parametrize("gateway", [0, 1])
    async def test_small_messages_both_ways(self, gateway: int) -> None:
        async with a_pair(gateway, profile=PATIENT) as (_, alice, bob):
            for payload in (b"", b"x", os.urandom(1_600), os.urandom(100_000)):
                with anyio.fail_after(100):
                    await alice.send(bob.address, payload)
                    assert (await anext(bob.receive())).payload == payload
            tag = await introduce(alice, bob)
            for payload in (b"y", os.urandom(1_600), os.urandom(50_000)):
                with anyio.fail_after(100):
                    await bob.send(tag, payload)
                    assert (await anext(alice.receive())).payload == payload
            assert alice.counters.retransmissions == bob.counters.retransmissions == 0

    async def test_many_packets_each_way(self) -> None:
        async with a_pair() as (_, alice, bob):
            message = os.urandom(400_000)
            tag = await introduce(alice, bob)
            with anyio.fail_after(100):
                await alice.send(bob.address, message)
                assert (await anext(bob.receive())).payload == message
            await transfer(bob, tag, alice, message)
            assert bob.counters.sent["surb-request"] < 20
            assert not alice.counters.malformed

    async def test_the_default_profile_with_delays_and_cover(self) -> None:
        async with a_pair(profile="default") as (_, alice, bob):
            tag = await introduce(alice, bob, surbs=12)
            with anyio.fail_after(100):
                await bob.send(tag, b"answer")
                assert (await anext(alice.receive())).payload == b"answer"
            with anyio.fail_after(60):
                while not alice.counters.sent["cover"]:  # noqa: ASYNC110
                    await anyio.sleep(0.02)
            assert alice.packet_rate == pytest.approx(50)


FAULTS = {
    "loss": LinkFaults(source="mix-2-*", target="mix-3-*", loss=0.05),
    "duplication": LinkFaults(source="mix-1-*", target="mix-2-*", duplicate=0.1),
    "reordering": LinkFaults(
        source="mix-3-*", target="gateway-*", reorder=0.2, reorder_seconds=0.2
    ),
    "corruption": LinkFaults(source="mix-1-*", target="mix-2-*", corrupt=0.03),
}
IMPATIENT = replace(BARE, ack_wait_addition_seconds=0.4)


class TestFaults:
    @pytest.mark.parametrize("name", FAULTS)
    async def test_every_byte_arrives_once(self, name: str) -> None:
        config = LocalnetConfig(seed=5, fault_plan=FaultPlan(seed=7, links=(FAULTS[name],)))
        async with a_pair(profile=IMPATIENT, config=config) as (_, alice, bob):
            await transfer(alice, bob.address, bob, os.urandom(90_000))
            tag = await introduce(alice, bob)
            await transfer(bob, tag, alice, os.urandom(60_000))
            if name == "loss":
                assert alice.counters.retransmissions > 0

    @pytest.mark.parametrize("gateway", [0, 1], ids=["of-the-sender", "of-the-recipient"])
    async def test_a_gateway_is_killed_and_comes_back(self, gateway: int) -> None:
        async with (
            a_pair(profile=IMPATIENT) as (localnet, alice, bob),
            anyio.create_task_group() as tasks,
        ):

            async def interrupt() -> None:
                await anyio.sleep(0.1)
                await localnet.kill_gateway(gateway)
                await anyio.sleep(0.5)
                await localnet.start_gateway(gateway)

            tasks.start_soon(interrupt)
            await transfer(alice, bob.address, bob, os.urandom(200_000))

    async def test_keys_rotate_midway(self) -> None:
        async with a_pair() as (localnet, alice, bob):
            tag = await introduce(alice, bob)

            async def rotate() -> None:
                await anyio.sleep(0.1)
                await localnet.rotate_now()
                await bob._keeper.refresh()
                await anyio.sleep(0.1)
                await alice._keeper.refresh()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(rotate)
                await transfer(bob, tag, alice, os.urandom(120_000))
            await transfer(alice, bob.address, bob, os.urandom(50_000))
            tag = await introduce(alice, bob)
            await transfer(bob, tag, alice, os.urandom(50_000))


class TestConnecting:
    async def test_a_directory_keeps_the_address(self, tmp_path: Path) -> None:
        async with Localnet() as localnet:
            addresses = []
            for _ in range(2):
                network = NetworkDetails.from_directory_url(localnet.directory_url)
                async with await MessageClient.connect(
                    network, storage=tmp_path / "client", profile="bare"
                ) as client:
                    addresses.append(client.address)
                    await client.send(client.address, b"to myself")
                    with anyio.fail_after(100):
                        assert (await anext(client.receive())).payload == b"to myself"
            assert addresses[0] == addresses[1]

    async def test_messages_for_an_absent_client_wait_at_its_gateway(self, tmp_path: Path) -> None:
        async with Localnet() as localnet, running(localnet) as alice:
            async with running(localnet, 1, storage=tmp_path) as bob:
                address = bob.address
            delivery = await alice.send(address, b"while you were out")
            with anyio.fail_after(100):
                await delivery.acknowledged()
            async with running(localnet, 1, storage=tmp_path) as bob:
                with anyio.fail_after(100):
                    assert (await anext(bob.receive())).payload == b"while you were out"

    async def test_a_gateway_that_is_not_there(self) -> None:
        async with Localnet() as localnet:
            network = NetworkDetails.from_directory_url(localnet.directory_url)
            with pytest.raises(UnknownGateway):
                await MessageClient.connect(
                    network, gateway=NodeIdentity(bytes([0x58] + [0x66] * 31))
                )
            gateway = localnet.gateways[0].identity
            await localnet.kill_gateway(0)
            with pytest.raises(GatewayUnreachable):
                await MessageClient.connect(network, gateway=gateway)

    async def test_a_directory_that_is_not_there(self) -> None:
        with pytest.raises(DirectoryUnavailable):
            await MessageClient.connect(NetworkDetails.from_directory_url("http://127.0.0.1:9/api"))

    async def test_a_client_that_was_never_entered_closes(self) -> None:
        async with Localnet() as localnet:
            network = NetworkDetails.from_directory_url(localnet.directory_url)
            client = await MessageClient.connect(network, profile="bare")
            await client.aclose()
            assert client.status.is_closed
