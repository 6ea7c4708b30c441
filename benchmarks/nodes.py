"""W17: the nodes alone, with packets made beforehand and clients that do nothing else.

A client at one gateway hands prepared packets in, each with the block of its acknowledgement; the
messages come out at a client of the other gateway, the acknowledgements at the first one. What the
nodes' processes spend is counted, so neither making packets nor a busy machine is in the figure.
"""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from benchmarks.usage import Usage
from nymproxy.address import NodeIdentity
from nymproxy.errors import PhaseTimeout
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.directory.client import DirectoryClient
from nymproxy.mixnet.gateway import ClientIdentityKey
from nymproxy.mixnet.gateway.link import GatewayLink
from nymproxy.mixnet.gateway.listener import GatewayListener
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import PacketSize, build_header, build_packet

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import AsyncIterator

    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.testing.stage import Stage

ACK_ADDRESS_BYTES = 19
IN_FLIGHT = 400
"""Packets handed in and not yet acknowledged: nodes drop the newest beyond 2,000 in one queue."""
ALL_SECONDS = 300.0


class _End:
    """A client: a link to its gateway, and how many messages came."""

    def __init__(self, url: str, gateway: NodeIdentity, random_bytes: RandomBytes) -> None:
        self.gateway = gateway
        self.identity = ClientIdentityKey.generate(random_bytes)
        self.link = GatewayLink(GatewayListener(gateway, url, None), self.identity)
        self.received = 0
        self.changed = anyio.Event()

    async def take(self, pushed: deque[bytes]) -> None:
        """Count what comes."""
        self.received += len(pushed)
        pushed.clear()
        self.changed.set()

    async def wait_for(self, count: int) -> None:
        while self.received < count:
            self.changed = anyio.Event()
            await self.changed.wait()


@asynccontextmanager
async def _connected(end: _End) -> AsyncIterator[_End]:
    await end.link.connect()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end.link.run, end.take)
        yield end
        await end.link.aclose()
        tasks.cancel_scope.cancel()


def _prepared(
    topology: Topology, sender: _End, recipient: _End, random_bytes: RandomBytes
) -> MixPacket:
    """Make a regular packet with an acknowledgement, both through random mixes without delay."""
    ack_header = build_header(
        topology.route_to(sender.gateway, random_bytes),
        [0] * 4,
        sender.identity.public_key,
        rotation=topology.rotation,
        random_bytes=random_bytes,
    )
    ack = build_packet(ack_header, random_bytes(21), PacketSize.ACK)
    header = build_header(
        topology.route_to(recipient.gateway, random_bytes),
        [0] * 4,
        recipient.identity.public_key,
        rotation=topology.rotation,
        random_bytes=random_bytes,
    )
    block = ack_header.first_hop.pad(ACK_ADDRESS_BYTES) + ack
    plaintext = block + random_bytes(PacketSize.REGULAR.plaintext_length - len(block))
    packet = build_packet(header, plaintext, PacketSize.REGULAR)
    return MixPacket(header.first_hop, topology.rotation, packet)


async def node_costs(stage: Stage, *, processes: int, packets: int, seed: int) -> tuple[float, ...]:
    """Send prepared packets through a localnet of its own.

    Returns:
        CPU seconds of each of the nodes' processes. The busiest one bounds the rate.

    Raises:
        PhaseTimeout: not all packets and acknowledgements came.
    """
    random_bytes = random.Random(seed).randbytes
    flags = ("--processes", str(processes))
    async with stage.localnet(*flags, name=f"nodes-{processes}-{seed}") as network:
        listed = network.child.ready["gateways"]
        details = NetworkDetails.from_env_file(network.env_file)
        topology = await DirectoryClient(details).fetch_topology()
        first, second = (
            _End(gateway["url"], NodeIdentity.parse(gateway["identity"]), random_bytes)
            for gateway in listed[:2]
        )
        prepared = [_prepared(topology, first, second, random_bytes) for _ in range(packets)]
        async with _connected(first), _connected(second):
            before = Usage.of([network.child.process.pid])
            try:
                with anyio.fail_after(ALL_SECONDS):
                    for sent in range(0, packets, IN_FLIGHT // 8):
                        await first.wait_for(sent - IN_FLIGHT)
                        await first.link.send(prepared[sent : sent + IN_FLIGHT // 8])
                    await first.wait_for(packets)
                    await second.wait_for(packets)
            except TimeoutError as error:
                raise PhaseTimeout(
                    f"{second.received} of {packets} packets and {first.received} acks came"
                ) from error
            return Usage.of([network.child.process.pid]).since(before)
