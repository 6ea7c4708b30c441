"""Words of the shell: what they are made of, and how to write them in the same style."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.text import Recode, Text, TextBuilder
from nymproxy_migrate.words import Piece, PieceKind, Word

if TYPE_CHECKING:
    from tree_sitter import Node

_BARE = re.compile(r"[A-Za-z0-9_@%+:,./=^-]+")
_PATTERN = re.compile(rb"[*?\[]|\{[^{}]*(?:,|\.\.)[^{}]*\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_CONTINUES_NAME = re.compile(rb"[A-Za-z0-9_]")
_ESCAPED_BARE = re.compile(rb"\\(\r?\n|.)", re.DOTALL)
_ESCAPED_DOUBLE = re.compile(rb'\\(\r?\n|[$`"\\])')
_ANSI = {
    b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"e": b"\x1b", b"f": b"\f",
    b"v": b"\v", b"\\": b"\\", b"'": b"'", b'"': b'"', b"?": b"?",
}  # fmt: skip
_ANSI_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)

LITERAL, VARIABLE, OPAQUE = PieceKind.LITERAL, PieceKind.VARIABLE, PieceKind.OPAQUE


def word_of(node: Node, text: Text) -> Word:
    """Return the word that a node of the syntax tree is."""
    pieces = _merged(_pieces(node, text))
    return Word(tuple(pieces), text.span(node.start_byte, node.end_byte))


def _merged(pieces: list[Piece]) -> list[Piece]:
    merged: list[Piece] = []
    for piece in pieces:
        if piece.kind is LITERAL and merged and merged[-1].kind is LITERAL:
            merged[-1] = Piece(LITERAL, merged[-1].text + piece.text)
        else:
            merged.append(piece)
    return merged or [Piece(LITERAL, "")]


def _pieces(node: Node, text: Text) -> list[Piece]:
    start, end = node.start_byte, node.end_byte
    match node.type:
        case "word" | "number" | "variable_name" | "special_variable_name":
            return _bare(text, start, end)
        case "raw_string":
            return text.pieces(start + 1, end - 1)
        case "ansi_c_string":
            return text.pieces(start + 2, end - 1, _unescape_ansi)
        case "string":
            return _between(node, text, start + 1, end - 1, _unescape_double)
        case "translated_string":
            return [piece for child in node.children[1:] for piece in _pieces(child, text)]
        case "concatenation" | "command_name":
            if node.type == "concatenation" and _PATTERN.search(_unquoted(node, text)):
                return [Piece(OPAQUE, text.shown(start, end))]
            return _between(node, text, start, end, _unescape_bare)
        case "simple_expansion":
            return [_variable(text, start + 1, end)]
        case "expansion":
            name = text.shown(start + 2, end - 1)
            if _NAME.fullmatch(name):
                return [Piece(VARIABLE, name)]
    return [Piece(OPAQUE, text.shown(start, end))]


def _bare(text: Text, start: int, end: int) -> list[Piece]:
    raw = text.data[start:end]
    if _PATTERN.search(re.sub(rb"\\.", b"", raw)) and not text.holes_in(start, end):
        return [Piece(OPAQUE, text.shown(start, end))]
    if raw == b"~" or raw.startswith(b"~/"):
        return [Piece(VARIABLE, "HOME"), *text.pieces(start + 1, end, _unescape_bare)]
    return text.pieces(start, end, _unescape_bare)


def _between(node: Node, text: Text, start: int, end: int, unescape: Recode) -> list[Piece]:
    """Return the pieces of the children that are not plain text, and the text around them."""
    plain = {'"', "string_content", "word", "number"} if node.type == "string" else set()
    pieces: list[Piece] = []
    position = start
    for child in node.children:
        if child.type in plain or child.end_byte <= start or child.start_byte >= end:
            continue
        if position < child.start_byte:
            pieces += text.pieces(position, child.start_byte, unescape)
        pieces += _pieces(child, text)
        position = child.end_byte
    if position < end:
        pieces += text.pieces(position, end, unescape)
    return pieces


def _variable(text: Text, start: int, end: int) -> Piece:
    return Piece(VARIABLE, text.shown(start, end))


def _unquoted(node: Node, text: Text) -> bytes:
    return b"".join(
        text.data[child.start_byte : child.end_byte]
        for child in node.children
        if child.type in {"word", "{", "}", "brace_expression"}
    )


def _unescape_bare(data: bytes) -> bytes:
    return _ESCAPED_BARE.sub(lambda found: found[1] if found[1][-1:] != b"\n" else b"", data)


def _unescape_double(data: bytes) -> bytes:
    return _ESCAPED_DOUBLE.sub(lambda found: found[1] if found[1][-1:] != b"\n" else b"", data)


def _unescape_ansi(data: bytes) -> bytes:
    def value(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes([int(found[1], 16)])
        if found[2]:
            return bytes([int(found[2], 8) & 255])
        return _ANSI.get(found[3], found[0])

    return _ANSI_ESCAPE.sub(value, data)


class ShellQuoting:
    """Writes words into shell text, which may itself stand in another format."""

    def __init__(self, text: Text, nodes: dict[int, tuple[int, int]] | None = None) -> None:
        self._text = text
        # Where each word stands in the text, by where it stands in the file.
        self._places = nodes if nodes is not None else {}

    def word(self, pieces: tuple[Piece, ...], like: bytes) -> bytes:
        """Return a word in the quotes of the word that it replaces."""
        return self._text.encode(_write(pieces, self._text.decode(like)))

    def separator(self) -> bytes:
        """Return a space."""
        return self._text.encode(b" ")

    def text_of(self, word: Word) -> Text | None:
        """Return the value of a word as a text; what ``$`` stands for stays in it."""
        place = self._places.get(word.span.start)
        if place is None or any(piece.kind is OPAQUE for piece in word.pieces):
            return None
        start, end = place
        segments = _segments(self._text.data[start:end])
        if segments is None:
            return None
        if len(segments) > 1 and segments[0][0] == b"" and segments[1][0] != b"":
            name = self._text.data[start : start + segments[0][2]]
            if name.endswith(b"="):  # alias NAME='TEXT'
                segments = segments[1:]
        builder = TextBuilder(self._text)
        for quote, first, last in segments:
            if quote == b"'":
                builder.copy(start + first, start + last)
            else:
                escape = _ESCAPED_DOUBLE if quote else _ESCAPED_BARE
                _copy_unescaped(builder, escape, start + first, start + last)
        quotes = {quote for quote, _, _ in segments}
        encode, decode = _CODECS[quotes.pop()] if len(segments) == 1 else (_encode_mixed, _same)
        return builder.build(end, encode, decode)


def _same(data: bytes) -> bytes:
    return data


def _segments(raw: bytes) -> list[tuple[bytes, int, int]] | None:
    """Return the parts of a word: its quote and where its content stands."""
    segments: list[tuple[bytes, int, int]] = []
    position = 0
    while position < len(raw):
        quote = raw[position : position + 1]
        if quote in (b"'", b'"'):
            end = _closing(raw, position)
            if end is None:
                return None
            segments.append((quote, position + 1, end))
            position = end + 1
            continue
        start = position
        while position < len(raw) and raw[position : position + 1] not in (b"'", b'"'):
            position += 2 if raw[position : position + 1] == b"\\" else 1
        segments.append((b"", start, min(position, len(raw))))
    return segments


def _closing(raw: bytes, start: int) -> int | None:
    quote = raw[start]
    position = start + 1
    while position < len(raw):
        if raw[position] == quote:
            return position
        position += 2 if quote == 0x22 and raw[position] == 0x5C else 1
    return None


def _copy_unescaped(builder: TextBuilder, escape: re.Pattern[bytes], start: int, end: int) -> None:
    position = start
    for found in escape.finditer(builder.outer.data, start, end):
        builder.copy(position, found.start())
        builder.put(b"" if found[1][-1:] == b"\n" else found[1], found.start(), found.end())
        position = found.end()
    builder.copy(position, end)


def _write(pieces: tuple[Piece, ...], like: bytes) -> bytes:
    if all(piece.kind is LITERAL for piece in pieces):
        value = "".join(piece.text for piece in pieces)
        if like[:1] == b"'" and "'" not in value:
            return b"'" + _bytes(value) + b"'"
        if like[:1] == b'"':
            return b'"' + _encode_double(_bytes(value)) + b'"'
        if _BARE.fullmatch(value):
            return _bytes(value)
        return b"'" + _encode_single(_bytes(value)) + b"'"
    inside = b""
    for index, piece in enumerate(pieces):
        following = pieces[index + 1].text if index + 1 < len(pieces) else ""
        inside += _inside(piece, b'"', _bytes(following))
    return b'"' + inside + b'"'


def _inside(piece: Piece, quote: bytes, following: bytes) -> bytes:
    """Write a piece between quotes that are open."""
    if piece.kind is LITERAL:
        value = _bytes(piece.text)
        return _encode_single(value) if quote == b"'" else _encode_double(value)
    if piece.kind is OPAQUE:
        raise ValueError(f"cannot be written anew: {piece.text}")
    name = _bytes(piece.text)
    variable = b"${" + name + b"}" if _CONTINUES_NAME.match(following) else b"$" + name
    return b"'\"" + variable + b"\"'" if quote == b"'" else variable


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _encode_single(data: bytes) -> bytes:
    return data.replace(b"'", b"'\\''")


def _decode_single(data: bytes) -> bytes:
    return data.replace(b"'\\''", b"'")


def _encode_double(data: bytes) -> bytes:
    return re.sub(rb'[$`"\\]', lambda found: b"\\" + found[0], data)


def _encode_bare(data: bytes) -> bytes:
    return re.sub(rb"[^A-Za-z0-9_@%+:,./=^-]", lambda found: b"\\" + found[0], data)


def _encode_mixed(data: bytes) -> bytes:
    if not re.fullmatch(rb"[A-Za-z0-9_@%+:,./=^-]*", data):
        raise ValueError("the command is put together from parts with different quotes")
    return data


_CODECS = {
    b"'": (_encode_single, _decode_single),
    b'"': (_encode_double, _unescape_double),
    b"": (_encode_bare, _unescape_bare),
}
