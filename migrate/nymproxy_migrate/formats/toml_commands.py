"""Commands in TOML: ``command`` keys, task runners (mise, cargo-make, pixi), process managers.

tomllib decides whether the file is TOML; it gives no positions, so a reader of keys, strings and
arrays follows the bytes again.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import keyed
from nymproxy_migrate.formats.lists import Item
from nymproxy_migrate.formats.text import TextBuilder
from nymproxy_migrate.model import Unparsable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_NOTATION = keyed.Notation("TOML value", keyed.write_double_quoted)
_BLANK = re.compile(rb"(?:[ \t\r\n]+|#[^\n]*)*")
_HEADER = re.compile(rb"\[\[?([^\]\n]*)\]\]?")
_PART = rb"(?:[\w-]+|\"[^\"\n]*\"|'[^'\n]*')"
_KEY = re.compile(rb"(" + _PART + rb"(?:[ \t]*\.[ \t]*" + _PART + rb")*)[ \t]*=[ \t]*")
_STRING = re.compile(
    rb'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_OTHER = re.compile(rb"[^,\]\}\n#]+")
_MULTI_ESCAPE = re.compile(rb"\\[ \t]*\r?\n\s*|" + keyed.DOUBLE_QUOTED.escape.pattern, re.DOTALL)


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a TOML file.

    Raises:
        Unparsable: it is not TOML.
    """
    try:
        tomllib.loads(text.data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))
    except tomllib.TOMLDecodeError as error:
        raise Unparsable(f"not valid TOML: {error}") from error
    yield from keyed.find(_Reader(text).document(), _NOTATION)


class _Reader:
    def __init__(self, text: Text) -> None:
        self._text = text
        self._position = 3 if text.data.startswith(b"\xef\xbb\xbf") else 0

    def document(self) -> keyed.Maps:
        """Return the tables of the file under their full names."""
        tables: list[tuple[str, keyed.Value]] = []
        name = ""
        entries: list[tuple[str, keyed.Value]] = []
        while self._skip() < len(self._text.data):
            header = _HEADER.match(self._text.data, self._position)
            key = _KEY.match(self._text.data, self._position)
            if header is not None:
                tables.append((name, keyed.Maps(tuple(entries))))
                name, entries = header[1].decode("utf-8", "replace").strip(), []
                self._position = header.end()
            elif key is not None:
                self._position = key.end()
                entries.append((_name(key[1]), self._value()))
            else:
                break
        tables.append((name, keyed.Maps(tuple(entries))))
        return keyed.Maps(tuple(tables))

    def _skip(self) -> int:
        blank = _BLANK.match(self._text.data, self._position)
        self._position = blank.end() if blank else self._position
        return self._position

    def _value(self) -> keyed.Value:
        data = self._text.data
        string = _STRING.match(data, self._position)
        if string is not None:
            self._position = string.end()
            return keyed.Strings(self._string(string.start(), string.end()))
        opening = data[self._position : self._position + 1]
        if opening == b"[":
            return self._array()
        if opening == b"{":
            return self._table()
        other = _OTHER.match(data, self._position)
        self._position = other.end() if other else self._position + 1
        return keyed.Maps(())

    def _array(self) -> keyed.Lists:
        values: list[keyed.Value] = []
        places: list[tuple[int, int]] = []
        self._position += 1
        data = self._text.data
        while self._skip() < len(data) and data[self._position : self._position + 1] != b"]":
            start = self._position
            values.append(self._value())
            places.append((start, self._position))
            if data[self._skip() : self._position + 1] == b",":
                self._position += 1
        self._position += 1
        separator = b", "
        if len(places) > 1:
            separator = keyed.separator_between(data, places[0][1], places[1][0], separator)
        return keyed.Lists(tuple(values), separator)

    def _table(self) -> keyed.Maps:
        entries: list[tuple[str, keyed.Value]] = []
        self._position += 1
        data = self._text.data
        while self._skip() < len(data) and data[self._position : self._position + 1] != b"}":
            key = _KEY.match(data, self._position)
            if key is None:
                self._position += 1
                continue
            self._position = key.end()
            entries.append((_name(key[1]), self._value()))
        self._position += 1
        return keyed.Maps(tuple(entries))

    def _string(self, start: int, end: int) -> Item:
        raw = self._text.data[start:end]
        quote = 3 if raw[:3] in (b'"""', b"'''") else 1
        if raw[:1] == b'"':
            syntax = keyed.DOUBLE_QUOTED
            if quote == 3:
                syntax = keyed.StringSyntax(_MULTI_ESCAPE, _unescape_multi, syntax.encode)
            inner = syntax.text(self._text, start + quote, end - quote)
        else:
            builder = TextBuilder(self._text)
            builder.copy(start + quote, end - quote)
            inner = builder.build(end - quote, _no_single if quote == 1 else _no_triple)
        return Item(inner, self._text.span(start, end), raw)


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace('"', "").replace("'", "")


def _unescape_multi(found: re.Match[bytes]) -> bytes:
    if b"\n" in found[0]:
        return b""
    return keyed.DOUBLE_QUOTED.unescape(found)


def _no_single(data: bytes) -> bytes:
    if b"'" in data:
        raise ValueError("a single quote cannot stand in a literal string")
    return data


def _no_triple(data: bytes) -> bytes:
    if b"'''" in data:
        raise ValueError("three single quotes cannot stand in a literal string")
    return data
