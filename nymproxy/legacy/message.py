"""The message of the legacy TcpProxy: bincode, as in nym-sdk 1.21.6 src/tcp_proxy/utils.rs.

Vectors: tests/vectors/apis.json, sections ``proxied_message_encode``, ``proxied_message_decode``.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from nymproxy.errors import ChannelFormatError, UsageError

_DATA_HEAD = struct.Struct("<IQ")  # variant 0, length of the data
_TAIL = struct.Struct("<Q16sH")  # length of the UUID, the UUID, the message id
_CLOSE_HEAD = struct.Struct("<I")  # variant 1
_VARIANT_DATA = 0
_VARIANT_CLOSE = 1
_UUID_LENGTH = 16

DATA_OVERHEAD = _DATA_HEAD.size + _TAIL.size
"""Bytes around the data in a Data message (38)."""

MESSAGE_ID_MODULUS = 1 << 16


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of the byte stream; empty data means nothing, it is never the end."""

    data: bytes

    def __str__(self) -> str:
        return f"Data({len(self.data)})"


@dataclass(frozen=True, slots=True)
class Close:
    """The end of one direction."""

    def __str__(self) -> str:
        return "Close"


Payload: TypeAlias = Data | Close


@dataclass(frozen=True, slots=True)
class ProxiedMessage:
    """One message of one session in one direction.

    Layout (little endian): Data is u32 0, u64 N, N bytes, u64 16, the UUID's 16 bytes in RFC order,
    u16 message id; Close is u32 1, u64 16, UUID, u16 id. There is no length around it: the message
    is the whole content of one mixnet message.

    Attributes:
        message: what is said, :class:`Data` or :class:`Close`.
        session_id: which session it belongs to.
        message_id: its place in the order of that direction, 0 to 65535.
        trailer: what followed. Rust ignores it; ours carries :class:`Trailer`.
    """

    message: Payload
    session_id: uuid.UUID
    message_id: int
    trailer: bytes = b""

    def encode(self) -> bytes:
        """Return the wire form.

        Raises:
            UsageError: the message id is not in the range 0 to 65535.
        """
        if not 0 <= self.message_id < MESSAGE_ID_MODULUS:
            raise UsageError(f"a message id is 0 to 65535, not {self.message_id}")
        tail = _TAIL.pack(_UUID_LENGTH, self.session_id.bytes, self.message_id) + self.trailer
        if isinstance(self.message, Data):
            data = self.message.data
            return _DATA_HEAD.pack(_VARIANT_DATA, len(data)) + data + tail
        return _CLOSE_HEAD.pack(_VARIANT_CLOSE) + tail

    @classmethod
    def decode(cls, encoded: bytes) -> ProxiedMessage:
        """Read the wire form; accepts and rejects exactly what the Rust decoder does.

        Raises:
            ChannelFormatError: truncated, an unknown variant, or a UUID length other than 16.
        """
        if len(encoded) < _CLOSE_HEAD.size:
            raise ChannelFormatError(f"a proxied message of {len(encoded)} bytes is too short")
        (variant,) = _CLOSE_HEAD.unpack_from(encoded)
        if variant == _VARIANT_CLOSE:
            return cls(Close(), *cls._decode_tail(encoded, _CLOSE_HEAD.size))
        if variant != _VARIANT_DATA:
            raise ChannelFormatError(f"a proxied message has no variant {variant}")
        if len(encoded) < _DATA_HEAD.size:
            raise ChannelFormatError("a proxied message ends inside its data length")
        _, length = _DATA_HEAD.unpack_from(encoded)
        end = _DATA_HEAD.size + length
        if end > len(encoded):  # before anything is copied: the length may be anything up to 2^64
            raise ChannelFormatError("a proxied message ends inside its data")
        tail = cls._decode_tail(encoded, end)
        return cls(Data(bytes(encoded[_DATA_HEAD.size : end])), *tail)

    @staticmethod
    def _decode_tail(encoded: bytes, offset: int) -> tuple[uuid.UUID, int, bytes]:
        if len(encoded) - offset < _TAIL.size:
            raise ChannelFormatError("a proxied message ends inside its session id or message id")
        uuid_length, session_id, message_id = _TAIL.unpack_from(encoded, offset)
        if uuid_length != _UUID_LENGTH:
            raise ChannelFormatError(f"a session id has 16 bytes, not {uuid_length}")
        trailer = bytes(encoded[offset + _TAIL.size :])
        return uuid.UUID(bytes=session_id), message_id, trailer

    def __str__(self) -> str:
        return (
            f"ProxiedMessage {{ message: {self.message}, session_id: {self.session_id}, "
            f"message_id: {self.message_id} }}"
        )


@dataclass(frozen=True, slots=True)
class Trailer:
    """Bytes behind a message, for peers of ours.

    Layout: ``NYP1`` and one byte of flags. Of a server, bit 0: "honours a single Close and needs no
    pacing"; bit 1: "accepts streams at this address". Of a Close, bit 2: "aborted, not everything
    came"; then code and reason follow, as in a RESET of streams (an older nymproxy gives none). Of
    a client's first message, bit 3: "asks a server with bit 0 whether its session is there". The
    other bits are written 0, and they and what follows are ignored on reading. Rust ignores all.
    """

    MAGIC: ClassVar[bytes] = b"NYP1"
    LENGTH: ClassVar[int] = 5

    modern: bool = True
    streams: bool = False
    aborted: bool = False
    reset: bytes = b""
    asks: bool = False

    def encode(self) -> bytes:
        """Return the bytes."""
        flags = self.modern | self.streams << 1 | self.aborted << 2 | self.asks << 3
        return self.MAGIC + bytes([flags]) + self.reset

    @classmethod
    def find(cls, trailer: bytes) -> Trailer | None:
        """Read the trailer of a message; ``None`` when it is none of ours."""
        if len(trailer) < cls.LENGTH or not trailer.startswith(cls.MAGIC):
            return None
        flags, aborted = trailer[4], bool(trailer[4] & 4)
        reset = trailer[cls.LENGTH :] if aborted else b""
        return cls(bool(flags & 1), bool(flags & 2), aborted, reset, bool(flags & 8))
