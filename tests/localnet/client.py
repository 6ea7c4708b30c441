"""A client made of the gateway codecs alone, for tests of the gateway's side."""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from nymproxy._base58 import decode_exactly
from nymproxy.mixnet.gateway import (
    ClientHandshake,
    ClientIdentityKey,
    RequestKind,
    ResponseKind,
    SharedKey,
    build_authentication,
    open_frame,
    parse_handshake_text,
    parse_response,
    seal_frame,
)
from nymproxy.mixnet.gateway.connection import parse_websocket_url
from nymproxy.mixnet.gateway.requests import ClaimFreeTestnetBandwidth
from nymproxy.mixnet.gateway.websocket import WebSocketStream
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import (
    Hop,
    KeyRotation,
    NodeAddress,
    PacketSize,
    build_header,
    build_packet,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from nymproxy.address import NodeIdentity
    from nymproxy.localnet import GatewayInfo, RunningLocalnet
    from nymproxy.mixnet.gateway.responses import GatewayResponse

ACK_ADDRESS_BYTES = 19


@asynccontextmanager
async def websocket_to(gateway: GatewayInfo) -> AsyncIterator[WebSocketStream]:
    """Open a websocket; on exit the TCP connection is dropped without a close frame."""
    uri = parse_websocket_url(gateway.url)
    stream = await anyio.connect_tcp(uri.host, uri.port)
    async with stream:
        yield await WebSocketStream.connect(stream, uri)


async def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what no event announces."""
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        await anyio.sleep(0.005)
    raise TimeoutError("what was waited for did not happen")


class Client:
    """One identity at one gateway."""

    def __init__(self, gateway: GatewayInfo, identity: ClientIdentityKey | None = None) -> None:
        self.gateway = gateway
        self.identity = identity or ClientIdentityKey.generate(os.urandom)
        self.key: SharedKey | None = None
        self.websocket: WebSocketStream
        self.pushed: list[bytes] = []
        self.texts: list[GatewayResponse] = []

    @property
    def address(self) -> bytes:
        return self.identity.public_key

    async def register(self, websocket: WebSocketStream) -> GatewayResponse:
        self.websocket = websocket
        handshake = ClientHandshake(self.identity, self.gateway.identity, random_bytes=os.urandom)
        await websocket.send(handshake.start().encode())
        while not handshake.is_finished:
            reply = handshake.receive(parse_handshake_text(await self.text()))
            if reply is not None:
                await websocket.send(reply.encode())
        self.key = handshake.shared_key
        return await self.response()

    async def authenticate(
        self, websocket: WebSocketStream, unix_timestamp: int | None = None
    ) -> GatewayResponse:
        assert self.key is not None
        self.websocket = websocket
        request = build_authentication(
            self.identity,
            self.key,
            protocol_version=6,
            unix_timestamp=int(time.time()) if unix_timestamp is None else unix_timestamp,
            nonce=os.urandom(12),
        )
        await websocket.send(request.encode())
        return await self.response()

    async def claim(self) -> GatewayResponse:
        await self.websocket.send(ClaimFreeTestnetBandwidth().encode())
        return await self.response()

    async def forward(self, packet: MixPacket, *, version: int = 2) -> GatewayResponse:
        await self.send_packets([packet], version=version)
        return await self.response()

    async def send_packets(self, packets: Sequence[MixPacket], *, version: int = 2) -> None:
        assert self.key is not None
        frames = []
        for packet in packets:
            kind = RequestKind.FORWARD_SPHINX_V2 if version == 2 else RequestKind.FORWARD_SPHINX
            plaintext = packet.encode_v2() if version == 2 else packet.encode_v1()
            frames.append(seal_frame(self.key, kind, plaintext, os.urandom(12)))
        await self.websocket.send(*frames)

    async def text(self) -> str:
        while True:
            message = await self.websocket.receive()
            if isinstance(message, str):
                return message
            self._keep(message)

    async def response(self) -> GatewayResponse:
        return parse_response(await self.text())

    async def message(self) -> bytes:
        """Return the next pushed message; texts meanwhile are kept."""
        while not self.pushed:
            received = await self.websocket.receive()
            if isinstance(received, str):
                self.texts.append(parse_response(received))
            else:
                self._keep(received)
        return self.pushed.pop(0)

    def _keep(self, frame: bytes) -> None:
        assert self.key is not None
        self.pushed.append(open_frame(self.key, frame, ResponseKind).plaintext)


@asynccontextmanager
async def connected(localnet: RunningLocalnet, index: int = 0) -> AsyncIterator[Client]:
    """A registered client with bandwidth."""
    client = Client(localnet.gateways[index])
    async with websocket_to(client.gateway) as websocket:
        await client.register(websocket)
        await client.claim()
        yield client


@dataclass(frozen=True, slots=True)
class Routes:
    """The network as the directory shows it."""

    layers: tuple[list[Hop], list[Hop], list[Hop]]
    gateways: dict[bytes, Hop]
    rotation: KeyRotation

    def to(self, gateway: NodeIdentity, index: int = 0) -> list[Hop]:
        layer1, layer2, layer3 = self.layers
        mixes = [layer[index % len(layer)] for layer in (layer1, layer2, layer3)]
        return [*mixes, self.gateways[gateway.key]]


async def fetch(localnet: RunningLocalnet, path: str) -> Any:
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.get(localnet.directory_url + path)
    response.raise_for_status()
    return response.json()


async def routes(localnet: RunningLocalnet) -> Routes:
    body = await fetch(localnet, "v2/unstable/nym-nodes/skimmed")
    layers: tuple[list[Hop], list[Hop], list[Hop]] = ([], [], [])
    gateways: dict[bytes, Hop] = {}
    for node in body["nodes"]["data"]:
        hop = Hop(
            NodeAddress.parse(node["ip_addresses"][0], node["mix_port"]),
            decode_exactly(node["x25519_sphinx_pubkey"], 32),
        )
        if node["entry"] is None:
            layers[node["role"]["Mixnode"]["layer"] - 1].append(hop)
        else:
            gateways[decode_exactly(node["ed25519_identity_pubkey"], 32)] = hop
    rotation = KeyRotation.from_rotation_id(body["metadata"]["rotation_id"])
    return Routes(layers, gateways, rotation)


def ack_block(via: Routes, sender: Client, plaintext: bytes, delay_ns: int = 0) -> bytes:
    """First hop (19) || ack packet (386), back to the sender."""
    header = build_header(
        via.to(sender.gateway.identity),
        [delay_ns] * 4,
        sender.address,
        rotation=via.rotation,
        random_bytes=os.urandom,
    )
    packet = build_packet(header, plaintext, PacketSize.ACK)
    return header.first_hop.pad(ACK_ADDRESS_BYTES) + packet


def packet_to(
    via: Routes,
    recipient: Client,
    message: bytes,
    ack: bytes,
    *,
    delay_ns: int = 0,
    rotation: KeyRotation | None = None,
) -> MixPacket:
    """A regular packet that carries an ack block and a message (padded to the packet's size)."""
    header = build_header(
        via.to(recipient.gateway.identity),
        [delay_ns] * 4,
        recipient.address,
        rotation=via.rotation,
        random_bytes=os.urandom,
    )
    size = PacketSize.REGULAR
    packet = build_packet(header, (ack + message).ljust(size.plaintext_length, b"\0"), size)
    return MixPacket(header.first_hop, via.rotation if rotation is None else rotation, packet)
