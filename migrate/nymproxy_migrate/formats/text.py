"""Text inside text, with the place of every byte in the file.

A shell command in a YAML block scalar, in a JSON string or in a unit file is parsed as if it stood
alone; :class:`Text` knows where each of its bytes comes from and how to write bytes back there.
Templates and variables that the outer format replaces before the inner one is read are *holes*:
the parsers see word characters, the words get a piece that is not literal.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nymproxy_migrate.model import Span
from nymproxy_migrate.words import Piece, PieceKind

Recode = Callable[[bytes], bytes]

MASK = b"X"
"""What parsers see in place of a hole: a byte that is a word character in every format."""


_HIGH_BYTES = bytes(byte if byte < 0x80 else ord(MASK) for byte in range(256))


def ascii_only(data: bytes) -> bytes:
    """Return what parsers get that want UTF-8: every byte keeps its place."""
    return data.translate(_HIGH_BYTES)


def same(data: bytes) -> bytes:
    """Write bytes back as they are."""
    return data


class Place(Protocol):
    """Where a node of a syntax tree stands in a text."""

    @property
    def start_byte(self) -> int: ...
    @property
    def end_byte(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of a text that is replaced before it is read."""

    span: Span
    piece: Piece


@dataclass(frozen=True, slots=True)
class Text:
    """A text and where it stands.

    Attributes:
        data: the text; holes are masked.
        starts: offset in the file of each byte, and of the end.
        ends: offset in the file behind each byte.
        holes: sorted, in offsets of ``data``.
        encode: how bytes of the text are written in the file; ValueError if they cannot be.
        decode: what raw bytes of the file mean here.
    """

    data: bytes
    starts: Sequence[int]
    ends: Sequence[int]
    holes: tuple[Hole, ...] = ()
    encode: Recode = same
    decode: Recode = same

    @classmethod
    def whole(cls, data: bytes) -> Text:
        """Return a file's content as a text."""
        return cls(data, range(len(data) + 1), range(1, len(data) + 1))

    def span(self, start: int, end: int) -> Span:
        """Return the place in the file of some bytes of the text."""
        if start == end:
            return Span(self.starts[start], self.starts[start])
        return Span(self.starts[start], self.ends[end - 1])

    def pieces(self, start: int, end: int, unescape: Recode = same) -> list[Piece]:
        """Return bytes of the text as pieces of a word: literals between holes."""
        found: list[Piece] = []
        position = start
        for hole in self.holes_in(start, end):
            if position < hole.span.start:
                found.append(_literal(unescape(self.data[position : hole.span.start])))
            found.append(hole.piece)
            position = hole.span.end
        if position < end:
            found.append(_literal(unescape(self.data[position:end])))
        return found

    def source(self, node: Place) -> str:
        """Return the source of a node of a syntax tree."""
        return self.shown(node.start_byte, node.end_byte)

    def shown(self, start: int, end: int) -> str:
        """Return bytes of the text as they stand there."""
        return self.data[start:end].decode("utf-8", "surrogateescape")

    def holes_in(self, start: int, end: int) -> list[Hole]:
        """Return the holes that share a byte with some bytes of the text."""
        first = bisect_left(self.holes, start, key=lambda hole: hole.span.end - 1)
        found = []
        for hole in self.holes[first:]:
            if hole.span.start >= end:
                break
            found.append(hole)
        return found

    def cut(self, start: int, end: int) -> TextBuilder:
        """Return a builder that already holds some bytes of this text."""
        builder = TextBuilder(self)
        builder.copy(start, end)
        return builder

    def masked(self, holes: Sequence[Hole]) -> Text:
        """Return the text with more holes, each masked at its full length."""
        data = bytearray(self.data)
        for hole in holes:
            data[hole.span.start : hole.span.end] = MASK * (hole.span.end - hole.span.start)
        merged = tuple(sorted((*self.holes, *holes), key=lambda hole: hole.span))
        return Text(bytes(data), self.starts, self.ends, merged, self.encode, self.decode)


def _literal(data: bytes) -> Piece:
    return Piece(PieceKind.LITERAL, data.decode("utf-8", "surrogateescape"))


class TextBuilder:
    """Puts a text together from parts of an outer one."""

    def __init__(self, outer: Text) -> None:
        self.outer = outer
        self._data = bytearray()
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._holes: list[Hole] = []

    def copy(self, start: int, end: int) -> None:
        """Take bytes of the outer text as they are."""
        base = len(self._data) - start
        for hole in self.outer.holes_in(start, end):
            inner = Span(max(hole.span.start, start) + base, min(hole.span.end, end) + base)
            self._holes.append(Hole(inner, hole.piece))
        self._data += self.outer.data[start:end]
        self._starts.extend(self.outer.starts[start:end])
        self._ends.extend(self.outer.ends[start:end])

    def put(self, inner: bytes, start: int, end: int) -> None:
        """Take bytes that are written differently in the outer text: an escape."""
        span = self.outer.span(start, end)
        self._data += inner
        self._starts.extend([span.start] * len(inner))
        self._ends.extend([span.end] * len(inner))

    def hole(self, start: int, end: int, piece: Piece) -> None:
        """Take bytes of the outer text that it replaces by something else."""
        inner = Span(len(self._data), len(self._data) + end - start)
        self._holes.append(Hole(inner, piece))
        self._data += MASK * (end - start)
        self._starts.extend(self.outer.starts[start:end])
        self._ends.extend(self.outer.ends[start:end])

    def build(self, end: int, encode: Recode = same, decode: Recode = same) -> Text:
        """Return the text.

        Args:
            end: the offset in the outer text where this one ends.
            encode: how its bytes are written in the outer text.
            decode: what raw bytes of the outer text mean in this one.
        """
        outer = self.outer
        self._starts.append(outer.starts[end])
        nested = (
            (encode, decode)
            if outer.encode is same
            else (
                lambda data: outer.encode(encode(data)),
                lambda raw: decode(outer.decode(raw)),
            )
        )
        return Text(
            bytes(self._data), self._starts, self._ends, tuple(self._holes), nested[0], nested[1]
        )
