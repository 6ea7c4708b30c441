"""The connection over a real websocket, against the texts that the Rust crates recorded.

The other end is a script that compares and replays; it knows nothing of our codecs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from nymproxy.address import NodeIdentity
from nymproxy.errors import GatewayProtocolError
from nymproxy.mixnet.gateway import ClientIdentityKey, GatewayClientProtocol, SharedKey
from nymproxy.mixnet.gateway.backlog import Backlog
from nymproxy.mixnet.gateway.connection import GatewayConnection, parse_websocket_url
from nymproxy.mixnet.gateway.events import Authenticating, Pushed, Registered
from nymproxy.mixnet.gateway.versions import (
    CURRENT_PROTOCOL_VERSION,
    carries_key_rotation,
    is_supported,
)
from nymproxy.mixnet.gateway.websocket import WebSocketStream
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress
from tests.gateway.server_end import ServerEnd
from tests.gateway.streams import memory_streams
from tests.vectors.files import load, recorded

VECTORS = load("gateway.json")
ASK = '{"type":"supportedProtocol"}'
CLAIM = '{"type":"claimFreeTestnetBandwidth"}'
GRANT = '{"type":"bandwidth","available_total":68719476736,"upgrade_mode":false}'


@dataclass
class Expect:
    """The script's side waits for exactly this message."""

    message: str | bytes


@dataclass
class Say:
    """The script's side sends this message."""

    message: str | bytes


Script = Sequence[Expect | Say]


async def play(script: Script, websocket: ServerEnd) -> None:
    for step in script:
        if isinstance(step, Expect):
            assert await websocket.receive() == step.message
        else:
            await websocket.send(step.message)


async def run_against(
    script: Script,
    protocol: GatewayClientProtocol,
    unix_time: float,
    drive: Callable[[GatewayConnection], Any],
) -> None:
    near, far = memory_streams()
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            websocket = await ServerEnd.accept(far)
            await play(script, websocket)
            await websocket.aclose()

        tasks.start_soon(serve)
        websocket = await WebSocketStream.connect(near, parse_websocket_url("ws://gateway:9000"))
        connection = GatewayConnection(websocket, protocol, unix_time=lambda: unix_time)
        await drive(connection)
        await connection.aclose()


async def nothing(_event: object) -> None:
    return


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text)


# Our client neither proposes a version that it does not speak, nor adopts one.
HANDSHAKES = [
    case
    for case in VECTORS["handshakes"]
    if is_supported(case["client_proposed_protocol"])
    and is_supported(case.get("negotiated_protocol", CURRENT_PROTOCOL_VERSION))
]


@pytest.mark.parametrize("case", HANDSHAKES, ids=lambda case: case["name"])
async def test_registration(case: dict[str, Any]) -> None:
    texts = [message["text"] for message in case["messages"]]
    version = case["client_proposed_protocol"]
    agreed = case.get("negotiated_protocol", version)
    nonce = (
        bytes_of(case["messages_decoded"][2]["data"])[-12:] if "shared_key" in case else b"n" * 12
    )
    protocol = GatewayClientProtocol(
        ClientIdentityKey(bytes_of(case["client_identity_secret"])),
        NodeIdentity(bytes_of(case["gateway_identity_expected_by_client"])),
        shared_key=None,
        random_bytes=recorded(
            bytes_of(case["client_ephemeral_secret"]), bytes_of(case["initiator_salt"]), nonce
        ),
    )
    opening: list[Expect | Say] = [
        Expect(ASK),
        Say(f'{{"type":"supportedProtocol","version":{version}}}'),
        Expect(texts[0]),
        Say("no handshake text at all: skipped"),
        Say(texts[1]),
        Expect(texts[2]),
    ]
    registered: list[Registered] = []

    async def keep(event: Registered) -> None:
        registered.append(event)

    async def drive(connection: GatewayConnection) -> None:
        if "shared_key" in case:
            await connection.establish(Backlog(), on_registered=keep, on_authenticating=nothing)
            return
        with pytest.raises(GatewayProtocolError):
            await connection.establish(Backlog(), on_registered=keep, on_authenticating=nothing)
        await connection.flush()

    if "shared_key" in case:
        opening += [
            Say(texts[3]),
            Say(f'{{"type":"register","protocol_version":{agreed},"status":true}}'),
            Expect(CLAIM),
            Say(GRANT),
        ]
    await run_against(opening, protocol, 1_760_000_000.5, drive)
    keys = [event.shared_key.to_bytes().hex() for event in registered]
    assert keys == ([case["shared_key"]] if "shared_key" in case else [])


@pytest.mark.parametrize("case", VECTORS["authenticate_v2"])
async def test_authentication_pushes_and_packets(case: dict[str, Any]) -> None:
    """A recorded authentication, every recorded push, and every recorded packet."""
    version = case["protocol_version"]
    kind = "ForwardSphinxV2" if carries_key_rotation(version) else "ForwardSphinx"
    packets, frames, nonces = [], [], []
    for request in VECTORS["binary_requests"]:
        if request["kind"] != kind:
            continue
        host, _, port = request["next_hop"].rpartition(":")
        hop = NodeAddress.parse(host.strip("[]"), int(port))
        rotation = KeyRotation(request["key_rotation"])  # 0 where the form does not say it
        packets.append(MixPacket(hop, rotation, bytes_of(request["sphinx_packet"])))
        frames.append(bytes_of(request["ws_binary_message"]))
        nonces.append(bytes_of(request["nonce"]))
    protocol = GatewayClientProtocol(
        ClientIdentityKey(bytes_of(case["client_identity_secret"])),
        NodeIdentity(bytes_of(case["client_identity_public"])),
        shared_key=SharedKey(bytes_of(VECTORS["shared_key"])),
        random_bytes=recorded(bytes_of(case["nonce"]), *nonces),
    )
    pushes = VECTORS["binary_responses"]
    script: list[Expect | Say] = [
        Expect(ASK),
        Say(f'{{"type":"supportedProtocol","version":{version}}}'),
        Expect(case["json"]),
        *(Say(bytes_of(push["ws_binary_message"])) for push in pushes),
        Say(
            f'{{"type":"authenticate","protocol_version":{version},"status":true,'
            '"bandwidth_remaining":0,"upgrade_mode":false}'
        ),
        Expect(CLAIM),
        Say('{"type":"send","remaining_bandwidth":1}'),
        Say(GRANT),
        *(Expect(frame) for frame in frames),
        *(Say(bytes_of(push["ws_binary_message"])) for push in pushes),
    ]
    wanted = [bytes_of(push["message"]) for push in pushes]
    seconds: list[int] = []

    async def keep(event: Authenticating) -> None:
        seconds.append(event.unix_second)

    async def drive(connection: GatewayConnection) -> None:
        backlog = Backlog()
        await connection.establish(backlog, on_registered=nothing, on_authenticating=keep)
        assert list(backlog.messages) == wanted
        await connection.send_packets(packets)
        seen: list[bytes] = []
        while len(seen) < len(wanted):
            for event in await connection.receive():
                assert isinstance(event, Pushed)
                seen.append(event.message)
        assert seen == wanted

    await run_against(script, protocol, case["request_unix_timestamp"] + 0.9, drive)
    assert seconds == [case["request_unix_timestamp"]]
