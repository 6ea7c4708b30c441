"""A gateway without a network, and what clients of it do in several tests."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.address import NodeIdentity
from nymproxy.localnet import GatewayInfo
from nymproxy.localnet.core import Deliver, Forward
from nymproxy.localnet.epochs import EpochClock, EpochSchedule
from nymproxy.localnet.fault_gates import FaultGates
from nymproxy.localnet.framing import Frame
from nymproxy.localnet.gateway_node import GatewayNode
from nymproxy.localnet.nodes import NodeEnvironment
from nymproxy.localnet.secrets import NetworkSecret
from nymproxy.mixnet.gateway import build_authentication
from nymproxy.mixnet.gateway.responses import ErrorResponse
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize
from tests.localnet.client import Client, eventually, websocket_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nymproxy.localnet.counters import NodeCounters
    from nymproxy.mixnet.gateway.requests import AuthenticateV2
    from nymproxy.mixnet.gateway.websocket import WebSocketStream

NOON = 1_760_011_200.0  # a day of 2025, at 12:00 UTC
NOWHERE = NodeAddress.parse("10.1.2.3", 1789)


class LoneGateway:
    """A gateway with a clock set by hand, and no other nodes."""

    def __init__(self, state_file: Path) -> None:
        self.now = NOON
        self.gates = FaultGates(anyio.current_time)
        self.environment = NodeEnvironment(
            NetworkSecret.from_seed(1),
            EpochClock(EpochSchedule.starting(NOON)),
            self.gates,
            lambda: self.now,
            os.urandom,
        )
        self.node = GatewayNode("gateway-0", self.environment, 0, 0, state_file)
        identity = self.environment.secret.identity_key("gateway-0")
        self.info = GatewayInfo(
            "gateway-0",
            NodeIdentity(identity.public_key),
            f"ws://127.0.0.1:{self.node.client_port}",
        )

    @property
    def counters(self) -> NodeCounters:
        return self.node.counters

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as task_group:
            self._tasks = task_group
            await self.start()
            yield
            await self.node.stop()

    async def start(self) -> None:
        await self._tasks.start(self.node.run)

    def deliver(self, client: Client, *messages: bytes, acked: bool = False) -> None:
        """Let messages arrive from the mixnet; their acks go nowhere, but are counted."""
        clients = self.node._clients
        assert clients is not None
        ack = Forward(NOWHERE.pack(), Frame(PacketSize.ACK, KeyRotation.EVEN, bytes(386)), 0.0)
        clients.deliver(
            [
                Deliver(client.address, message, PacketSize.REGULAR, ack if acked else None)
                for message in messages
            ]
        )


def authentication(
    client: Client, unix_timestamp: float, *, protocol_version: int = 6
) -> AuthenticateV2:
    assert client.key is not None
    return build_authentication(
        client.identity,
        client.key,
        protocol_version=protocol_version,
        unix_timestamp=int(unix_timestamp),
        nonce=os.urandom(12),
    )


def blank_packet() -> MixPacket:
    return MixPacket(NOWHERE, KeyRotation.EVEN, bytes(PacketSize.REGULAR.packet_length))


async def registered(gateway: LoneGateway) -> Client:
    """A client that registered, and went away."""
    client, before = Client(gateway.info), len(gateway.node.connected_clients)
    async with websocket_to(gateway.info) as websocket:
        await client.register(websocket)
    await eventually(lambda: len(gateway.node.connected_clients) == before)
    gateway.now += 1
    return client


async def gateway_hangs_up(websocket: WebSocketStream) -> None:
    """Wait until the gateway ends the connection."""
    with anyio.fail_after(30), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
        await websocket.receive()


async def refused(client: Client, request: AuthenticateV2) -> str:
    """Send a request that must be refused; returns the text, which comes twice."""
    async with websocket_to(client.gateway) as websocket:
        client.websocket = websocket
        await websocket.send(request.encode())
        answers = [await client.response(), await client.response()]
        await gateway_hangs_up(websocket)
    first, second = answers
    assert isinstance(first, ErrorResponse)
    assert first == second
    return first.message
