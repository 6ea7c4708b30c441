"""A mixnet without sockets: packets are unwrapped with the nodes' keys where they are handed in.

The real Sphinx, ack and payload code runs; delays are ignored. What is on the way can be dropped
and doubled by a function, and pushed later by hand.
"""

from __future__ import annotations

import random
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
from nacl.bindings import crypto_scalarmult_base
from nacl.signing import SigningKey

from nymproxy._background_task import until_cancelled
from nymproxy.address import NodeIdentity
from nymproxy.errors import ClientDisconnected, GatewayRefused, NymError
from nymproxy.mixnet.client.connecting import Environment, assemble
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.directory import KeyRotationInfo, Node, Topology
from nymproxy.mixnet.directory.bodies import RewardedSet
from nymproxy.mixnet.directory.keeper import TopologyKeeper
from nymproxy.mixnet.gateway import GatewayListener, LinkState, LinkStatus
from nymproxy.mixnet.messages import MixPacket, detach_ack
from nymproxy.mixnet.sphinx import (
    FinalHop,
    NodeAddress,
    PacketSize,
    partially_unwrap,
    recover_plaintext,
)
from nymproxy.mixnet.storage import ClientKeys, StoredClient
from nymproxy.mixnet.storage.ephemeral import EphemeralStorage
from nymproxy.mixnet.traffic import BARE, TrafficProfile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from nymproxy.mixnet.gateway.link import TakePushed

QUICK = replace(
    BARE,
    name="quick",
    ack_wait_addition_seconds=0.05,
    minimum_ack_wait_seconds=0.05,
    maximum_retransmissions=6,
)
"""Timers for a network that takes no time."""


@dataclass
class PaperNetwork:
    """Three mixes and two gateways, known by their private keys."""

    seed: int = 1
    rotation_id: int = 2
    forwards: Callable[[MixPacket], int] = field(default=lambda _packet: 1)
    """How many copies of a data packet pass: 0 for a loss, 2 for a duplicate."""
    acks: Callable[[bytes], int] = field(default=lambda _packet: 1)
    """The same for acks."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.links: dict[bytes, PaperLink] = {}
        self.identities = [
            NodeIdentity(bytes(SigningKey(self.random.randbytes(32)).verify_key)) for _ in range(5)
        ]
        self.packets: list[MixPacket] = []
        self.is_broken = False
        self._private: dict[tuple[NodeAddress, int], bytes] = {}
        self.topology = self._make_topology()

    @property
    def gateways(self) -> list[NodeIdentity]:
        return self.identities[3:]

    def rotate(self) -> None:
        """Give all nodes new keys; the old ones stay valid."""
        self.rotation_id += 1
        self.topology = self._make_topology()

    def _make_topology(self) -> Topology:
        nodes = {}
        for number, identity in enumerate(self.identities, start=1):
            private = self.random.randbytes(32)
            address = NodeAddress.parse("127.0.0.1", 1000 + number)
            parity = 1 if self.rotation_id % 2 else 2
            self._private[address, parity] = private
            nodes[number] = Node(number, identity, crypto_scalarmult_base(private), address)
        roles = RewardedSet(1, (4,), (5,), ((1,), (2,), (3,)), ())
        return Topology(self.rotation_id, self.rotation_id, roles, nodes)

    async def fetch_topology(self) -> Topology:
        await anyio.lowlevel.checkpoint()
        return self.topology

    async def fetch_key_rotation(self) -> KeyRotationInfo:
        await anyio.lowlevel.checkpoint()
        hour = 3600 * 1_000_000_000
        return KeyRotationInfo(24, 0, self.rotation_id, time.time_ns(), hour)

    async def carry(self, packet: MixPacket) -> None:
        """Take a packet from a client to its recipient, and its ack back."""
        self.packets.append(packet)
        for _ in range(self.forwards(packet)):
            final = self._unwrap(packet.first_hop, packet.packet, packet.rotation)
            detached = detach_ack(recover_plaintext(final.payload))
            await self._push(final.destination, detached.pushed)
            for _ in range(self.acks(detached.packet)):
                ack = self._unwrap(detached.first_hop, detached.packet, packet.rotation)
                await self._push(ack.destination, recover_plaintext(ack.payload))

    def _unwrap(self, address: NodeAddress, packet: bytes, rotation: int) -> FinalHop:
        for _ in range(4):
            hop = partially_unwrap(packet, self._private[address, rotation]).finish()
            if isinstance(hop, FinalHop):
                return hop
            address, packet = hop.address, hop.packet
        raise AssertionError("a route of more than four hops")

    async def _push(self, destination: bytes, pushed: bytes) -> None:
        link = self.links.get(destination)
        if link is not None:
            await link.deliver(pushed)

    async def make_client(
        self, gateway: int = 0, profile: TrafficProfile = QUICK, seed: int = 0
    ) -> MessageClient:
        """A connected client, not entered."""
        source = random.Random(seed or self.random.random())
        keys = ClientKeys.generate(source.randbytes)
        link = PaperLink(self, self.gateways[gateway])
        self.links[keys.identity_public] = link
        keeper = TopologyKeeper(self, refresh_seconds=3600)
        await keeper.refresh()
        environment = Environment(time.monotonic, time.time, source.randbytes)
        parts = assemble(
            StoredClient(keys, None, 0),
            link,  # type: ignore[arg-type]
            keeper,
            EphemeralStorage(),
            profile,
            environment,
        )
        return MessageClient(parts)

    @asynccontextmanager
    async def client(
        self, gateway: int = 0, profile: TrafficProfile = QUICK, seed: int = 0
    ) -> AsyncIterator[MessageClient]:
        """A running client."""
        async with await self.make_client(gateway, profile, seed) as client:
            yield client

    def keeper_of(self, client: MessageClient) -> TopologyKeeper:
        return client._keeper

    def link_of(self, client: MessageClient) -> PaperLink:
        return self.links[client.address.identity]


class PaperLink:
    """Stands for the gateway link: what is written is carried at once, or held back."""

    def __init__(self, network: PaperNetwork, gateway: NodeIdentity) -> None:
        self.network = network
        self.listener = GatewayListener(gateway, "ws://127.0.0.1:1")
        self.status = LinkStatus(LinkState.CONNECTED)
        self.batches: list[int] = []
        self._pushed: deque[bytes] = deque()
        self._was_pushed = anyio.Event()
        self._written: deque[MixPacket] = deque()
        self._wrote = anyio.Event()
        self._ended = anyio.Event()
        self._changed = anyio.Event()
        self._lost: NymError | None = None
        self.open = anyio.Event()
        self.open.set()

    @property
    def is_connected(self) -> bool:
        return self.open.is_set()

    async def send(self, packets: Sequence[MixPacket]) -> None:
        await anyio.lowlevel.checkpoint()
        await self.open.wait()
        if self._ended.is_set():
            raise self._lost or ClientDisconnected("closed")
        self.batches.append(len(packets))
        for packet in packets:
            PacketSize.from_packet_length(len(packet.packet))
            self._written.append(packet)
        self._wrote.set()

    async def deliver(self, pushed: bytes) -> None:
        self._pushed.append(pushed)
        self._was_pushed.set()
        await anyio.lowlevel.checkpoint()

    async def run(self, take: TakePushed) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until_cancelled, partial(self._hand_on, take))
            while not self._ended.is_set():
                while self._written:
                    await self.network.carry(self._written.popleft())
                    await anyio.lowlevel.checkpoint()
                self._wrote = anyio.Event()
                await self._wrote.wait()
            tasks.cancel_scope.cancel()
        if self._lost is not None:
            raise self._lost

    async def _hand_on(self, take: TakePushed) -> None:
        while True:
            self._was_pushed = anyio.Event()
            if self._pushed:
                await take(self._pushed)
            else:
                await self._was_pushed.wait()

    def break_for_good(self) -> None:
        self._lost = GatewayRefused("go away")
        self.show(LinkState.LOST, self._lost)
        self._ended.set()
        self._wrote.set()

    def disconnect(self) -> None:
        self.open = anyio.Event()
        self.show(LinkState.RECONNECTING)

    def reconnect(self) -> None:
        self.open.set()
        self.show(LinkState.CONNECTED)

    def show(self, state: LinkState, error: NymError | None = None) -> None:
        self.status = LinkStatus(state, error)
        self._changed.set()
        self._changed = anyio.Event()

    async def wait_status(self) -> None:
        await self._changed.wait()

    async def aclose(self) -> None:
        self._ended.set()
        self._wrote.set()
        await anyio.lowlevel.checkpoint()
