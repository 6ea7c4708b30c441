"""The localnet's end of a websocket, with the calls of the client's end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

from nymproxy.localnet.server_socket import MessageKind, ServerSocket
from nymproxy.mixnet.gateway.websocket_messages import Ping, Pong, WebSocketEvent

if TYPE_CHECKING:
    from anyio.abc import ByteStream


_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class ServerEnd:
    """One connection; what is sent is written at once, from any task."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._socket = ServerSocket(stream, lambda _name, _bytes: None)
        self._writing = anyio.Lock()
        self._is_reading = False
        self._read_to_the_end = anyio.Event()

    @classmethod
    async def accept(cls, stream: ByteStream) -> Self:
        end = cls(stream)
        await end._socket.accept()
        return end

    async def receive_event(self) -> WebSocketEvent:
        self._is_reading = True
        try:
            message = await self._socket.receive()
        except _GONE:
            self._read_to_the_end.set()
            raise
        finally:
            self._is_reading = False
        # The answer to a ping or a close frame; a peer that is gone takes none.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._flush()
        match message.kind:
            case MessageKind.TEXT:
                return message.data.decode()
            case MessageKind.BINARY:
                return message.data
            case MessageKind.PING:
                return Ping(message.data)
            case MessageKind.PONG:
                return Pong(message.data)
            case MessageKind.CLOSE:
                self._read_to_the_end.set()
                raise anyio.EndOfStream

    async def receive(self) -> str | bytes:
        while not isinstance(event := await self.receive_event(), (str, bytes)):
            pass
        return event

    async def send(self, *messages: str | bytes) -> None:
        for message in messages:
            if isinstance(message, str):
                self._socket.send_text(message)
            else:
                self._socket.send_binary(message)
        await self._flush()

    async def ping(self, payload: bytes) -> None:
        self._socket.send_ping(payload)
        await self._flush()

    async def aclose(self) -> None:
        """Say goodbye, wait a moment for the answer, and close."""
        with anyio.move_on_after(1, shield=True):
            with suppress(*_GONE):
                self._socket.send_close(1000)
                await self._flush()
                await self.stream.send_eof()
                if self._is_reading:
                    await self._read_to_the_end.wait()
                while not self._read_to_the_end.is_set():
                    await self.receive_event()
            await self.stream.aclose()

    async def _flush(self) -> None:
        async with self._writing:
            await self._socket.flush()
