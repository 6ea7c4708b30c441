"""The websocket server of a gateway: opening handshake, registration, authentication.

Protocol, order and time limits of nym-node 1.31.0 (gateway/src/node/client_handling/websocket).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import GatewayProtocolError, GatewayRefused, StorageError
from nymproxy.localnet import gateway_admission as admission
from nymproxy.localnet.gateway_admission import Refusal
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

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from nymproxy.localnet.client_links import ClientLink
    from nymproxy.localnet.gateway_clients import GatewayClients
    from nymproxy.localnet.gateway_session import ClientSession
    from nymproxy.localnet.gateway_store import GatewayStore

logger = logging.getLogger("nymproxy.localnet")

UPGRADE_SECONDS = 1.5
INITIAL_MESSAGE_SECONDS = 10.0
HANDSHAKE_MESSAGE_SECONDS = 5.0
CONNECTION_LIMIT = 8192


class GatewayDoor:
    """Lets clients in.

    Args:
        identity: the gateway's key.
        store: its state.
        clients: where admitted clients go.
    """

    def __init__(
        self, identity: ClientIdentityKey, store: GatewayStore, clients: GatewayClients
    ) -> None:
        self._identity = identity
        self._store = store
        self._clients = clients
        self._counters = clients.counters
        self._connections = 0

    async def handle(self, stream: ByteStream) -> None:
        """Serve one TCP connection from its first byte to its end."""
        if self._connections >= CONNECTION_LIMIT or self._clients.is_stopping:
            await stream.aclose()
            return
        self._connections += 1
        try:
            async with stream:
                with self._clients.links.link(stream) as link:
                    await self._serve(link)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        except (GatewayProtocolError, TimeoutError, StorageError) as error:
            logger.info("a connection ends: %s", str(error) or "it was not there in time")
        finally:
            self._connections -= 1

    async def _serve(self, link: ClientLink) -> None:
        socket = ServerSocket(link, self._counters.event)
        with anyio.fail_after(UPGRADE_SECONDS):
            await socket.accept()
        try:
            session = await self._admit(socket)
        except Refusal as refusal:
            self._counters.event("clients_refused")
            for _ in range(refusal.times):
                socket.send_text(ErrorResponse(refusal.text).encode())
            with anyio.move_on_after(UPGRADE_SECONDS):
                await socket.flush()
            return
        self._counters.event("clients_admitted")
        link.client = session.name
        try:
            await session.run()
        finally:
            self._clients.detach(session)

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
            key = admission.check_authentication(request, self._store, self._clients.unix_time())
            other = self._clients.session(address)
            if other is None:
                break
            # After the wait for the other connection everything is checked again.
            await self._replace_session(request, other)
        self._store.record_authentication(address, request.unix_timestamp)
        response = AuthenticateResponse(
            request.protocol_version,
            True,
            self._clients.meter.available(address, self._clients.unix_time()),
        )
        return await self._clients.attach(address, key, socket, response.encode())

    async def _replace_session(self, request: AuthenticateV2, other: ClientSession) -> None:
        if request.unix_timestamp <= other.started_unix:
            raise Refusal(admission.STALE_AUTHENTICATION, times=2)
        if await other.is_alive():
            raise Refusal(admission.ALREADY_CONNECTED, times=2)
        other.disconnect()
        self._clients.detach(other)

    async def _register(
        self, request: RegisterHandshakeInit, socket: ServerSocket
    ) -> ClientSession:
        if self._clients.session(request.data[:32]) is not None:
            raise Refusal(admission.ALREADY_CONNECTED)
        handshake = GatewayHandshake(self._identity, random_bytes=self._clients.random_bytes)
        try:
            key = await self._run_handshake(handshake, request, socket)
        except (GatewayProtocolError, GatewayRefused) as error:
            if handshake.failure_reply is not None:
                socket.send_text(handshake.failure_reply.encode())
            raise Refusal(f"Failed to perform registration handshake: {error}", times=2) from error
        address = handshake.client_identity
        assert address is not None
        if self._clients.session(address) is not None:
            raise Refusal(admission.ALREADY_CONNECTED)
        self._store.register(address, key.to_bytes())
        self._counters.event("clients_registered")
        return await self._clients.attach(
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
