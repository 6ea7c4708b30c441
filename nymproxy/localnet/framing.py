"""Frames between nodes: how Sphinx packets follow each other on a TCP connection.

Format of nym-sphinx-framing 1.21.6 (src/packet.rs, src/codec.rs); vectors:
tests/vectors/nodes.json, ``header_checks`` and the ``frame_in`` of ``hops``.

::

    v8:  version(1)=8 | size tag(1) | type(1)=0 | key rotation(1) | Sphinx packet
    v7:  version(1)=7 | size tag(1) | type(1)=0                   | Sphinx packet
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from nymproxy.errors import MalformedDataError, SphinxError
from nymproxy.mixnet.sphinx import KeyRotation, PacketSize

_TYPE_MIX = 0
_TYPE_OUTFOX = 2
_SHORTEST_HEADER = 3


class FrameVersion(enum.IntEnum):
    """The two header forms. Readers take both; the first loses the key rotation."""

    INITIAL = 7
    CURRENT = 8

    @property
    def header_length(self) -> int:
        """Length of the header in bytes: 3 or 4."""
        return 3 if self is FrameVersion.INITIAL else 4


class Frame(NamedTuple):
    """One packet as it travels between two nodes. (A named tuple: one is made for each packet.)"""

    size: PacketSize
    rotation: KeyRotation
    packet: bytes


class _Header(NamedTuple):
    length: int
    size: PacketSize
    rotation: KeyRotation
    is_mix: bool


def encode_frame(frame: Frame, version: FrameVersion = FrameVersion.CURRENT) -> bytes:
    """Return header and packet, ready for the socket."""
    return _ENCODED_HEADERS[version, frame.size, frame.rotation] + frame.packet


def parse_header(data: bytes) -> tuple[int, PacketSize, KeyRotation, bool] | None:
    """Read a frame header from the start of ``data``.

    Returns:
        Header length, size, rotation and whether the type is mix; ``None`` if bytes are missing.

    Raises:
        MalformedDataError: a version, size tag, type or rotation that does not exist.
    """
    if len(data) < _SHORTEST_HEADER:
        return None
    version, size_tag, packet_type = data[0], data[1], data[2]
    if version < FrameVersion.INITIAL:
        raise MalformedDataError(f"frame version {version} is too old, expected 7 or 8")
    if version > FrameVersion.CURRENT:
        raise MalformedDataError(f"frame version {version} is not supported, expected 7 or 8")
    header_length = FrameVersion(version).header_length
    if len(data) < header_length:
        return None
    try:
        size = PacketSize.from_tag(size_tag)
    except SphinxError as error:
        raise MalformedDataError(f"unknown packet size tag {size_tag} in a frame") from error
    if packet_type not in (_TYPE_MIX, _TYPE_OUTFOX):
        raise MalformedDataError(f"unknown packet type {packet_type} in a frame")
    try:
        rotation = KeyRotation(data[3]) if header_length == 4 else KeyRotation.UNKNOWN
    except ValueError as error:
        raise MalformedDataError(f"unknown key rotation {data[3]} in a frame") from error
    return header_length, size, rotation, packet_type == _TYPE_MIX


class FrameDecoder:
    """Cuts the bytes of one connection into frames. Holds at most one incomplete frame.

    A bad header ends the stream, since nothing marks where the next frame starts. The frames
    before it are still handed out; ``error`` then says why there are no more.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._error: MalformedDataError | None = None

    @property
    def error(self) -> MalformedDataError | None:
        """Why the stream cannot be read on, or ``None``."""
        return self._error

    def receive_data(self, data: bytes) -> list[Frame]:
        """Take bytes from the socket and return the frames that are complete now.

        Raises:
            MalformedDataError: an earlier call came upon a bad header (see ``error``).
        """
        if self._error is not None:
            raise self._error
        buffer = self._buffer + data if self._buffer else data
        frames: list[Frame] = []
        position, end = 0, len(buffer)
        try:
            while position < end:
                header = _DECODED_HEADERS.get(buffer[position : position + 4])
                if header is None:
                    header = _parse_slowly(buffer[position : position + 4])
                    if header is None:
                        break
                start = position + header.length
                stop = start + header.size.packet_length
                if stop > end:
                    break
                if not header.is_mix:
                    raise MalformedDataError("an Outfox packet, which is not supported")
                frames.append(Frame(header.size, header.rotation, buffer[start:stop]))
                position = stop
        except MalformedDataError as error:
            self._error = error
            position = end
        self._buffer = buffer[position:]
        return frames


def _parse_slowly(data: bytes) -> _Header | None:
    parsed = parse_header(data)
    return None if parsed is None else _Header(*parsed)


# All valid headers, by their bytes: looking one up costs a tenth of parsing it. A v7 header is
# followed by the first byte of the packet, so those are parsed.
_ENCODED_HEADERS: dict[tuple[FrameVersion, PacketSize, KeyRotation], bytes] = {
    (version, size, rotation): bytes((version, size.tag, _TYPE_MIX, rotation))[
        : version.header_length
    ]
    for version in FrameVersion
    for size in PacketSize
    for rotation in KeyRotation
}
_DECODED_HEADERS: dict[bytes, _Header] = {
    header: _Header(4, size, rotation, is_mix=True)
    for (version, size, rotation), header in _ENCODED_HEADERS.items()
    if version is FrameVersion.CURRENT
}
