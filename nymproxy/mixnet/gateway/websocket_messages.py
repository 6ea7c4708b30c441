"""What a websocket carries, put together from its frames, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from websockets.frames import Opcode

if TYPE_CHECKING:
    from websockets.frames import Frame


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
