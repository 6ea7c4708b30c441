"""Words of formats with a quoting of their own that is not the shell's: systemd, supervisor.

One splitter, told by a :class:`Dialect` how escapes and expansions look like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nymproxy_migrate.formats.text import Recode, Text, TextBuilder
from nymproxy_migrate.words import Piece, PieceKind, Word

_BARE = re.compile(rb"[A-Za-z0-9_@+:,./=^-]+")

Expand = Callable[[re.Match[bytes]], Piece]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a format writes words.

    Attributes:
        escape: an escape outside of quotes and in double quotes.
        escape_in_single: the same in single quotes, or None.
        unescape: the value of an escape.
        expansion: what the format replaces, or writes twice to mean itself.
        expand: the piece that an expansion is.
        protect: how literal text is written so that it is no expansion.
        variable: how a variable is written; None if the format has none.
    """

    escape: re.Pattern[bytes]
    escape_in_single: re.Pattern[bytes] | None
    unescape: Callable[[bytes], bytes]
    expansion: re.Pattern[bytes]
    expand: Expand
    protect: Recode
    variable: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    """A part of a word: some bytes, an escape, or an expansion."""

    start: int
    end: int
    value: bytes | Piece
    quote: bytes


def split(text: Text, start: int, end: int, dialect: Dialect) -> tuple[list[Word], WordQuoting]:
    """Return the words of some bytes of a text, and the quoting that writes there.

    Raises:
        ValueError: a quote is not closed.
    """
    quoting = WordQuoting(text, dialect)
    words: list[Word] = []
    position = start
    while True:
        while position < end and text.data[position : position + 1] in b" \t\r\n":
            position += 1
        if position >= end:
            return words, quoting
        first = position
        items, position = _word_items(text.data, position, end, dialect)
        word = Word(_pieces(text, items), text.span(first, position))
        quoting.places[word.span.start] = (first, position, items)
        words.append(word)


def _word_items(data: bytes, position: int, end: int, dialect: Dialect) -> tuple[list[_Item], int]:
    items: list[_Item] = []
    quote = b""
    while position < end:
        byte = data[position : position + 1]
        if not quote and byte in b" \t\r\n":
            break
        if byte in (b"'", b'"') and quote in (b"", byte):
            quote = b"" if quote else byte
            # An empty item keeps a pair of quotes around nothing a word.
            items.append(_Item(position + 1, position + 1, b"", quote))
            position += 1
            continue
        item = _item(data, position, end, quote, dialect)
        items.append(item)
        position = item.end
    if quote:
        raise ValueError(f"a {quote.decode()} is not closed")
    return items, position


def _item(data: bytes, position: int, end: int, quote: bytes, dialect: Dialect) -> _Item:
    escape = dialect.escape_in_single if quote == b"'" else dialect.escape
    found = escape.match(data, position, end) if escape is not None else None
    if found is not None:
        return _Item(position, found.end(), dialect.unescape(found[0]), quote)
    found = dialect.expansion.match(data, position, end)
    if found is not None:
        piece = dialect.expand(found)
        value = piece if piece.kind is not PieceKind.LITERAL else piece.text.encode()
        return _Item(position, found.end(), value, quote)
    return _Item(position, position + 1, data[position : position + 1], quote)


def _pieces(text: Text, items: list[_Item]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    literal = bytearray()

    def flush() -> None:
        if literal:
            value = literal.decode("utf-8", "surrogateescape")
            pieces.append(Piece(PieceKind.LITERAL, value))
            literal.clear()

    last_hole = None
    for item in items:
        holes = text.holes_in(item.start, item.end) if text.holes else []
        if holes:
            if holes[0] is not last_hole:
                flush()
                pieces.append(holes[0].piece)
            last_hole = holes[0]
        elif isinstance(item.value, bytes):
            literal += item.value
        else:
            flush()
            pieces.append(item.value)
    flush()
    return tuple(pieces) or (Piece(PieceKind.LITERAL, ""),)


class WordQuoting:
    """Writes words in one dialect."""

    def __init__(self, text: Text, dialect: Dialect) -> None:
        self._text = text
        self._dialect = dialect
        self.places: dict[int, tuple[int, int, list[_Item]]] = {}

    def word(self, pieces: tuple[Piece, ...], like: bytes) -> bytes:
        """Return a word, in the quotes of the one that it replaces where it needs some."""
        raw = self._text.decode(like)
        quote = raw[:1] if raw[:1] in (b"'", b'"') else b""
        inside = b"".join(self._inside(piece, quote or b'"') for piece in pieces)
        plain = b"".join(_bytes(piece) for piece in pieces)
        if quote or not _BARE.fullmatch(plain):
            inside = (quote or b'"') + inside + (quote or b'"')
        return self._text.encode(inside)

    def separator(self) -> bytes:
        """Return a space."""
        return self._text.encode(b" ")

    def text_of(self, word: Word) -> Text | None:
        """Return the value of a word as a text; what is replaced earlier is a hole."""
        place = self.places.get(word.span.start)
        if place is None:
            return None
        _, end, items = place
        builder = TextBuilder(self._text)
        quotes = {item.quote for item in items if item.start < item.end}
        for item in items:
            if isinstance(item.value, Piece):
                builder.hole(item.start, item.end, item.value)
            elif item.value == self._text.data[item.start : item.end]:
                builder.copy(item.start, item.end)
            else:
                builder.put(item.value, item.start, item.end)
        quote = quotes.pop() if len(quotes) == 1 else b""

        def encode(data: bytes) -> bytes:
            if not quote and not _BARE.fullmatch(data):
                raise ValueError("the text is not in one pair of quotes")
            return self._quoted(data, quote)

        return builder.build(end, encode, self._decode)

    def _inside(self, piece: Piece, quote: bytes) -> bytes:
        if piece.kind is PieceKind.LITERAL:
            return self._quoted(_bytes(piece), quote)
        if piece.kind is PieceKind.OPAQUE or self._dialect.variable is None:
            raise ValueError(f"cannot be written here: {piece.text}")
        return self._dialect.variable(_bytes(piece))

    def _quoted(self, data: bytes, quote: bytes) -> bytes:
        if quote == b"'" and self._dialect.escape_in_single is None:
            if b"'" in data:
                raise ValueError("a single quote cannot stand in single quotes")
        else:
            data = data.replace(b"\\", b"\\\\").replace(quote, b"\\" + quote) if quote else data
        return self._dialect.protect(data)

    def _decode(self, raw: bytes) -> bytes:
        data = self._dialect.escape.sub(lambda found: self._dialect.unescape(found[0]), raw)
        return self._dialect.expansion.sub(
            lambda found: _literal_or(self._dialect.expand(found), found[0]), data
        )


def _literal_or(piece: Piece, raw: bytes) -> bytes:
    return _bytes(piece) if piece.kind is PieceKind.LITERAL else raw


def _bytes(piece: Piece) -> bytes:
    return piece.text.encode("utf-8", "surrogateescape")


def lines(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each line, without its line end."""
    position = 0
    while position < len(data):
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        yield position, end - (data[end - 1 : end] == b"\r" and end > position)
        position = end + 1
