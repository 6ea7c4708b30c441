"""Template expressions of Jinja, Go templates (Helm) and GitHub Actions, as holes in a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.text import Hole, Text
from nymproxy_migrate.model import Span
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES = (".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".tftpl", ".gotmpl", ".in", ".template")
_OPENING = re.compile(rb"\$?\{\{|\{%|\{#")
_CLOSING = {b"{{": b"}}", b"{%": b"%}", b"{#": b"#}"}
_NOT_A_LINE_END = re.compile(rb"[^\r\n]")
_BLOCK_WORD = re.compile(
    rb"\{\{-?\s*(?:if|else|end|range|with|define|block|template|include|/\*)|\{[%#]"
    rb"|\{\{-?\s*(?:toYaml|tpl|\$\w+\s*:=)"
)


def without_template(path: str, text: Text) -> tuple[str, Text]:
    """Return the name without a template suffix, and the text with its expressions masked."""
    for suffix in _SUFFIXES:
        if path.endswith(suffix) and path != suffix:
            return path.removesuffix(suffix), mask(text)
    return path, text


def mask(text: Text) -> Text:
    """Return the text with every expression masked; lines that only steer become blanks."""
    if b"{{" not in text.data and b"{%" not in text.data:
        return text
    blanked = bytearray(text.data)
    holes = []
    for span in _expressions(text.data):
        source = span.of(text.data)
        if _BLOCK_WORD.match(source) and _is_alone(text.data, span):
            blanked[span.start : span.end] = _NOT_A_LINE_END.sub(b" ", source)
        else:
            piece = Piece(PieceKind.OPAQUE, source.decode("utf-8", "replace"))
            holes.append(Hole(span, piece))
    plain = Text(bytes(blanked), text.starts, text.ends, text.holes, text.encode, text.decode)
    return plain.masked(holes)


def _expressions(data: bytes) -> Iterator[Span]:
    """Yield the template expressions of a text, in time that grows with its length only."""
    position = 0
    unclosed: set[bytes] = set()
    while (opening := _OPENING.search(data, position)) is not None:
        kind = opening[0][-2:]
        end = -1 if kind in unclosed else data.find(_CLOSING[kind], opening.end())
        if end < 0:
            unclosed.add(kind)
            position = opening.end()
            continue
        position = end + len(_CLOSING[kind])
        yield Span(opening.start(), position)


def _is_alone(data: bytes, span: Span) -> bool:
    """Tell whether nothing but blanks stands beside an expression on its lines."""
    start = data.rfind(b"\n", 0, span.start) + 1
    end = data.find(b"\n", span.end)
    after = data[span.end : end] if end >= 0 else data[span.end :]
    return not data[start : span.start].strip(b" \t") and not after.strip(b" \t\r")
