"""Commands in programs of many languages: the strings that start an old program, and their calls.

No parser of each language: a string that is the program, with the arguments that follow it in its
call or list, or a string that a shell is given. What else names the program is told as a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell
from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.keyed import StringSyntax
from nymproxy_migrate.formats.lists import FixedQuoting, Item, ListQuoting, word_of
from nymproxy_migrate.formats.text import Hole
from nymproxy_migrate.model import CommandContext, Home, HomeSource, Span
from nymproxy_migrate.words import Piece, PieceKind, Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Recode, Text

_STRING = re.compile(
    rb'"""(?P<triple>(?:[^"\\]|\\.|"(?!""))*)"""|"(?P<double>(?:[^"\\\n]|\\.)*)"'
    rb"|'(?P<single>(?:[^'\\\n]|\\.)*)'|`(?P<back>(?:[^`\\]|\\.)*)`",
    re.DOTALL,
)
_NAME = re.compile(rb"nym[-_]proxy[-_](?:client|server)|\bnymproxy\b")
_PROGRAM = re.compile(
    rb"[\w./\\:{}$#()~-]*(?:nym[-_]proxy[-_](?:client|server)(?:\.exe)?|\bnymproxy)"
)
_COMMAND_LINE = re.compile(
    rb"(?:^|[\s;&|/(])(?:nym[-_]proxy[-_]\w+(?:\.exe)?\s+-|nymproxy\s+(?:client|server)\b)"
)
_HOLE = re.compile(rb"\$\{[^}]*\}|#\{[^}]*\}|\{\$[^}]*\}")
_COMMENT = re.compile(rb"(?:^|[\s;{])(?:#(?!\{)|//|/\*|\*\s)")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_VALUES = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}
_TELLS = re.compile(rb"\b(?:puts|p|print\w*|echo|log\w*|console\.\w+|warn\w*|say)\b[ \t(]*$")
_KEY = re.compile(r"[\"']?[A-Za-z_]\w*[\"']?\s*(?::(?!:)|=>)")
_LONGEST_CALL_BYTES = 8192
_LIST = re.compile(rb"\s*(?:&?\[|vec!\[|new\s+String\s*\[\s*\]\s*\{|(?:Arrays\.asList|List\.of)\()")
_CHAIN = re.compile(rb"\s*\)\s*\.\s*args?\s*\(")
_RUST_NEW = re.compile(rb"\bCommand::new\(\s*$")
_HEREDOC = re.compile(rb"<<[-~]?[\"']?([A-Z_]+)[\"']?[^\n]*\n")


@dataclass(frozen=True, slots=True)
class _Literal:
    """A string: where it stands with its quotes, and where its content does."""

    start: int
    end: int
    inner: tuple[int, int]

    @classmethod
    def of(cls, found: re.Match[bytes]) -> _Literal:
        group = found.lastgroup or "double"
        return cls(found.start(), found.end(), found.span(group))


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands that strings hold or start."""
    if not _NAME.search(text.data):
        return
    reader = _Reader(text, path)
    yield from reader.heredocs()
    position = 0
    while (found := _STRING.search(text.data, position)) is not None:
        # A quote in a comment opens nothing.
        line = text.data.rfind(b"\n", 0, found.start()) + 1
        if _COMMENT.search(text.data, line, found.start()):
            end = text.data.find(b"\n", found.start())
            position = end + 1 if end >= 0 else len(text.data)
            continue
        literal = _Literal.of(found)
        yield from reader.string(literal)
        position = found.end()


class _Reader:
    def __init__(self, text: Text, path: str) -> None:
        self._text = text
        suffix = path.rpartition("/")[2].rpartition(".")[2].lower()
        self._context = CommandContext(f"{suffix} program", Home(HomeSource.UNKNOWN))
        self._is_php = suffix == "php"

    def heredocs(self) -> Iterator[Found]:
        """Yield the commands of heredocs of Ruby and PHP, which are shell text or nothing."""
        data = self._text.data
        for opening in _HEREDOC.finditer(data):
            end = re.compile(rb"^[ \t]*" + opening[1] + rb"\b", re.M).search(data, opening.end())
            if end is not None and _NAME.search(data, opening.end(), end.start()):
                builder = self._text.cut(opening.end(), end.start())
                yield from shell.find(builder.build(end.start()), self._context)

    def string(self, literal: _Literal) -> Iterator[Found]:
        """Yield the command that a string is, or starts."""
        data = self._text.data
        content = data[slice(*literal.inner)]
        line = data.rfind(b"\n", 0, literal.start) + 1
        if not _NAME.search(content) or _TELLS.search(data, line, literal.start):
            return
        program = _PROGRAM.fullmatch(content)
        if program is not None:
            yield from self._call(literal)
        elif not self._goes_on(literal.end) and _COMMAND_LINE.search(content):
            yield from shell.find(self._item(literal).text, self._context)

    def _goes_on(self, end: int) -> bool:
        """Tell whether a string is only the first part of a text."""
        after = self._text.data[end : end + 64].lstrip()
        return (
            after[:1] == b"+" or after[:2] in (b"..", b"<>") or (self._is_php and after[:1] == b".")
        )

    def _call(self, literal: _Literal) -> Iterator[Found]:
        program = self._item(literal)
        words, is_flat = [word_of(program)], True
        is_rust = _RUST_NEW.search(self._text.data[: literal.start][-64:]) is not None
        for start, end, depth in self._arguments(literal.end):
            string = _STRING.fullmatch(self._text.data, start, end)
            is_flat &= depth == 0 or is_rust
            if string is not None:
                words.append(word_of(self._item(_Literal.of(string))))
            else:
                source = Piece(PieceKind.OPAQUE, self._text.shown(start, end))
                words.append(Word((source,), self._text.span(start, end)))
        if len(words) < 2 or any(_KEY.match(each.pieces[0].text) for each in words[1:]):
            return  # a name of its own: a constant, a label, a value beside others
        quoting: FixedQuoting | ListQuoting
        if is_flat:
            separator = b").arg(" if is_rust else b", "
            quoting = ListQuoting([program], _write, self._text.encode(separator), None)
        else:
            quoting = FixedQuoting("the program and its arguments stand in two places")
        yield from commands_of(words, self._context, quoting)

    def _arguments(self, position: int) -> Iterator[tuple[int, int, int]]:
        """Yield start and end of each argument behind the program, and how deep it stands."""
        data = self._text.data
        chain = _CHAIN.match(data, position)
        if chain is None and data[position : position + 40].lstrip()[:1] != b",":
            return
        start = position = chain.end() if chain is not None else position
        depth = nested = 0
        last = min(len(data), position + _LONGEST_CALL_BYTES)
        while position < last:
            opened = _LIST.match(data, position) if position == start else None
            string = _STRING.match(data, position)
            byte = data[position : position + 1]
            if opened is not None:
                depth += 1
                start = position = opened.end()
            elif string is not None:
                position = string.end()
            elif nested or byte in (b"(", b"[", b"{"):
                nested += (byte in (b"(", b"[", b"{")) - (byte in (b")", b"]", b"}"))
                position += 1
            elif byte not in (b",", b")", b"]", b"}"):
                position += 1
            else:
                yield from self._argument(start, position, depth)
                chain = _CHAIN.match(data, position)
                if byte != b"," and chain is None and not depth:
                    return
                depth -= byte != b"," and chain is None
                start = position = chain.end() if byte != b"," and chain else position + 1

    def _argument(self, start: int, end: int, depth: int) -> Iterator[tuple[int, int, int]]:
        source = self._text.data[start:end]
        if source.strip():
            begin = start + len(source) - len(source.lstrip())
            yield begin, end - (len(source) - len(source.rstrip())), depth

    def _item(self, literal: _Literal) -> Item:
        quote = self._text.data[literal.start : literal.start + 1]
        start, end = literal.inner
        holes = tuple(
            Hole(Span(found.start(), found.end()), _opaque(found[0]))
            for found in _HOLE.finditer(self._text.data, start, end)
        )
        inner = StringSyntax(_ESCAPE, _unescape, _encoder(quote)).text(
            self._text, start, end, holes
        )
        raw = self._text.data[literal.start : literal.end]
        return Item(inner, self._text.span(literal.start, literal.end), raw)


def _opaque(source: bytes) -> Piece:
    return Piece(PieceKind.OPAQUE, source.decode("utf-8", "replace"))


def _unescape(found: re.Match[bytes]) -> bytes:
    return _VALUES.get(found[1], found[1])


def _encoder(quote: bytes) -> Recode:
    def encode(data: bytes) -> bytes:
        return data.replace(b"\\", b"\\\\").replace(quote, b"\\" + quote)

    return encode


def _write(value: bytes, like: bytes) -> bytes:
    quote = like[:1] if like[:1] in (b'"', b"'", b"`") else b'"'
    return quote + _encoder(quote)(value) + quote
