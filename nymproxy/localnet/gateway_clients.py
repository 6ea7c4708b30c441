"""The client side of a gateway: admission, the connected clients, and what waits for the others.

Protocol and order of nym-node 1.31.0 (gateway/src/node/client_handling/websocket). Two things are
better than there: a client is listed as connected before its stored messages are pushed, so that
none falls between; and acknowledgements wait for the write (:mod:`.gateway_session`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import GatewayProtocolError, GatewayRefused, StorageError
from nymproxy.localnet import gateway_admission as admission
from nymproxy.localnet.counters import Direction, DropReason, NodeCounters
from nymproxy.localnet.delayer import Delayer
from nymproxy.localnet.faults import CLIENT_NAME
from nymproxy.localnet.framing import Frame
from nymproxy.localnet.gateway_admission import Refusal
from nymproxy.localnet.gateway_bandwidth import BandwidthMeter
from nymproxy.localnet.gateway_session import ClientSession
from nymproxy.localnet.server_socket import Message, MessageKind, ServerSocket
from nymproxy.mixnet.gateway import (
    CURRENT_PROTOCOL_VERSION,
    ClientIdentityKey,
    GatewayHandshake,
    HandshakePayload,
    SharedKey,
    parse_handshake_text,
    parse_request,
)
from nymproxy.mixnet.gateway.requests import (
    AuthenticateV2,
    LegacyAuthenticate,
    RegisterHandshakeInit,
    SupportedProtocolRequest,
)
from nymproxy.mixnet.gateway.responses import (
    AuthenticateResponse,
    ErrorResponse,
    RegisterResponse,
    SupportedProtocolResponse,
)
from nymproxy.mixnet.sphinx import PacketSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream

    from nymproxy.localnet.core import Deliver
    from nymproxy.localnet.fault_gates import FaultGates
    from nymproxy.localnet.gateway_store import GatewayStore
    from nymproxy.localnet.links import Outbox
    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.mixnet.randomness import RandomBytes

logger = logging.getLogger("nymproxy.localnet")

UPGRADE_SECONDS = 1.5
INITIAL_MESSAGE_SECONDS = 10.0
HANDSHAKE_MESSAGE_SECONDS = 5.0
CONNECTION_LIMIT = 8192
STORED_BATCH = 100


class GatewayClients:
    """All clients of one gateway.

    Args:
        node: the gateway's name.
        identity: its key.
        store: its state.
        outbox: where packets of clients and acknowledgements go.
        gates: the fault gates of the websockets.
        counters: the gateway's counters.
        unix_time: the wall clock.
        random_bytes: for keys, nonces and pings.
    """

    def __init__(
        self,
        node: str,
        identity: ClientIdentityKey,
        store: GatewayStore,
        outbox: Outbox,
        gates: FaultGates,
        counters: NodeCounters,
        *,
        unix_time: Callable[[], float],
        random_bytes: RandomBytes,
    ) -> None:
        self.counters = counters
        self.meter = BandwidthMeter(store)
        self.unix_time = unix_time
        self.random_bytes = random_bytes
        self._identity = identity
        self._store = store
        self._outbox = outbox
        self._sessions: dict[bytes, ClientSession] = {}
        self._connections = 0
        self._is_stopping = False
        self._from_client_gate = gates.gate(CLIENT_NAME, node, counters.inject)
        self._to_client_gate = gates.gate(node, CLIENT_NAME, counters.inject)
        self._late_deliveries: Delayer[list[Deliver]] = Delayer(self._deliver_now)

    @property
    def connected(self) -> int:
        """How many clients are connected and admitted."""
        return len(self._sessions)

    async def run(self) -> None:
        """Deliver what a fault plan delays, until cancelled."""
        await self._late_deliveries.run()

    # Messages that arrive for clients.

    def deliver(self, batch: list[Deliver]) -> None:
        """Queue messages for the connected clients and store the others', then release acks."""
        gate = self._to_client_gate
        if gate.is_open:
            self._deliver_now(batch)
            return
        for delivery in batch:
            if delivery.destination not in self._sessions:
                self._deliver_now([delivery])
                continue
            now = anyio.current_time()
            for copy, (delay, message) in enumerate(gate.apply(delivery.message, now)):
                # A damaged message is as good as lost, so its sender must send it again.
                keeps_ack = copy == 0 and message == delivery.message
                changed = delivery._replace(
                    message=message, ack=delivery.ack if keeps_ack else None
                )
                if not self._late_deliveries.push(delay, [changed]):
                    self.counters.drop(DropReason.DELAY_QUEUE_FULL)

    def _deliver_now(self, batch: list[Deliver]) -> None:
        offline: list[Deliver] = []
        for delivery in batch:
            session = self._sessions.get(delivery.destination)
            if session is None:
                offline.append(delivery)
            elif not session.deliver(delivery):
                self.counters.drop(DropReason.CLIENT_QUEUE_FULL)
        if offline:
            self._store_messages(offline)

    def _store_messages(self, batch: list[Deliver]) -> None:
        try:
            kept = self._store.store(
                [(item.destination, item.message) for item in batch], self.unix_time()
            )
        except StorageError as error:
            logger.error("%s messages are dropped: %s", len(batch), error)
            kept = [False] * len(batch)
        for delivery, is_kept in zip(batch, kept, strict=True):
            if is_kept:
                self.counters.add(Direction.STORED, delivery.size)
                self._release_ack(delivery)
            else:
                self.counters.drop(DropReason.CLIENT_QUEUE_FULL)

    def message_written(self, delivery: Deliver) -> None:
        """Release the acknowledgement of a message that its client's socket has taken."""
        self.counters.add(Direction.PUSHED, delivery.size)
        self._release_ack(delivery)

    def _release_ack(self, delivery: Deliver) -> None:
        if delivery.ack is not None:
            self.counters.add(Direction.ACKS_RELEASED, PacketSize.ACK)
            self._outbox.send(delivery.ack.address, delivery.ack.frame)

    # Packets of clients, and their state.

    def forward_from_client(self, packet: MixPacket) -> None:
        """Send a client's packet to its first mix, without delay and without looking into it."""
        size = PacketSize.from_packet_length(len(packet.packet))
        self.counters.add(Direction.FROM_CLIENT, size)
        frame = Frame(size, packet.rotation, packet.packet)
        gate = self._from_client_gate
        if gate.is_open:
            self._outbox.send(packet.first_hop, frame)
            return
        for delay, changed in gate.apply(packet.packet, anyio.current_time()):
            self._outbox.send(packet.first_hop, frame._replace(packet=changed), delay)

    def forget(self, address: bytes) -> None:
        """Delete everything about a client; its connection may go on."""
        self.meter.forget(address)
        self._store.forget(address)

    def disconnect_all(self) -> int:
        """Drop all connections without a word; returns how many."""
        sessions = list(self._sessions.values())
        for session in sessions:
            session.disconnect()
        return len(sessions)

    def stop(self) -> None:
        """Admit nobody any more, and store nothing more: what is not written is not acknowledged,
        so its sender sends it again."""
        self._is_stopping = True

    async def say_goodbye(self, timeout_seconds: float) -> None:
        """Send close frames to all clients and wait until they have gone, for a limited time.

        A client that answers the close frame has read everything before it, so nothing whose
        acknowledgement was released is lost.
        """
        self.stop()
        with anyio.move_on_after(timeout_seconds):
            for session in list(self._sessions.values()):
                session.say_goodbye()
            while self._sessions:
                self._session_ended = anyio.Event()
                await self._session_ended.wait()

    # Connections.

    async def handle(self, stream: ByteStream) -> None:
        """Serve one TCP connection from its first byte to its end."""
        if self._connections >= CONNECTION_LIMIT or self._is_stopping:
            await stream.aclose()
            return
        self._connections += 1
        socket = ServerSocket(stream)
        try:
            async with stream:
                await self._serve(socket)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        except (GatewayProtocolError, TimeoutError, StorageError) as error:
            logger.info("a connection ends: %s", error)
        finally:
            self._connections -= 1
            self.counters.event("websocket_bytes_received", socket.bytes_received)
            self.counters.event("websocket_bytes_sent", socket.bytes_sent)

    async def _serve(self, socket: ServerSocket) -> None:
        with anyio.fail_after(UPGRADE_SECONDS):
            await socket.accept()
        try:
            session = await self._admit(socket)
        except Refusal as refusal:
            self.counters.event("clients_refused")
            for _ in range(refusal.times):
                socket.send_text(ErrorResponse(refusal.text).encode())
            with anyio.move_on_after(UPGRADE_SECONDS):
                await socket.flush()
            return
        self.counters.event("clients_admitted")
        try:
            await session.run()
        finally:
            self._detach(session)

    async def _admit(self, socket: ServerSocket) -> ClientSession:
        """Answer requests until one of them admits the client.

        Raises:
            Refusal: with what to tell the client before hanging up.
        """
        while True:
            try:
                with anyio.fail_after(INITIAL_MESSAGE_SECONDS):
                    message = await socket.receive()
            except TimeoutError:
                raise Refusal(admission.INITIAL_TIMEOUT) from None
            request = _parse_initial(message)
            if isinstance(request, SupportedProtocolRequest):
                socket.send_text(SupportedProtocolResponse(CURRENT_PROTOCOL_VERSION).encode())
                await socket.flush()
            elif isinstance(request, RegisterHandshakeInit):
                return await self._register(request, socket)
            else:
                return await self._authenticate(request, socket)

    async def _authenticate(self, request: AuthenticateV2, socket: ServerSocket) -> ClientSession:
        address = request.client_identity
        while True:
            key = admission.check_authentication(request, self._store, self.unix_time())
            other = self._sessions.get(address)
            if other is None:
                break
            # After the wait for the other connection everything is checked again.
            await self._replace_session(request, other)
        self._store.record_authentication(address, request.unix_timestamp)
        response = AuthenticateResponse(
            request.protocol_version, True, self.meter.available(address, self.unix_time())
        )
        return await self._attach(address, key, socket, response.encode())

    async def _replace_session(self, request: AuthenticateV2, other: ClientSession) -> None:
        if request.unix_timestamp <= other.started_unix:
            raise Refusal(admission.STALE_AUTHENTICATION, times=2)
        if await other.is_alive():
            raise Refusal(admission.ALREADY_CONNECTED, times=2)
        other.disconnect()
        self._detach(other)

    async def _register(
        self, request: RegisterHandshakeInit, socket: ServerSocket
    ) -> ClientSession:
        if request.data[:32] in self._sessions:
            raise Refusal(admission.ALREADY_CONNECTED)
        handshake = GatewayHandshake(self._identity, random_bytes=self.random_bytes)
        try:
            key = await self._run_handshake(handshake, request, socket)
        except (GatewayProtocolError, GatewayRefused) as error:
            if handshake.failure_reply is not None:
                socket.send_text(handshake.failure_reply.encode())
            raise Refusal(f"Failed to perform registration handshake: {error}", times=2) from error
        address = handshake.client_identity
        assert address is not None
        if address in self._sessions:
            raise Refusal(admission.ALREADY_CONNECTED)
        self._store.register(address, key.to_bytes())
        self.counters.event("clients_registered")
        return await self._attach(
            address, key, socket, RegisterResponse(handshake.protocol_version, True).encode()
        )

    async def _run_handshake(
        self, handshake: GatewayHandshake, request: RegisterHandshakeInit, socket: ServerSocket
    ) -> SharedKey:
        reply = handshake.receive(HandshakePayload(request.protocol_version, request.data))
        socket.send_text(reply.encode())
        await socket.flush()
        while True:
            try:
                with anyio.fail_after(HANDSHAKE_MESSAGE_SECONDS):
                    message = await socket.receive()
            except TimeoutError:
                raise GatewayProtocolError("timed out waiting for a handshake message") from None
            if message.kind is MessageKind.CLOSE:
                raise anyio.EndOfStream
            if message.kind is not MessageKind.TEXT:
                continue
            try:
                text = parse_handshake_text(message.data.decode())
            except (GatewayProtocolError, UnicodeDecodeError):
                logger.debug("a text that is no part of the handshake is skipped")
                continue
            socket.send_text(handshake.receive(text).encode())
            return handshake.shared_key

    async def _attach(
        self, address: bytes, key: SharedKey, socket: ServerSocket, response: str
    ) -> ClientSession:
        """List the client as connected, push what was stored for it, then send the response.

        What arrives from now on waits in the session's outbox, so it follows the stored messages.
        """
        session = ClientSession(address, key, socket, self)
        self._sessions[address] = session
        try:
            while waiting := self._store.waiting(address, STORED_BATCH):
                for message in waiting:
                    socket.send_binary(session.seal_message(message.content))
                await socket.flush()
                self._store.delete(address, waiting)
                self.counters.event("stored_messages_pushed", len(waiting))
            socket.send_text(response)
            await socket.flush()
        except BaseException:
            self._detach(session)
            raise
        return session

    _session_ended: anyio.Event | None = None

    def _detach(self, session: ClientSession) -> None:
        """Forget a session; what it did not write is stored, as its client is away now."""
        if self._sessions.get(session.address) is session:
            del self._sessions[session.address]
        undelivered = session.take_undelivered()
        if undelivered and not self._is_stopping:
            self._deliver_now(undelivered)
        if self._session_ended is not None:
            self._session_ended.set()


def _parse_initial(
    message: Message,
) -> SupportedProtocolRequest | RegisterHandshakeInit | AuthenticateV2:
    """Read what a client sends before it is admitted.

    Raises:
        Refusal: anything but the three requests that are allowed.
        anyio.EndOfStream: the client closes the connection.
    """
    if message.kind is MessageKind.CLOSE:
        raise anyio.EndOfStream
    if message.kind is MessageKind.BINARY:
        raise Refusal(admission.BINARY_BEFORE_ADMISSION)
    if message.kind is not MessageKind.TEXT:
        raise Refusal(admission.unexpected_message(message.kind.value))
    try:
        request = parse_request(message.data.decode())
    except (GatewayProtocolError, UnicodeDecodeError):
        raise Refusal(admission.ONLY_ADMISSION_REQUESTS) from None
    if isinstance(request, LegacyAuthenticate):
        raise Refusal(admission.LEGACY_AUTHENTICATION)
    if isinstance(request, (SupportedProtocolRequest, RegisterHandshakeInit, AuthenticateV2)):
        return request
    raise Refusal(admission.ONLY_ADMISSION_REQUESTS)
