"""The fields of NX2's frames (docs/wire.md, "Extension NX2"; tests/vectors/nx2.json).

Each class is what stands between the 16-byte header of a frame and the MAC at its end. Integers
are big endian. Bytes behind the last field are ignored, so that a later version may add some;
in OFFER, ACCEPT and SEAL the last field goes to the end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from nymproxy.address import NymAddress
from nymproxy.errors import AddressError, ChannelFormatError
from nymproxy.stream.codec import HEADER_LENGTH

VERSION = 1
RANDOM_LENGTH = 32
MAX_RANGES = 16
MAX_ALTERNATES = 4
MAX_ASKED = 64
MIN_ASK_SECONDS = 20
MAX_ASK_SECONDS = 100
_ADDRESS_LENGTH = 96
_FOLLOWS_SEAL = 1
_TAKES_ALONG = 2
_CONFIRM = 1
_REFUSED = 2
_OFFER = struct.Struct(">BBI32s")
_ACCEPT = struct.Struct(">BBB32sB")
_SEAL = struct.Struct(">32sI")
_ACK = struct.Struct(">IIQB")
_RANGE = struct.Struct(">II")


def _check_length(data: bytes, length: int, name: str) -> None:
    if len(data) < length:
        raise ChannelFormatError(f"the fields of {name} take {length} bytes, not {len(data)}")


def _read_first(fields: bytes, start: int, name: str) -> bytes:
    if len(fields) > start:
        _check_length(fields, start + HEADER_LENGTH, f"{name} with a frame")
    return fields[start:]


def _check_version(version: int, name: str) -> None:
    if version != VERSION:
        raise ChannelFormatError(f"{name} of version {version}; known is {VERSION}")


@dataclass(frozen=True, slots=True)
class Offer:
    """OFFER: opens a stream and offers NX2.

    Attributes:
        minutes: unix time in minutes, within one of the dialer's clock.
        dialer_random: 32 random bytes; a secret of the two ends.
        seal_follows: an Open was sent beside it, the first frames are not sealed, and a SEAL will
            cover them. Otherwise everything of the dialer is sealed.
        data: the payload of the opening, which comes before sequence 0.
        takes_along: the dialer reads messages that bring others along.
    """

    minutes: int
    dialer_random: bytes
    seal_follows: bool = False
    data: bytes = b""
    takes_along: bool = False

    def encode(self) -> bytes:
        """Return the fields."""
        flags = (_FOLLOWS_SEAL if self.seal_follows else 0) | (
            _TAKES_ALONG if self.takes_along else 0
        )
        return _OFFER.pack(VERSION, flags, self.minutes, self.dialer_random) + self.data

    @classmethod
    def decode(cls, fields: bytes) -> Offer:
        """Read the fields.

        Raises:
            ChannelFormatError: too short, or of another version.
        """
        _check_length(fields, _OFFER.size, "OFFER")
        version, flags, minutes, dialer_random = _OFFER.unpack_from(fields)
        _check_version(version, "OFFER")
        return cls(
            minutes,
            dialer_random,
            bool(flags & _FOLLOWS_SEAL),
            fields[_OFFER.size :],
            bool(flags & _TAKES_ALONG),
        )


@dataclass(frozen=True, slots=True)
class Accept:
    """ACCEPT: the acceptor has the stream, and its half of the keys.

    Attributes:
        acceptor_random: 32 random bytes; a secret of the two ends.
        confirm: the acceptor waits for a frame under the final keys before it does anything.
        ask_seconds: longest pause between two ASKs that it wants, 20 to 100.
        alternates: other addresses of the acceptor, for this stream alone; at most 4.
        is_refused: the acceptor does not want the stream; nothing follows.
        first: a sealed frame of the acceptor, whole, which the dialer takes next; or nothing.
    """

    acceptor_random: bytes
    confirm: bool = False
    ask_seconds: int = MIN_ASK_SECONDS
    alternates: tuple[NymAddress, ...] = ()
    is_refused: bool = False
    first: bytes = b""

    def encode(self) -> bytes:
        """Return the fields."""
        head = _ACCEPT.pack(
            VERSION,
            (_CONFIRM if self.confirm else 0) | (_REFUSED if self.is_refused else 0),
            self.ask_seconds,
            self.acceptor_random,
            len(self.alternates),
        )
        return head + b"".join(address.to_bytes() for address in self.alternates) + self.first

    @classmethod
    def decode(cls, fields: bytes) -> Accept:
        """Read the fields; an interval out of its range counts as the nearest one inside.

        Raises:
            ChannelFormatError: too short, of another version, more than 4 addresses, or one that
                is none; or a frame behind them that is too short for one.
        """
        _check_length(fields, _ACCEPT.size, "ACCEPT")
        version, flags, ask_seconds, acceptor_random, count = _ACCEPT.unpack_from(fields)
        _check_version(version, "ACCEPT")
        if count > MAX_ALTERNATES:
            raise ChannelFormatError(f"ACCEPT names {count} addresses, more than {MAX_ALTERNATES}")
        end = _ACCEPT.size + count * _ADDRESS_LENGTH
        _check_length(fields, end, "ACCEPT")
        starts = (_ACCEPT.size + index * _ADDRESS_LENGTH for index in range(count))
        try:
            alternates = tuple(
                NymAddress.from_bytes(fields[start : start + _ADDRESS_LENGTH]) for start in starts
            )
        except AddressError as error:
            raise ChannelFormatError(f"ACCEPT: {error}") from error
        return cls(
            acceptor_random,
            bool(flags & _CONFIRM),
            min(max(ask_seconds, MIN_ASK_SECONDS), MAX_ASK_SECONDS),
            alternates,
            bool(flags & _REFUSED),
            _read_first(fields, end, "ACCEPT"),
        )


@dataclass(frozen=True, slots=True)
class Ack:
    """ACK: what has come, and what may be sent.

    Attributes:
        next_expected: the lowest sequence that is missing; the header's sequence.
        counter: of the sender's unnumbered sealed frames.
        echo: the largest counter of a PROBE, SEAL or RESUME that had come; 0 before the first.
        limit: payload bytes of the other direction that are allowed since its start, as in WINDOW.
        ranges: first and last sequence, inclusive, of what came beyond the gap; ascending, at
            most 16. Gaps behind the last range are not reported, which does not mean missing.
    """

    next_expected: int
    counter: int
    echo: int = 0
    limit: int = 0
    ranges: tuple[tuple[int, int], ...] = ()

    def encode(self) -> bytes:
        """Return the fields."""
        head = _ACK.pack(self.counter, self.echo, self.limit, len(self.ranges))
        return head + b"".join(_RANGE.pack(*each) for each in self.ranges)

    @classmethod
    def decode(cls, next_expected: int, fields: bytes) -> Ack:
        """Read the fields; ``next_expected`` is the header's sequence.

        Raises:
            ChannelFormatError: too short, more than 16 ranges, or ranges that touch, overlap or
                do not ascend.
        """
        _check_length(fields, _ACK.size, "ACK")
        counter, echo, limit, count = _ACK.unpack_from(fields)
        if count > MAX_RANGES:
            raise ChannelFormatError(f"ACK names {count} ranges, more than {MAX_RANGES}")
        _check_length(fields, _ACK.size + count * _RANGE.size, "ACK")
        ranges = tuple(
            _RANGE.unpack_from(fields, _ACK.size + index * _RANGE.size) for index in range(count)
        )
        before = ((next_expected - 1, next_expected - 1), *ranges)
        if any(first <= end + 1 for (_, end), (first, _) in pairwise(before)) or any(
            first > last for first, last in ranges
        ):
            raise ChannelFormatError("ACK with ranges that do not ascend")
        return cls(next_expected, counter, echo, limit, ranges)


@dataclass(frozen=True, slots=True)
class Seal:
    """SEAL: covers what the dialer sent before it had the keys, and acknowledges as an ACK.

    The header's sequence is the first sealed one.

    Attributes:
        digest: 32 bytes, of everything below the first sealed sequence.
        ack: as in an ACK.
        first: a sealed frame of the dialer, whole, which the acceptor takes next; or nothing.
    """

    digest: bytes
    ack: Ack
    first: bytes = b""

    def encode(self) -> bytes:
        """Return the fields."""
        head = _SEAL.pack(self.digest, self.ack.next_expected)
        return head + self.ack.encode() + self.first

    @classmethod
    def decode(cls, fields: bytes) -> Seal:
        """Read the fields.

        Raises:
            ChannelFormatError: too short, or as of an ACK; or a frame behind it that is too short
                for one.
        """
        _check_length(fields, _SEAL.size, "SEAL")
        digest, next_expected = _SEAL.unpack_from(fields)
        ack = Ack.decode(next_expected, fields[_SEAL.size :])
        return cls(digest, ack, _read_first(fields, _SEAL.size + len(ack.encode()), "SEAL"))


@dataclass(frozen=True, slots=True)
class Resume:
    """RESUME: the stream goes on under another sender tag, or at another address.

    Attributes:
        move: counts the moves of the stream, from 1.
        ack: as in an ACK.
    """

    move: int
    ack: Ack

    def encode(self) -> bytes:
        """Return the fields."""
        return self.move.to_bytes(4, "big") + self.ack.encode()

    @classmethod
    def decode(cls, next_expected: int, fields: bytes) -> Resume:
        """Read the fields; ``next_expected`` is the header's sequence.

        Raises:
            ChannelFormatError: as of an ACK.
        """
        _check_length(fields, 4, "RESUME")
        return cls(int.from_bytes(fields[:4], "big"), Ack.decode(next_expected, fields[4:]))


@dataclass(frozen=True, slots=True)
class Ask:
    """ASK: does the acceptor still have these streams? The header's stream id is 0.

    Attributes:
        number: counts the ASKs of one sender to one address, from 1; the header's sequence.
        stream_ids: at most 64.
        nonce: 32 random bytes; a secret of the two ends.
    """

    number: int
    stream_ids: tuple[int, ...]
    nonce: bytes

    def encode(self) -> bytes:
        """Return the fields."""
        ids = b"".join(stream_id.to_bytes(8, "big") for stream_id in self.stream_ids)
        return bytes([len(self.stream_ids)]) + ids + self.nonce

    @classmethod
    def decode(cls, number: int, fields: bytes) -> Ask:
        """Read the fields; ``number`` is the header's sequence.

        Raises:
            ChannelFormatError: too short, or more than 64 ids.
        """
        _check_length(fields, 1, "ASK")
        count = fields[0]
        if count > MAX_ASKED:
            raise ChannelFormatError(f"ASK names {count} streams, more than {MAX_ASKED}")
        end = 1 + 8 * count
        _check_length(fields, end + RANDOM_LENGTH, "ASK")
        ids = tuple(int.from_bytes(fields[start : start + 8], "big") for start in range(1, end, 8))
        return cls(number, ids, fields[end : end + RANDOM_LENGTH])


@dataclass(frozen=True, slots=True)
class Alive:
    """ALIVE: answers an ASK. The header's stream id is 0.

    Attributes:
        number: of the ASK; the header's sequence.
        has_stream: for each id of the ASK, in its order, whether the acceptor has that stream
            under this sender tag, with keys.
    """

    number: int
    has_stream: tuple[bool, ...]

    def encode(self) -> bytes:
        """Return the fields: a count, then one bit each, the lowest bit of a byte first."""
        bitmap = bytearray((len(self.has_stream) + 7) // 8)
        for index, has in enumerate(self.has_stream):
            bitmap[index // 8] |= has << index % 8
        return bytes([len(self.has_stream)]) + bitmap

    @classmethod
    def decode(cls, number: int, fields: bytes) -> Alive:
        """Read the fields; ``number`` is the header's sequence.

        Raises:
            ChannelFormatError: too short, or more than 64 bits.
        """
        _check_length(fields, 1, "ALIVE")
        count = fields[0]
        if count > MAX_ASKED:
            raise ChannelFormatError(f"ALIVE has {count} bits, more than {MAX_ASKED}")
        _check_length(fields, 1 + (count + 7) // 8, "ALIVE")
        bits = (bool(fields[1 + index // 8] >> index % 8 & 1) for index in range(count))
        return cls(number, tuple(bits))
