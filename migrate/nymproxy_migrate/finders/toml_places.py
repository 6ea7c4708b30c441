"""Where the keys of a TOML file stand: tomllib decides what the file means, but not where."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Span, Unparsable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Path = tuple[str, ...]

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"(?:[ \t\r\n]+|#[^\n]*)*")
_PART = rb"(?:[\w-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_KEYS = _PART + rb"(?:[ \t]*\.[ \t]*" + _PART + rb")*"
_HEADER = re.compile(rb"\[\[?[ \t]*(" + _KEYS + rb")[ \t]*\]\]?")
_KEY = re.compile(rb"(" + _KEYS + rb")[ \t]*=[ \t]*")
_PIECE = re.compile(
    rb'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
    rb"|#[^\n]*|[\[\]{}\n]|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A header, or a key with its value.

    Attributes:
        path: the full name, from the root of the file.
        span: its bytes: ``[a.b]`` or ``key = value``.
    """

    path: Path
    span: Span


def parse(data: bytes) -> Mapping[str, object]:
    """Return what a TOML file means.

    Raises:
        Unparsable: it is not TOML.
    """
    try:
        return tomllib.loads(data.removeprefix(_BOM).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unparsable(f"not valid TOML: {error}") from error


def places(data: bytes) -> Iterator[Place]:
    """Yield the headers and keys of a file that parses, in their order."""
    position = len(_BOM) if data.startswith(_BOM) else 0
    table: Path = ()
    while True:
        position = _end(_BLANK, data, position)
        header, key = _HEADER.match(data, position), _KEY.match(data, position)
        if header is not None:
            table = _path(header[1])
            yield Place(table, Span(*header.span()))
            position = header.end()
        elif key is not None:
            end = _value_end(data, key.end())
            yield Place((*table, *_path(key[1])), Span(position, end))
            position = end
        else:
            return


def best(found: Sequence[Place], path: Path) -> Span:
    """Return where a key stands; else what is inside it, else what it is inside of."""
    for place in found:
        if place.path == path:
            return place.span
    for place in found:
        if place.path[: len(path)] == path:
            return place.span
    around = [place for place in found if place.path and path[: len(place.path)] == place.path]
    return max(around, key=lambda place: len(place.path)).span if around else Span(0, 0)


def _value_end(data: bytes, position: int) -> int:
    """Return where a value ends: at the end of its line, unless brackets are open."""
    depth, end = 0, position
    for piece in _PIECE.finditer(data, position):
        text = piece[0]
        if text == b"\n" and depth == 0:
            break
        depth += (text in {b"[", b"{"}) - (text in {b"]", b"}"})
        if not text.startswith(b"#") and text.strip():
            end = piece.start() + len(text.rstrip())
    return end


def _end(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    found = pattern.match(data, position)
    return position if found is None else found.end()


def _path(raw: bytes) -> Path:
    """Return the parts of a dotted key; TOML itself unquotes them."""
    value: object = tomllib.loads(raw.decode("utf-8", "replace") + " = 0")
    parts: list[str] = []
    while isinstance(value, dict):
        ((name, value),) = value.items()
        parts.append(name)
    return tuple(parts)
