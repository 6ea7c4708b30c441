"""What a websocket carries, taken from its bytes and put together from its frames, without I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request

if TYPE_CHECKING:
    from websockets.client import ClientProtocol

_PARSED_BYTES = 1024
_PARSED_FRAMES = 256
"""What is parsed in a step, and after how many frames others have a turn: 64 KiB took 0.15 s."""

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


class Incoming:
    """What has come on a websocket, taken apart a step at a time.

    Args:
        protocol: reads the frames, and answers some of them.

    Attributes:
        events: what they say, in its order, for the owner to take.
    """

    def __init__(self, protocol: ClientProtocol) -> None:
        self.events: deque[WebSocketEvent] = deque()
        self._protocol = protocol
        self._messages = MessageAssembler()
        self._unparsed = b""

    @property
    def is_behind(self) -> bool:
        """True while something that came is not parsed: that has its turn before more is read."""
        return bool(self._unparsed)

    def parse(self, came: bytes) -> None:
        """Take the frames of what has come; of too many at once, the first."""
        self._unparsed += came
        start = taken = 0
        while start < len(self._unparsed) and taken < _PARSED_FRAMES:
            self._protocol.receive_data(self._unparsed[start : start + _PARSED_BYTES])
            start += _PARSED_BYTES
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take_frame(event)
                    taken += 1
        self._unparsed = self._unparsed[start:]

    def _take_frame(self, frame: Frame) -> None:
        try:
            event = self._messages.take(frame)
        except UnicodeDecodeError as error:
            self._protocol.fail(CloseCode.INVALID_DATA)
            self._protocol.parser_exc = error
        else:
            if event is not None:
                self.events.append(event)
