"""What a dialer sends before it has the keys: its digest, and the acceptor's side of it.

Only towards a peer of which nothing is known: Open, and at most 64 KiB. The SEAL that follows
covers it (docs/wire.md, "Opening").
"""

from __future__ import annotations

import enum
import hmac
import struct

from blake3 import blake3

from nymproxy.stream.codec import MessageType, StreamFrame

MAX_PREFIX_BYTES = 64 * 1024
MAX_PREFIX_FRAMES = 512
_ITEM = struct.Struct(">BII")


class PrefixDigest:
    """The digest of an Open and the numbered frames behind it, in their order."""

    def __init__(self) -> None:
        self._hasher = blake3()
        self.next_sequence = 0
        self._add(MessageType.OPEN, 0, b"")

    def add(self, message_type: MessageType, payload: bytes) -> None:
        """Add the frame with the next sequence."""
        self._add(message_type, self.next_sequence, payload)
        self.next_sequence += 1

    def value(self) -> bytes:
        """Return the digest, 32 bytes, of everything so far."""
        return self._hasher.digest()

    def _add(self, message_type: MessageType, sequence: int, payload: bytes) -> None:
        self._hasher.update(_ITEM.pack(message_type, sequence, len(payload)) + payload)


class PrefixState(enum.Enum):
    """How far an acceptor is."""

    OPEN = "open"
    """The SEAL has not come."""
    INCOMPLETE = "incomplete"
    """It has; frames below it are missing."""
    SEALED = "sealed"
    ALTERED = "altered"
    """What came is not what the dialer sent."""


class PrefixGate:
    """The unsealed frames of a dialer: handed out in order, its ends only when they are sealed.

    Whatever comes out was added to the digest; nothing is handed out behind the SEAL that the
    digest has not confirmed.
    """

    def __init__(self) -> None:
        self.state = PrefixState.OPEN
        self._digest = PrefixDigest()
        self._waiting: dict[int, StreamFrame] = {}
        self._held: list[StreamFrame] = []  # in the digest, not handed out yet
        self._bytes = 0
        self._seal: tuple[int, bytes] | None = None

    @property
    def kept_bytes(self) -> int:
        """Payload bytes that wait here."""
        frames = [*self._waiting.values(), *self._held]
        return sum(len(frame.payload) for frame in frames)

    @property
    def next_sequence(self) -> int:
        """The lowest unsealed sequence that has not come."""
        return self._digest.next_sequence

    def receive(self, frame: StreamFrame) -> list[StreamFrame]:
        """Take an unsealed DATA or FIN; returns what is handed out now, in order.

        Copies (the first one counts) and all behind the seal are dropped. What is beyond the
        bounds, no dialer has sent.
        """
        sequence = frame.sequence
        is_taken = sequence < self._digest.next_sequence or sequence in self._waiting
        if is_taken or not self._is_below_seal(sequence):
            return []
        if not self._has_room(frame):
            self.state = PrefixState.ALTERED
            return []
        self._waiting[sequence] = frame
        self._bytes += len(frame.payload)
        return self._advance()

    def seal(self, sequence: int, digest: bytes) -> list[StreamFrame]:
        """Take a SEAL that verified; returns what is handed out now. The first one counts."""
        if self._seal is None and self.state is PrefixState.OPEN:
            self._seal = (sequence, digest)
            self.state = PrefixState.INCOMPLETE
            self._waiting = {
                each: frame for each, frame in self._waiting.items() if each < sequence
            }
        return self._advance()

    def _has_room(self, frame: StreamFrame) -> bool:
        return (
            self._bytes + len(frame.payload) <= MAX_PREFIX_BYTES
            and frame.sequence < MAX_PREFIX_FRAMES
        )

    def _is_below_seal(self, sequence: int) -> bool:
        if self.state in {PrefixState.SEALED, PrefixState.ALTERED}:
            return False
        return self._seal is None or sequence < self._seal[0]

    def _advance(self) -> list[StreamFrame]:
        if self.state is PrefixState.ALTERED:
            return []
        while (frame := self._waiting.pop(self._digest.next_sequence, None)) is not None:
            self._digest.add(frame.message_type, frame.payload)
            self._held.append(frame)
        if self._seal is None:
            return self._release_until_end()
        if self.state is not PrefixState.INCOMPLETE:
            return []
        first_sealed, digest = self._seal
        if self._digest.next_sequence < first_sealed:
            return []
        is_whole = self._digest.next_sequence == first_sealed
        if not is_whole or not hmac.compare_digest(self._digest.value(), digest):
            self.state = PrefixState.ALTERED
            self._held.clear()
            return []
        self.state = PrefixState.SEALED
        return self._take_held(len(self._held))

    def _release_until_end(self) -> list[StreamFrame]:
        ends = (index for index, frame in enumerate(self._held) if _is_end(frame))
        return self._take_held(next(ends, len(self._held)))

    def _take_held(self, count: int) -> list[StreamFrame]:
        taken, self._held = self._held[:count], self._held[count:]
        return taken


def _is_end(frame: StreamFrame) -> bool:
    return frame.message_type is MessageType.FIN or not frame.payload
