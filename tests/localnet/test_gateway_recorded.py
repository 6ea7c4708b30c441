"""What the Rust crates recorded, against the gateway's websocket."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.abc import SocketAttribute

from nymproxy.address import NodeIdentity
from nymproxy.localnet import GatewayInfo
from nymproxy.localnet.counters import NodeCounters
from nymproxy.localnet.fault_gates import FaultGates
from nymproxy.localnet.gateway_bandwidth import FREE_BANDWIDTH_BYTES
from nymproxy.localnet.gateway_clients import GatewayClients
from nymproxy.localnet.gateway_door import GatewayDoor
from nymproxy.localnet.gateway_store import GatewayStore
from nymproxy.localnet.links import Outbox
from nymproxy.mixnet.gateway import CURRENT_PROTOCOL_VERSION, ClientIdentityKey, SharedKey
from nymproxy.mixnet.gateway.responses import ErrorResponse, RegisterResponse, SendResponse
from nymproxy.mixnet.sphinx import PacketSize
from tests.localnet.client import Client, websocket_to
from tests.localnet.lone_gateway import NOON, LoneGateway
from tests.vectors.files import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


VECTORS = load("gateway.json")


# A gateway of the localnet speaks the current version; a recorded one may have insisted on another.
HANDSHAKES = [
    case
    for case in VECTORS["handshakes"]
    if case["messages_decoded"][1]["protocol_version"]
    == min(case["client_proposed_protocol"], CURRENT_PROTOCOL_VERSION)
]


@pytest.mark.parametrize("case", HANDSHAKES, ids=lambda case: case["name"])
async def test_recorded_handshakes(case: dict[str, Any], tmp_path: Path) -> None:
    """The recorded client's texts get the recorded gateway's answers, byte for byte."""
    pieces = [bytes.fromhex(case["gateway_ephemeral_secret"])]
    pieces += [
        bytes.fromhex(message["data"])[-12:]
        for message in case["messages_decoded"]
        if message["from"] == "gateway" and len(message["data"] or "") == 248
    ]
    store = GatewayStore(tmp_path / "vectors.sqlite")
    counters = NodeCounters()
    gates = FaultGates(anyio.current_time)
    clients = GatewayClients(
        "gateway-0",
        store,
        Outbox("gateway-0", lambda _: "unknown", gates, counters),
        gates,
        counters,
        unix_time=lambda: NOON,
        acks_after_writing=False,
        random_bytes=lambda length: pieces.pop(0) if pieces else os.urandom(length),
    )
    identity = ClientIdentityKey(bytes.fromhex(case["gateway_identity_secret"]))
    door = GatewayDoor(identity, store, clients)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as task_group:
        task_group.start_soon(listener.serve, door.handle)
        info = GatewayInfo("gateway-0", NodeIdentity(identity.public_key), f"ws://127.0.0.1:{port}")
        async with websocket_to(info) as websocket:
            for message in case["messages"]:
                if message["from"] == "client":
                    await websocket.send(message["text"])
                else:
                    with anyio.fail_after(30):
                        assert await websocket.receive() == message["text"]
            if case.get("shared_key") and not case.get("gateway_error"):
                response = await websocket.receive()
                assert response == RegisterResponse(case["negotiated_protocol"], True).encode()
                client = bytes.fromhex(case["client_identity_public"])
                registration = store.registration(client)
                assert registration is not None
                assert registration.shared_key.hex() == case["shared_key"]
        task_group.cancel_scope.cancel()
    store.close()


class TestRecordedFrames:
    """Frames that the Rust crate sealed, sent as they are."""

    @pytest.mark.parametrize(
        "case", VECTORS["binary_requests"], ids=lambda case: f"{case['kind']} {case['packet_size']}"
    )
    async def test_packets_are_forwarded(self, gateway: LoneGateway, case: dict[str, Any]) -> None:
        key = SharedKey(bytes.fromhex(VECTORS["shared_key"]))
        async with _client_with_key(gateway, key) as client:
            await client.websocket.send(bytes.fromhex(case["ws_binary_message"]))
            length = len(case["sphinx_packet"]) // 2
            assert await client.response() == SendResponse(FREE_BANDWIDTH_BYTES - length)
        size = PacketSize.from_packet_length(length)
        counted = gateway.counters.snapshot()["from_client"]
        assert counted == {size.name.lower(): {"packets": 1, "bytes": length}}

    async def test_malformed_frames_get_an_error(self, gateway: LoneGateway) -> None:
        key = SharedKey(bytes.fromhex(VECTORS["shared_key"]))
        async with _client_with_key(gateway, key) as client:
            for case in VECTORS["binary_request_parsing"]:
                raw = bytes.fromhex(case["raw"])
                await client.websocket.send(raw)
                answer = await client.response()
                refused = not case["ok"] or raw[1] == 0  # In the clear: Rust would take it.
                assert isinstance(answer, ErrorResponse) == refused, case["name"]


@asynccontextmanager
async def _client_with_key(gateway: LoneGateway, key: SharedKey) -> AsyncIterator[Client]:
    """A connected client with bandwidth whose shared key was agreed on long ago."""
    client = Client(gateway.info)
    client.key = key
    store = gateway.node._store
    assert store is not None
    store.register(client.address, key.to_bytes())
    async with websocket_to(gateway.info) as websocket:
        await client.authenticate(websocket, int(gateway.now))
        await client.claim()
        yield client
