"""One admitted client of a gateway: its packets go to the mixes, its messages come to it.

Everything that is written goes through one bounded outbox and one task, so that frames, replies and
pongs keep their order and share system calls.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio

from nymproxy import _base58
from nymproxy._signal import Signal
from nymproxy.errors import GatewayProtocolError, MessageFormatError
from nymproxy.localnet.core import Deliver
from nymproxy.localnet.server_socket import Message, MessageKind, ServerSocket
from nymproxy.mixnet.gateway import (
    CURRENT_PROTOCOL_VERSION,
    RequestKind,
    ResponseKind,
    SharedKey,
    open_frame,
    parse_request,
    seal_frame,
)
from nymproxy.mixnet.gateway.encrypted_texts import (
    ForgetMe,
    ForgetMeAck,
    RememberMeAck,
    open_request,
    seal_response,
)
from nymproxy.mixnet.gateway.requests import (
    ClaimFreeTestnetBandwidth,
    EncryptedRequest,
    RegisterHandshakeInit,
    SupportedProtocolRequest,
)
from nymproxy.mixnet.gateway.responses import (
    BandwidthResponse,
    ErrorResponse,
    OutOfBandwidthResponse,
    SendResponse,
    SupportedProtocolResponse,
)
from nymproxy.mixnet.messages import MixPacket

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.localnet.counters import NodeCounters
    from nymproxy.localnet.gateway_bandwidth import BandwidthMeter
    from nymproxy.mixnet.randomness import RandomBytes

logger = logging.getLogger("nymproxy.localnet")

NONCE_BYTES = 12
PUSH_LIMIT = 20_000
"""Messages that wait for a client that does not read; the newest is dropped, unacknowledged."""
REPLY_LIMIT = 4096
"""Replies that wait: beyond them the client's requests are not read."""
_BATCH_BYTES = 128 * 1024
PING_SECONDS = 1.0
CLOSE_SECONDS = 1.0


class SessionHost(Protocol):
    """What a session needs of its gateway."""

    @property
    def counters(self) -> NodeCounters: ...

    @property
    def meter(self) -> BandwidthMeter: ...

    @property
    def unix_time(self) -> Callable[[], float]: ...

    @property
    def random_bytes(self) -> RandomBytes: ...

    def forward_from_client(self, packet: MixPacket) -> None: ...

    def message_written(self, delivery: Deliver) -> None: ...

    def forget(self, address: bytes) -> None: ...


class _Ping(NamedTuple):
    payload: bytes


class _Close(NamedTuple):
    code: int


class ClientSession:
    """A connected client.

    Args:
        address: the client's identity, 32 bytes.
        key: the key shared with it.
        socket: its websocket; until :meth:`run` it belongs to who made the session.
        host: the gateway.
    """

    def __init__(
        self, address: bytes, key: SharedKey, socket: ServerSocket, host: SessionHost
    ) -> None:
        self.address = address
        self.name = _base58.encode(address)
        self.started_unix = host.unix_time()
        self._key = key
        self._socket = socket
        self._host = host
        self._outbox: deque[Deliver | str | _Ping | _Close] = deque()
        self._pushes = 0
        self._filled = Signal()
        self._emptied = Signal()
        self._finished = anyio.Event()
        self._is_ending = False
        self._pongs: dict[bytes, anyio.Event] = {}
        self._scope = anyio.CancelScope()
        self._in_flight: list[Deliver] = []

    # For the gateway.

    def deliver(self, delivery: Deliver) -> bool:
        """Queue a message; ``False``: the client is too slow, the message was not taken."""
        if self._pushes >= PUSH_LIMIT or not self._socket.is_open:
            return False
        self._pushes += 1
        self._put(delivery)
        return True

    def seal_message(self, message: bytes) -> bytes:
        """Return the binary frame of a pushed message."""
        nonce = self._host.random_bytes(NONCE_BYTES)
        return seal_frame(self._key, ResponseKind.PUSHED_MIX_MESSAGE, message, nonce)

    async def is_alive(self) -> bool:
        """Ping the client and see whether it answers in time."""
        payload = self._host.random_bytes(8)
        answered = self._pongs[payload] = anyio.Event()
        self._put(_Ping(payload))
        try:
            with anyio.move_on_after(PING_SECONDS):
                await answered.wait()
                return True
            return False
        finally:
            del self._pongs[payload]

    def disconnect(self) -> None:
        """Drop the connection without a word."""
        self._scope.cancel()

    def say_goodbye(self) -> None:
        """Send a close frame after what is queued; the session ends when the client answers."""
        self._put(_Close(1001))

    def take_undelivered(self) -> list[Deliver]:
        """Return, and forget, the messages that were not (or not surely) written."""
        undelivered = self._in_flight + [item for item in self._outbox if isinstance(item, Deliver)]
        self._outbox.clear()
        self._in_flight = []
        self._pushes = 0
        return undelivered

    # The connection.

    async def run(self) -> None:
        """Serve the client until it goes, breaks the websocket protocol, or is disconnected."""
        with self._scope:
            async with anyio.create_task_group() as task_group:
                task_group.start_soon(self._write)
                try:
                    await self._read()
                except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    pass
                except GatewayProtocolError as error:
                    logger.info("a client is disconnected: %s", error)
                task_group.cancel_scope.cancel()

    async def _read(self) -> None:
        while True:
            messages = await self._socket.receive_all()
            unix_time = self._host.unix_time()
            for message in messages:
                if message.kind is MessageKind.CLOSE:
                    await self._finish_writing()
                    return
                self._handle(message, unix_time)
            if self._socket.has_output:
                self._filled.set()
            while len(self._outbox) > REPLY_LIMIT + self._pushes:
                await self._emptied.wait()

    async def _finish_writing(self) -> None:
        """Let the answer to a close frame out."""
        self._is_ending = True
        self._filled.set()
        with anyio.move_on_after(CLOSE_SECONDS):
            await self._finished.wait()

    def _handle(self, message: Message, unix_time: float) -> None:
        kind = message.kind
        if kind is MessageKind.BINARY:
            self._put(self._handle_frame(message.data, unix_time))
        elif kind is MessageKind.TEXT:
            self._put(self._handle_text(message.data, unix_time))
        elif kind is MessageKind.PONG and message.data in self._pongs:
            self._pongs[message.data].set()

    def _handle_frame(self, data: bytes, unix_time: float) -> str:
        """Forward one packet, and return the reply to it."""
        try:
            frame = open_frame(self._key, data, RequestKind)
            if frame.kind is RequestKind.FORWARD_SPHINX_V2:
                packet = MixPacket.decode_v2(frame.plaintext)
            else:
                packet = MixPacket.decode_v1(frame.plaintext)
        except (GatewayProtocolError, MessageFormatError) as error:
            return ErrorResponse(f"Provided binary request was malformed - {error}").encode()
        length = len(packet.packet)
        left = self._host.meter.charge(self.address, length, unix_time)
        if left is None:
            available = self._host.meter.available(self.address, unix_time)
            return OutOfBandwidthResponse(length, available).encode()
        self._host.forward_from_client(packet)
        return SendResponse(left).encode()

    def _handle_text(self, data: bytes, unix_time: float) -> str:
        try:
            request = parse_request(data.decode())
        except (GatewayProtocolError, UnicodeDecodeError) as error:
            return ErrorResponse(f"Provided text request was malformed - {error}").encode()
        if isinstance(request, SupportedProtocolRequest):
            return SupportedProtocolResponse(CURRENT_PROTOCOL_VERSION).encode()
        if isinstance(request, ClaimFreeTestnetBandwidth):
            return BandwidthResponse(self._host.meter.claim(self.address, unix_time)).encode()
        if isinstance(request, EncryptedRequest):
            return self._handle_encrypted(request)
        if isinstance(request, RegisterHandshakeInit):
            return ErrorResponse(
                "The received request is not valid in the current context: received illegal "
                "message of type RegisterHandshakeInitRequest in an authenticated client"
            ).encode()
        return ErrorResponse("received a text request of an unknown type").encode()

    def _handle_encrypted(self, sealed: EncryptedRequest) -> str:
        try:
            request = open_request(sealed, self._key)
        except GatewayProtocolError:
            return ErrorResponse("failed to decrypt provided text request").encode()
        nonce = self._host.random_bytes(NONCE_BYTES)
        if isinstance(request, ForgetMe):
            if request.client:
                self._host.forget(self.address)
            return seal_response(ForgetMeAck(), self._key, nonce).encode()
        return seal_response(RememberMeAck(), self._key, nonce).encode()

    def _put(self, item: Deliver | str | _Ping | _Close) -> None:
        self._outbox.append(item)
        self._filled.set()

    async def _write(self) -> None:
        while not self._is_ending or self._socket.has_output:
            if not self._socket.has_output and not (self._outbox and self._socket.is_open):
                await self._filled.wait()
            self._in_flight = self._queue_batch()
            try:
                await self._socket.flush()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                self._scope.cancel()
                return
            written, self._in_flight = self._in_flight, []
            self._pushes -= len(written)
            self._emptied.set()
            for delivery in written:
                self._host.message_written(delivery)
        self._finished.set()

    def _queue_batch(self) -> list[Deliver]:
        """Hand a bounded part of the outbox to the websocket; returns its messages."""
        pushed: list[Deliver] = []
        room = _BATCH_BYTES
        while self._outbox and room > 0 and self._socket.is_open:
            item = self._outbox.popleft()
            if isinstance(item, Deliver):
                frame = self.seal_message(item.message)
                room -= len(frame)
                self._socket.send_binary(frame)
                pushed.append(item)
            elif isinstance(item, str):
                room -= len(item)
                self._socket.send_text(item)
            elif isinstance(item, _Ping):
                self._socket.send_ping(item.payload)
            else:
                self._socket.send_close(item.code)
        return pushed
