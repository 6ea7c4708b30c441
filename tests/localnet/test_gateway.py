"""The gateway's side of the websocket, against raw client frames."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.abc import SocketAttribute
from websockets.frames import Opcode

from nymproxy.address import NodeIdentity
from nymproxy.localnet import FaultPlan, GatewayInfo, LinkFaults, gateway_door, gateway_session
from nymproxy.localnet.core import Deliver, Forward
from nymproxy.localnet.counters import Direction, DropReason, NodeCounters
from nymproxy.localnet.epochs import EpochClock, EpochSchedule
from nymproxy.localnet.fault_gates import FaultGates
from nymproxy.localnet.framing import Frame
from nymproxy.localnet.gateway_bandwidth import FREE_BANDWIDTH_BYTES
from nymproxy.localnet.gateway_clients import GatewayClients
from nymproxy.localnet.gateway_door import GatewayDoor
from nymproxy.localnet.gateway_store import GatewayStore
from nymproxy.localnet.links import Outbox
from nymproxy.localnet.nodes import GatewayNode, NodeEnvironment
from nymproxy.localnet.secrets import NetworkSecret
from nymproxy.mixnet.gateway import (
    ClientIdentityKey,
    RequestKind,
    SharedKey,
    build_authentication,
    seal_frame,
)
from nymproxy.mixnet.gateway.encrypted_texts import (
    ForgetMe,
    ForgetMeAck,
    RememberMe,
    RememberMeAck,
    SessionType,
    open_response,
    seal_request,
)
from nymproxy.mixnet.gateway.requests import AuthenticateV2, SupportedProtocolRequest
from nymproxy.mixnet.gateway.responses import (
    AuthenticateResponse,
    BandwidthResponse,
    EncryptedResponse,
    ErrorResponse,
    GatewayResponse,
    OutOfBandwidthResponse,
    RegisterResponse,
    SendResponse,
    SupportedProtocolResponse,
)
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize
from tests.localnet.client import Client, eventually, websocket_to
from tests.vectors.files import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nymproxy.mixnet.gateway.websocket import WebSocketStream

NOON = 1_760_011_200.0  # a day of 2025, at 12:00 UTC
NOWHERE = NodeAddress.parse("10.1.2.3", 1789)
VECTORS = load("gateway.json")


class Gateway:
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
            await task_group.start(self.node.run)
            yield
            await self.node.stop()

    def deliver(self, client: Client, *messages: bytes, acked: bool = False) -> None:
        """Let messages arrive from the mixnet; their acks go nowhere, but are counted."""
        clients = self.node._clients
        assert clients is not None
        ack = Forward(NOWHERE, Frame(PacketSize.ACK, KeyRotation.EVEN, bytes(386)), 0.0)
        clients.deliver(
            [
                Deliver(client.address, message, PacketSize.REGULAR, ack if acked else None)
                for message in messages
            ]
        )


@pytest.fixture
async def gateway(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path / "gateway.sqlite")
    async with gateway.running():
        yield gateway
    gateway.node.close()


def _authentication(client: Client, unix_timestamp: float, **changes: Any) -> AuthenticateV2:
    assert client.key is not None
    request = build_authentication(
        client.identity,
        client.key,
        protocol_version=changes.get("protocol_version", 6),
        unix_timestamp=int(unix_timestamp),
        nonce=os.urandom(12),
    )
    return request


def _packet(first_hop: NodeAddress = NOWHERE) -> MixPacket:
    return MixPacket(first_hop, KeyRotation.EVEN, bytes(PacketSize.REGULAR.packet_length))


async def _registered(gateway: Gateway) -> Client:
    """A client that registered, and went away."""
    client = Client(gateway.info)
    async with websocket_to(gateway.info) as websocket:
        await client.register(websocket)
    await eventually(lambda: gateway.node.connected_clients == 0)
    gateway.now += 1
    return client


async def _ends(websocket: WebSocketStream) -> None:
    """The gateway hangs up."""
    with anyio.fail_after(5), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
        await websocket.receive()


async def _refused(client: Client, request: AuthenticateV2) -> str:
    """Send a request that must be refused; returns the text, which comes twice."""
    async with websocket_to(client.gateway) as websocket:
        client.websocket = websocket
        await websocket.send(request.encode())
        answers = [await client.response(), await client.response()]
        await _ends(websocket)
    first, second = answers
    assert isinstance(first, ErrorResponse)
    assert first == second
    return first.message


class TestBeforeAdmission:
    @pytest.mark.parametrize(
        ("message", "complaint"),
        [
            ("no json", "Only 'Register' or 'Authenticate' requests are allowed"),
            ('{"type":"claimFreeTestnetBandwidth"}', "Only 'Register' or 'Authenticate'"),
            ('{"type":"authenticate","address":"a","enc_address":"b","iv":"c"}', "legacy"),
            (b"\x01\x01" + bytes(40), "without prior authentication"),
        ],
    )
    async def test_anything_else_ends_the_connection(
        self, gateway: Gateway, message: str | bytes, complaint: str
    ) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as client.websocket:
            await client.websocket.send(message)
            answer = await client.response()
            assert isinstance(answer, ErrorResponse)
            assert complaint in answer.message
            await _ends(client.websocket)

    async def test_a_ping_is_an_error(self, gateway: Gateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as client.websocket:
            await client.websocket.ping(b"\x01\x02\x03")
            answer = await client.response()
            assert isinstance(answer, ErrorResponse)
            assert "type ping which was not expected" in answer.message
            await _ends(client.websocket)

    async def test_the_version_may_be_asked_any_number_of_times(self, gateway: Gateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            client.websocket = websocket
            for _ in range(3):
                await websocket.send(SupportedProtocolRequest().encode())
                assert await client.response() == SupportedProtocolResponse(6)
            await client.register(websocket)
            await websocket.send(SupportedProtocolRequest().encode())
            assert await client.response() == SupportedProtocolResponse(6)

    async def test_silence_ends_the_connection(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "INITIAL_MESSAGE_SECONDS", 0.05)
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as client.websocket:
            answer = await client.response()
            assert answer == ErrorResponse("timed out while waiting for initial data")
            await _ends(client.websocket)

    async def test_no_upgrade_ends_the_connection(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "UPGRADE_SECONDS", 0.05)
        async with await anyio.connect_tcp("127.0.0.1", gateway.node.client_port) as stream:
            with anyio.fail_after(5), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()

    @pytest.mark.parametrize("garbage", [b"\0" * 2000, b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n"])
    async def test_what_is_no_websocket_is_turned_away(
        self, gateway: Gateway, garbage: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "UPGRADE_SECONDS", 0.1)
        async with await anyio.connect_tcp("127.0.0.1", gateway.node.client_port) as stream:
            await stream.send(garbage)
            with anyio.fail_after(5), suppress(anyio.BrokenResourceError):
                async for _ in stream:
                    pass


class TestRegistration:
    async def test_a_new_client_has_no_bandwidth(self, gateway: Gateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            assert await client.register(websocket) == RegisterResponse(6, True)
            assert await client.forward(_packet()) == OutOfBandwidthResponse(2413, 0)
            assert await client.claim() == BandwidthResponse(FREE_BANDWIDTH_BYTES)
            sent = await client.forward(_packet())
            assert sent == SendResponse(FREE_BANDWIDTH_BYTES - 2413)
            sent = await client.forward(_packet(), version=1)
            assert sent == SendResponse(FREE_BANDWIDTH_BYTES - 2 * 2413)
        assert gateway.counters.packets(Direction.FROM_CLIENT) == 2
        assert gateway.counters.dropped(DropReason.NOT_LOOPBACK) == 2

    async def test_a_connected_client_cannot_register_again(self, gateway: Gateway) -> None:
        first = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await first.register(websocket)
            second = Client(gateway.info, first.identity)
            async with websocket_to(gateway.info) as other:
                second.websocket = other
                await other.send(
                    '{"type":"handshakePayload","protocol_version":6,"data":'
                    f"{[*first.address, *bytes(48)]}}}"
                )
                answer = await second.response()
                assert answer == ErrorResponse("There is already an open connection to this client")
                await _ends(other)

    async def test_a_failed_handshake_says_so_and_hangs_up(self, gateway: Gateway) -> None:
        async with websocket_to(gateway.info) as websocket:
            await websocket.send('{"type":"handshakePayload","protocol_version":6,"data":[1,2,3]}')
            texts = [await websocket.receive() for _ in range(3)]
            await _ends(websocket)
        assert "handshakeError" in str(texts[0])
        assert texts[1] == texts[2]
        assert "Failed to perform registration handshake" in str(texts[1])

    async def test_a_handshake_left_half_way_times_out(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_door, "HANDSHAKE_MESSAGE_SECONDS", 0.05)
        client = ClientIdentityKey.generate(os.urandom)
        async with websocket_to(gateway.info) as websocket:
            data = [*client.public_key, *([9] + [0] * 31), *bytes(16)]
            await websocket.send(
                f'{{"type":"handshakePayload","protocol_version":6,"data":{data}}}'
            )
            assert "handshakePayload" in str(await websocket.receive())
            assert "timed out waiting for a handshake message" in str(await websocket.receive())

    @pytest.mark.parametrize("case", VECTORS["handshakes"], ids=lambda case: case["name"])
    async def test_recorded_handshakes(self, case: dict[str, Any], tmp_path: Path) -> None:
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
            random_bytes=lambda length: pieces.pop(0) if pieces else os.urandom(length),
        )
        identity = ClientIdentityKey(bytes.fromhex(case["gateway_identity_secret"]))
        door = GatewayDoor(identity, store, clients)
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as task_group:
            task_group.start_soon(listener.serve, door.handle)
            info = GatewayInfo(
                "gateway-0", NodeIdentity(identity.public_key), f"ws://127.0.0.1:{port}"
            )
            async with websocket_to(info) as websocket:
                for message in case["messages"]:
                    if message["from"] == "client":
                        await websocket.send(message["text"])
                    else:
                        with anyio.fail_after(5):
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


class TestAuthentication:
    async def test_a_known_client_comes_back(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert answer == AuthenticateResponse(6, True, 0)
            await client.claim()
        await eventually(lambda: gateway.node.connected_clients == 0)
        gateway.now += 1
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert answer == AuthenticateResponse(6, True, FREE_BANDWIDTH_BYTES)

    async def test_an_expired_allowance_is_reported_as_zero(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            await client.claim()
            gateway.now += 86400 / 2  # midnight UTC
            assert await client.forward(_packet()) == OutOfBandwidthResponse(2413, 0)
            assert await client.claim() == BandwidthResponse(FREE_BANDWIDTH_BYTES)
        await eventually(lambda: gateway.node.connected_clients == 0)
        gateway.now += 86400
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert answer == AuthenticateResponse(6, True, 0)

    @pytest.mark.parametrize(
        ("skew", "accepted"), [(120, True), (-120, True), (121, False), (-121, False)]
    )
    async def test_clocks_may_differ_by_two_minutes(
        self, gateway: Gateway, skew: int, accepted: bool
    ) -> None:
        client = await _registered(gateway)
        gateway.now = float(int(gateway.now))
        request = _authentication(client, gateway.now + skew)
        if accepted:
            async with websocket_to(gateway.info) as client.websocket:
                await client.websocket.send(request.encode())
                assert isinstance(await client.response(), AuthenticateResponse)
        else:
            assert "excessively skewed" in await _refused(client, request)

    @pytest.mark.parametrize("version", [3, 7])
    async def test_unsupported_versions(self, gateway: Gateway, version: int) -> None:
        client = await _registered(gateway)
        request = _authentication(client, gateway.now, protocol_version=version)
        refusal = await _refused(client, request)
        assert f"Ours is 6 and the client reports {version}" in refusal

    async def test_unknown_clients(self, gateway: Gateway) -> None:
        client = Client(gateway.info)
        client.key = SharedKey(bytes(32))
        request = _authentication(client, gateway.now)
        assert await _refused(client, request) == "the client is not registered"

    async def test_another_shared_key(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        client.key = SharedKey(bytes(32))
        refusal = await _refused(client, _authentication(client, gateway.now))
        assert refusal == "failed to verify provided address ciphertext"

    async def test_another_signature(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        request = _authentication(client, gateway.now)
        forged = AuthenticateV2(
            request.protocol_version,
            request.client_identity,
            request.address_ciphertext,
            request.nonce,
            request.unix_timestamp + 1,
            request.signature,
        )
        assert await _refused(client, forged) == "failed to verify request signature"

    async def test_timestamps_increase_strictly_also_across_a_restart(
        self, gateway: Gateway
    ) -> None:
        client = await _registered(gateway)
        request = _authentication(client, gateway.now)
        async with websocket_to(gateway.info) as client.websocket:
            await client.websocket.send(request.encode())
            assert isinstance(await client.response(), AuthenticateResponse)
        await eventually(lambda: gateway.node.connected_clients == 0)
        assert "smaller or equal" in await _refused(client, request)
        await gateway.node.kill()
        async with anyio.create_task_group() as task_group:
            await task_group.start(gateway.node.run)
            assert "smaller or equal" in await _refused(client, request)
            async with websocket_to(gateway.info) as websocket:
                answer = await client.authenticate(websocket, int(gateway.now) + 1)
                assert isinstance(answer, AuthenticateResponse)
            await gateway.node.kill()

    async def test_a_live_connection_is_kept(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        async with websocket_to(gateway.info) as websocket, anyio.create_task_group() as tasks:
            await client.authenticate(websocket, int(gateway.now))
            tasks.start_soon(websocket.receive)  # answers the gateway's ping
            gateway.now += 5
            refusal = await _refused(client, _authentication(client, gateway.now))
            assert refusal == "There is already an open connection to this client"
            tasks.cancel_scope.cancel()

    async def test_a_dead_connection_is_replaced(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_session, "PING_SECONDS", 0.05)
        client = await _registered(gateway)
        async with websocket_to(gateway.info) as silent, websocket_to(gateway.info) as websocket:
            await client.authenticate(silent, int(gateway.now))
            gateway.now += 5
            answer = await client.authenticate(websocket, int(gateway.now))
            assert isinstance(answer, AuthenticateResponse)
            gateway.deliver(client, b"to the new one")
            assert await client.message() == b"to the new one"
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await silent.receive()
            assert gateway.node.connected_clients == 1

    async def test_an_authentication_older_than_the_session_is_stale(
        self, gateway: Gateway
    ) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            # The same second as the registration: truncated, it lies before the session's start.
            gateway.now += 0.5
            refusal = await _refused(client, _authentication(client, int(gateway.now)))
            assert refusal == "attempted to overwrite client session with a stale authentication"


class TestMessages:
    async def test_stored_messages_come_before_the_response_in_order(
        self, gateway: Gateway
    ) -> None:
        client = await _registered(gateway)
        sent = [f"message {number}".encode() for number in range(250)]
        gateway.deliver(client, *sent[:200], acked=True)
        gateway.deliver(client, *sent[200:], acked=True)
        assert gateway.counters.packets(Direction.STORED) == 250
        assert gateway.counters.packets(Direction.ACKS_RELEASED) == 250
        async with websocket_to(gateway.info) as websocket:
            answer = await client.authenticate(websocket, int(gateway.now))
            assert isinstance(answer, AuthenticateResponse)
            assert client.pushed == sent
        await eventually(lambda: gateway.node.connected_clients == 0)
        gateway.now += 1
        client.pushed.clear()
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            assert client.pushed == []

    async def test_stored_messages_come_with_a_new_registration(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        gateway.deliver(client, b"stored")
        async with websocket_to(gateway.info) as websocket:
            assert isinstance(await client.register(websocket), RegisterResponse)
            assert client.pushed == [b"stored"]

    async def test_what_arrives_during_the_push_follows_it(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No message is left in the store while its client is connected."""
        client = await _registered(gateway)
        gateway.deliver(client, b"stored")
        delete = GatewayStore.delete

        def deliver_then_delete(store: GatewayStore, address: bytes, messages: Any) -> None:
            gateway.deliver(client, b"live", acked=True)
            delete(store, address, messages)

        monkeypatch.setattr(GatewayStore, "delete", deliver_then_delete)
        async with websocket_to(gateway.info) as websocket:
            assert isinstance(
                await client.authenticate(websocket, int(gateway.now)), AuthenticateResponse
            )
            assert client.pushed == [b"stored"]
            client.pushed.clear()
            assert await client.message() == b"live"
        assert gateway.counters.packets(Direction.STORED) == 1

    async def test_an_ack_waits_for_the_write(self, gateway: Gateway) -> None:
        """What a client's socket does not take is not acknowledged, and stored when it goes."""
        client = await _registered(gateway)
        message = bytes(32363)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            await client.claim()
            for _ in range(600):  # 19 MB, more than the sockets hold
                gateway.deliver(client, message, acked=True)
            assert gateway.counters.packets(Direction.ACKS_RELEASED) == 0
            await eventually(lambda: gateway.counters.packets(Direction.ACKS_RELEASED) > 0)
            await anyio.sleep(0.05)
            written = gateway.counters.packets(Direction.PUSHED)
            assert written == gateway.counters.packets(Direction.ACKS_RELEASED) < 600
        await eventually(lambda: gateway.counters.packets(Direction.ACKS_RELEASED) == 600)
        assert gateway.counters.packets(Direction.STORED) == 600 - written

    async def test_a_client_that_does_not_read_is_bounded(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gateway_session, "PUSH_LIMIT", 10)
        client = await _registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            gateway.deliver(client, *[b"x"] * 15, acked=True)
            assert gateway.counters.dropped(DropReason.CLIENT_QUEUE_FULL) == 5
            await eventually(lambda: gateway.counters.packets(Direction.ACKS_RELEASED) == 10)

    async def test_an_injected_loss_takes_the_ack_with_it(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        gateway.gates.install(
            FaultPlan(
                links=(LinkFaults(source="gateway-0", target="client", loss=0.5, duplicate=0.2),)
            )
        )
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            gateway.deliver(client, *[b"m"] * 200, acked=True)
            lost = gateway.counters.injected("loss")
            twice = gateway.counters.injected("duplicate")
            assert 50 < lost < 150
            for _ in range(200 - lost + twice):
                await client.message()
            await eventually(
                lambda: gateway.counters.packets(Direction.ACKS_RELEASED) == 200 - lost
            )

    async def test_forget_me(self, gateway: Gateway) -> None:
        client = await _registered(gateway)
        async with websocket_to(gateway.info) as websocket:
            await client.authenticate(websocket, int(gateway.now))
            assert client.key is not None
            for request, ack in (
                (RememberMe(SessionType.MIXNET), RememberMeAck()),
                (ForgetMe(client=False, stats=True), ForgetMeAck()),
                (ForgetMe(client=True, stats=True), ForgetMeAck()),
            ):
                sealed = seal_request(request, client.key, os.urandom(12))
                await websocket.send(sealed.encode())
                answer = await client.response()
                assert isinstance(answer, EncryptedResponse)
                assert open_response(answer, client.key) == ack
            gateway.deliver(client, b"still connected")
            assert await client.message() == b"still connected"
        await eventually(lambda: gateway.node.connected_clients == 0)
        gateway.now += 1
        refusal = await _refused(client, _authentication(client, gateway.now))
        assert refusal == "the client is not registered"


class TestRecordedFrames:
    """Frames that the Rust crate sealed, sent as they are."""

    @pytest.mark.parametrize(
        "case", VECTORS["binary_requests"], ids=lambda case: f"{case['kind']} {case['packet_size']}"
    )
    async def test_packets_are_forwarded(self, gateway: Gateway, case: dict[str, Any]) -> None:
        key = SharedKey(bytes.fromhex(VECTORS["shared_key"]))
        async with _client_with_key(gateway, key) as client:
            await client.websocket.send(bytes.fromhex(case["ws_binary_message"]))
            length = len(case["sphinx_packet"]) // 2
            assert await client.response() == SendResponse(FREE_BANDWIDTH_BYTES - length)
        size = PacketSize.from_packet_length(length)
        counted = gateway.counters.snapshot()["from_client"]
        assert counted == {size.name.lower(): {"packets": 1, "bytes": length}}

    async def test_malformed_frames_get_an_error(self, gateway: Gateway) -> None:
        key = SharedKey(bytes.fromhex(VECTORS["shared_key"]))
        async with _client_with_key(gateway, key) as client:
            for case in VECTORS["binary_request_parsing"]:
                raw = bytes.fromhex(case["raw"])
                await client.websocket.send(raw)
                answer = await client.response()
                refused = not case["ok"] or raw[1] == 0  # In the clear: Rust would take it.
                assert isinstance(answer, ErrorResponse) == refused, case["name"]


@asynccontextmanager
async def _client_with_key(gateway: Gateway, key: SharedKey) -> AsyncIterator[Client]:
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


class TestMalformedRequests:
    async def _answers(self, gateway: Gateway, *messages: str | bytes) -> list[GatewayResponse]:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            answers = []
            for message in messages:
                await websocket.send(message)
                answers.append(await client.response())
            await client.claim()  # The connection is still good.
            return answers

    async def test_texts(self, gateway: Gateway) -> None:
        answers = await self._answers(
            gateway,
            "nonsense",
            '{"type":"authenticate","address":"a","enc_address":"b","iv":"c"}',
            '{"type":"handshakePayload","protocol_version":6,"data":[1]}',
            '{"type":"encryptedRequest","ciphertext":[1,2],"nonce":[0,0,0,0,0,0,0,0,0,0,0,0]}',
        )
        texts = [answer.message for answer in answers if isinstance(answer, ErrorResponse)]
        assert "Provided text request was malformed" in texts[0]
        assert "unknown type" in texts[1]
        assert "RegisterHandshakeInitRequest in an authenticated client" in texts[2]
        assert texts[3] == "failed to decrypt provided text request"

    async def test_frames(self, gateway: Gateway) -> None:
        other = SharedKey(bytes(32))
        sealed = seal_frame(other, RequestKind.FORWARD_SPHINX_V2, b"x", bytes(12))
        in_the_clear = b"\x02\x00" + bytes(12) + _packet().encode_v2()
        answers = await self._answers(gateway, b"", b"\x09" * 40, sealed, in_the_clear)
        for answer in answers:
            assert isinstance(answer, ErrorResponse)
            assert "Provided binary request was malformed" in answer.message
        assert gateway.counters.packets(Direction.FROM_CLIENT) == 0

    async def test_a_long_message_in_fragments_is_put_together(self, gateway: Gateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            await client.claim()
            assert client.key is not None
            frame = seal_frame(
                client.key,
                RequestKind.FORWARD_SPHINX_V2,
                _packet().encode_v2(),
                os.urandom(12),
            )
            protocol = websocket._protocol
            protocol.send_binary(frame[:1000], fin=False)
            protocol.send_ping(b"between")
            protocol.send_continuation(frame[1000:], fin=True)
            await websocket.send()
            assert isinstance(await client.response(), SendResponse)

    async def test_a_broken_websocket_frame_ends_the_connection(self, gateway: Gateway) -> None:
        client = Client(gateway.info)
        async with websocket_to(gateway.info) as websocket:
            await client.register(websocket)
            await websocket._stream.send(bytes((0xF0 | Opcode.BINARY, 0x80)) + bytes(4))
            await _ends(websocket)


async def test_an_orderly_stop_lets_clients_read_everything(gateway: Gateway) -> None:
    client = await _registered(gateway)
    async with websocket_to(gateway.info) as websocket, anyio.create_task_group() as task_group:
        await client.authenticate(websocket, int(gateway.now))
        gateway.deliver(client, *[b"%d" % number for number in range(50)], acked=True)
        received: list[bytes] = []

        async def read() -> None:
            try:
                while True:
                    received.append(await client.message())
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

        task_group.start_soon(read)
        await gateway.node.stop()
    assert received == [b"%d" % number for number in range(50)]
    assert gateway.counters.packets(Direction.ACKS_RELEASED) == 50
