"""A gateway for tests, on loopback, that makes the checks of the real one in its order.

It stands on the server side of our codecs; test_recorded.py holds the client against a script of
recorded texts as well, so that both sides cannot be wrong in the same way.
"""

from __future__ import annotations

import contextlib
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream

from nymproxy._signal import Signal
from nymproxy.address import NodeIdentity
from nymproxy.errors import GatewayProtocolError, GatewayRefused
from nymproxy.mixnet.gateway import (
    ClientIdentityKey,
    GatewayHandshake,
    HandshakePayload,
    RequestKind,
    ResponseKind,
    SharedKey,
    address_ciphertext_is_valid,
    open_frame,
    parse_handshake_text,
    parse_request,
    request_signature_is_valid,
    requests,
    responses,
    seal_frame,
    timestamp_is_acceptable,
)
from nymproxy.mixnet.messages import MixPacket
from nymproxy.mixnet.sphinx import KeyRotation, NodeAddress, PacketSize
from tests.gateway.server_end import ServerEnd

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from anyio.abc import ByteStream, SocketStream

FREE_BYTES = 64 * 1024**3
NOT_REGISTERED = "the client is not registered"
REUSED = "the provided request timestamp is smaller or equal to one previously used"
STALE = "attempted to overwrite client session with a stale authentication"
DUPLICATE = "There is already an open connection to this client"
CREDENTIALS = "This gateway is only accepting coconut credentials for bandwidth"
SKEWED = "the provided request timestamp is excessively skewed. got A whilst the server time is B"

PACKET = MixPacket(
    NodeAddress.parse("192.0.2.1", 1789), KeyRotation.EVEN, b"p" * PacketSize.ACK.packet_length
)


class FakeTime:
    """Clocks that move only when somebody sleeps, so that no test waits."""

    def __init__(self) -> None:
        self.unix = 1_800_000_000.25
        self.monotonic_seconds = 5000.0
        self.sleeps: list[float] = []

    def unix_time(self) -> float:
        return self.unix

    def clock(self) -> float:
        return self.monotonic_seconds

    def advance(self, seconds: float) -> None:
        self.unix += seconds
        self.monotonic_seconds += seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(seconds)
        await anyio.lowlevel.checkpoint()


@dataclass
class KnownClient:
    """What a gateway keeps of a client."""

    key: SharedKey
    last_used: int = 0
    available: int = 0
    day: int = 0
    stored: list[bytes] = field(default_factory=list)


class Refused(Exception):
    """Answer with this text, twice, and hang up."""


class FakeGateway:
    """Knobs and records of one gateway; run it with :meth:`serve`."""

    def __init__(self, time: FakeTime, seed: int = 1) -> None:
        self.time = time
        self.random = Random(seed)
        self.identity = ClientIdentityKey(self.random.randbytes(32))
        self.node = NodeIdentity(self.identity.public_key)
        self.version = 6
        self.free_bytes = FREE_BYTES
        self.gives_free_bandwidth = True
        self.register_status = True
        self.refusals: deque[str] = deque()
        """Texts to refuse the next authentications or registrations with."""
        self.clients: dict[bytes, KnownClient] = {}
        self.connected: dict[bytes, FakeSession] = {}
        self.sessions: list[FakeSession] = []
        self.packets: list[tuple[int, MixPacket]] = []
        self.changed = Signal()

    async def until(self, count: int) -> None:
        """Wait until so many packets have arrived."""
        while len(self.packets) < count:
            await self.changed.wait()

    async def until_sessions(self, count: int) -> FakeSession:
        """Wait until so many connections have authenticated; return the last of them."""
        while len([session for session in self.sessions if session.client]) < count:
            await self.changed.wait()
        return [session for session in self.sessions if session.client][-1]

    @asynccontextmanager
    async def serve(
        self, *, ssl_context: ssl.SSLContext | None = None, port: int = 0
    ) -> AsyncIterator[str]:
        """Listen on loopback; gives the URL. Ends all connections without a word."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        bound = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:

            async def handle(stream: SocketStream) -> None:
                with contextlib.suppress(
                    anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError
                ):
                    async with stream:
                        await self._handle(stream, ssl_context)

            tasks.start_soon(listener.serve, handle, tasks)
            yield f"{'wss' if ssl_context else 'ws'}://127.0.0.1:{bound}"
            tasks.cancel_scope.cancel()

    async def _handle(self, stream: ByteStream, ssl_context: ssl.SSLContext | None) -> None:
        if ssl_context is not None:
            stream = await TLSStream.wrap(
                stream, server_side=True, ssl_context=ssl_context, standard_compatible=False
            )
        websocket = await ServerEnd.accept(stream)
        session = FakeSession(self, websocket)
        self.sessions.append(session)
        try:
            await session.run()
        finally:
            session.end()


class FakeSession:
    """One connection."""

    def __init__(self, gateway: FakeGateway, websocket: ServerEnd) -> None:
        self.gateway = gateway
        self.websocket = websocket
        self.identity: bytes | None = None
        self.client: KnownClient | None = None
        self.texts: list[str] = []
        self.began = 0.0
        self.answers_claims = True

    def end(self) -> None:
        if self.identity is not None and self.gateway.connected.get(self.identity) is self:
            del self.gateway.connected[self.identity]
        self.gateway.changed.set()

    async def answer(self, response: responses.GatewayResponse) -> None:
        await self.websocket.send(response.encode())

    async def push(self, *messages: bytes) -> None:
        """Push messages, in one write."""
        assert self.client is not None
        kind, random = ResponseKind.PUSHED_MIX_MESSAGE, self.gateway.random
        frames = [
            seal_frame(self.client.key, kind, message, random.randbytes(12)) for message in messages
        ]
        await self.websocket.send(*frames)

    async def reset(self) -> None:
        await anyio.aclose_forcefully(self.websocket.stream)

    async def run(self) -> None:
        try:
            while True:
                event = await self.websocket.receive_event()
                if isinstance(event, str):
                    self.texts.append(event)
                    await self._take_text(event)
                elif isinstance(event, bytes):
                    await self._take_frame(event)
                elif self.client is None:
                    raise Refused("received a Message of type ping which was not expected")
        except Refused as refusal:
            text = responses.ErrorResponse(str(refusal)).encode()
            await self.websocket.send(text, text)
            await self.websocket.aclose()

    async def _take_text(self, text: str) -> None:
        request = parse_request(text)
        match request:
            case requests.SupportedProtocolRequest():
                await self.answer(responses.SupportedProtocolResponse(self.gateway.version))
            case requests.RegisterHandshakeInit() if self.client is None:
                await self._register(request)
            case requests.AuthenticateV2() if self.client is None:
                await self._authenticate(request)
            case requests.ClaimFreeTestnetBandwidth() if self.client is not None:
                await self._claim(self.client)
            case _:
                raise Refused("received a text request of an unknown type")

    def _refuse_if_told(self) -> None:
        if self.gateway.refusals:
            raise Refused(self.gateway.refusals.popleft())

    async def _register(self, request: requests.RegisterHandshakeInit) -> None:
        self._refuse_if_told()
        handshake = GatewayHandshake(
            self.gateway.identity,
            protocol_version=self.gateway.version,
            random_bytes=self.gateway.random.randbytes,
        )
        message = HandshakePayload(request.protocol_version, request.data)
        try:
            await self.websocket.send(handshake.receive(message).encode())
            text = await self.websocket.receive()
            assert isinstance(text, str)
            self.texts.append(text)
            confirmation = handshake.receive(parse_handshake_text(text))
        except (GatewayProtocolError, GatewayRefused) as error:
            assert handshake.failure_reply is not None
            await self.websocket.send(handshake.failure_reply.encode())
            raise Refused(f"Failed to perform registration handshake: {error}") from error
        assert handshake.client_identity is not None
        old = self.gateway.clients.get(handshake.client_identity)
        client = KnownClient(handshake.shared_key, 0 if old is None else old.last_used)
        client.stored = [] if old is None else old.stored
        self._admit(handshake.client_identity, client)
        await self.websocket.send(confirmation.encode())
        await self._push_stored(client)
        version = handshake.protocol_version
        await self.answer(responses.RegisterResponse(version, self.gateway.register_status))
        self.gateway.changed.set()

    async def _authenticate(self, request: requests.AuthenticateV2) -> None:
        self._refuse_if_told()
        gateway = self.gateway
        if not 4 <= request.protocol_version <= min(6, gateway.version):
            raise Refused(
                "Attempted to negotiate connection with client using incompatible protocol version"
            )
        if not timestamp_is_acceptable(request, gateway.time.unix):
            raise Refused(SKEWED)
        client = gateway.clients.get(request.client_identity)
        if client is None:
            raise Refused(NOT_REGISTERED)
        if not request_signature_is_valid(request):
            raise Refused("failed to verify request signature")
        if not address_ciphertext_is_valid(request, client.key):
            raise Refused("failed to verify provided address ciphertext")
        if request.unix_timestamp <= client.last_used:
            raise Refused(REUSED)
        other = gateway.connected.get(request.client_identity)
        if other is not None and request.unix_timestamp <= other.began:
            raise Refused(STALE)
        client.last_used = request.unix_timestamp
        self._admit(request.client_identity, client)
        await self._push_stored(client)
        available = client.available if client.day == gateway.time.unix // 86400 else 0
        version = request.protocol_version
        await self.answer(responses.AuthenticateResponse(version, True, available))
        gateway.changed.set()

    def _admit(self, identity: bytes, client: KnownClient) -> None:
        self.identity, self.client = identity, client
        self.began = self.gateway.time.unix
        self.gateway.clients[identity] = client
        self.gateway.connected[identity] = self

    async def _push_stored(self, client: KnownClient) -> None:
        stored, client.stored = client.stored, []
        for message in stored:
            await self.push(message)

    async def _claim(self, client: KnownClient) -> None:
        if not self.answers_claims:
            return
        if not self.gateway.gives_free_bandwidth:
            await self.answer(responses.ErrorResponse(CREDENTIALS))
            return
        client.available += self.gateway.free_bytes
        client.day = int(self.gateway.time.unix // 86400)
        await self.answer(responses.BandwidthResponse(client.available))

    async def _take_frame(self, frame: bytes) -> None:
        client = self.client
        if client is None:
            raise Refused("possibly received a sphinx packet without prior authentication")
        opened = open_frame(client.key, frame, RequestKind)
        if opened.kind is RequestKind.FORWARD_SPHINX:
            packet = MixPacket.decode_v1(opened.plaintext)
        else:
            packet = MixPacket.decode_v2(opened.plaintext)
        size = len(packet.packet)
        if client.day != self.gateway.time.unix // 86400:
            client.available = 0
        if client.available < size:
            await self.answer(responses.OutOfBandwidthResponse(size, client.available))
            return
        client.available -= size
        self.gateway.packets.append((opened.kind, packet))
        self.gateway.changed.set()
        await self.answer(responses.SendResponse(client.available))
