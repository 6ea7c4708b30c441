"""Bytes that wait: for the application to read them, or to be cut into messages."""

from __future__ import annotations

from collections import deque

FRAME_OVERHEAD_BYTES = 64
"""Charged for each waiting frame on top of its bytes, so that a flood of tiny ones is bounded."""


class ReadQueue:
    """Payloads that arrived in order; they can be read by frame or by byte count."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._offset = 0  # bytes of the first frame that were read
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._frames)

    @property
    def unread_bytes(self) -> int:
        """Bytes that wait."""
        return self._bytes

    @property
    def memory_bytes(self) -> int:
        """About what the waiting frames hold in memory."""
        return self._bytes + FRAME_OVERHEAD_BYTES * len(self._frames)

    def append(self, payload: bytes) -> None:
        """Add a payload; an empty one is nothing to read, and is dropped."""
        if payload:
            self._frames.append(payload)
            self._bytes += len(payload)

    def take(self, max_bytes: int) -> bytes:
        """Return at most ``max_bytes`` bytes, of several frames if they are there."""
        first = self._frames[0]
        if self._offset or len(first) > max_bytes:
            piece = first[self._offset : self._offset + max_bytes]
            self._offset += len(piece)
            if self._offset == len(first):
                self._drop_first()
            self._bytes -= len(piece)
            return piece
        pieces = []
        room = max_bytes
        while self._frames and len(self._frames[0]) <= room:
            room -= len(self._frames[0])
            pieces.append(self._frames.popleft())
        taken = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._bytes -= len(taken)
        return taken

    def take_frame(self) -> bytes:
        """Return one payload whole, or what a partial :meth:`take` left of it."""
        frame = self._frames[0][self._offset :]
        self._drop_first()
        self._bytes -= len(frame)
        return frame

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self._offset = 0
        self._bytes = 0

    def _drop_first(self) -> None:
        self._frames.popleft()
        self._offset = 0


class WriteQueue:
    """Bytes that the application wrote, in pieces, cut anew into payloads."""

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self.size = 0

    def append(self, data: bytes) -> None:
        """Add bytes."""
        if data:
            self._pieces.append(memoryview(data))
            self.size += len(data)

    def take(self, count: int) -> bytes:
        """Remove and return ``count`` bytes, or all if there are fewer."""
        taken = []
        room = count
        while room and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            taken.append(piece)
            room -= len(piece)
        self.size -= count - room
        return bytes(taken[0]) if len(taken) == 1 else b"".join(taken)

    def clear(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        self.size = 0
