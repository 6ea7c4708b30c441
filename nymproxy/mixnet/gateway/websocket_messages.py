"""What a websocket carries, put together from its frames, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from websockets.datastructures import Headers
from websockets.frames import Opcode
from websockets.http11 import Request

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame


_AFTER_HOST = ("Connection", "Upgrade", "Sec-WebSocket-Version", "Sec-WebSocket-Key")


def opening_request(protocol: ClientProtocol) -> Request:
    """Return what opens a connection, as nym-sdk 1.21.6 (tungstenite 0.20.1) writes it: the order
    of the headers would tell the gateway, and the line, which program we are."""
    made, uri = protocol.connect(), protocol.uri
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    rest = [(name, made.headers[name]) for name in _AFTER_HOST]
    return Request(made.path, Headers([("Host", f"{host}:{uri.port}"), *rest]))


@dataclass(frozen=True, slots=True)
class Ping:
    """The peer sent a ping; the pong is already on its way."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """The peer answered a ping."""

    payload: bytes


WebSocketEvent: TypeAlias = str | bytes | Ping | Pong
"""A text message, a binary message, or a control frame that callers may want to see."""


class MessageAssembler:
    """Joins the frames of a message. The protocol object has bounded their size together, and
    refuses a continuation of nothing."""

    def __init__(self) -> None:
        self._fragments: list[bytes] = []
        self._are_text = False

    def take(self, frame: Frame) -> WebSocketEvent | None:
        """Take the next frame; returns what it completes.

        Raises:
            UnicodeDecodeError: a text that is none.
        """
        if frame.opcode is Opcode.PING:
            return Ping(bytes(frame.data))
        if frame.opcode is Opcode.PONG:
            return Pong(bytes(frame.data))
        if frame.opcode is Opcode.CLOSE:
            return None
        if frame.opcode is not Opcode.CONT:
            self._are_text = frame.opcode is Opcode.TEXT
        if frame.data:  # empty fragments would be a way to fill the memory for free
            self._fragments.append(bytes(frame.data))
        return self._join() if frame.fin else None

    def _join(self) -> str | bytes:
        parts = self._fragments
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        return data.decode() if self._are_text else data
