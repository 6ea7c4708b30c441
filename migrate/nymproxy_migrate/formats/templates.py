"""Template expressions of Jinja, Go templates (Helm) and GitHub Actions, as holes in a text."""

from __future__ import annotations

import re

from nymproxy_migrate.formats.text import Hole, Text
from nymproxy_migrate.model import Span
from nymproxy_migrate.words import Piece, PieceKind

_SUFFIXES = (".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".tftpl", ".gotmpl", ".in", ".template")
_EXPRESSION = re.compile(rb"\$?\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BLOCK_LINE = re.compile(rb"[ \t]*(?:\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})[ \t]*(?:\r?\n|$)", re.DOTALL)
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
    for found in _BLOCK_LINE.finditer(text.data):
        line_start = text.data.rfind(b"\n", 0, found.start()) + 1
        if line_start != found.start() or not _BLOCK_WORD.match(found[0].strip()):
            continue
        for index in range(found.start(), found.end()):
            if blanked[index] not in b"\r\n":
                blanked[index] = 0x20
    holes = []
    for found in _EXPRESSION.finditer(bytes(blanked)):
        source = found[0].decode("utf-8", "replace")
        hole = Hole(Span(found.start(), found.end()), Piece(PieceKind.OPAQUE, source))
        holes.append(hole)
    plain = Text(bytes(blanked), text.starts, text.ends, text.holes, text.encode, text.decode)
    return plain.masked(holes)
