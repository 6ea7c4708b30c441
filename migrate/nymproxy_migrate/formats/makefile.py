"""Makefiles: recipe lines, in which ``$$`` is a dollar and ``$(NAME)`` belongs to make."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell, syntax
from nymproxy_migrate.formats.text import TextBuilder
from nymproxy_migrate.model import CommandContext, Home, HomeSource
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_SIGILS = re.compile(rb"[@+ \t-]*")
_DOLLAR = re.compile(rb"\$\$|\$\([^()]*(?:\([^()]*\)[^()]*)*\)|\$\{[^{}]*\}|\$.")
_ASSIGNMENT = re.compile(
    rb"^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*[:?+]{0,2}=[ \t]*(.*?)[ \t]*\r?$", re.M
)


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of the recipes."""
    root = syntax.parse("make", text)
    yield from syntax.errors(root, text, "Makefile")
    assigned = tuple(
        (found[1].decode("utf-8", "replace"), found[2].decode("utf-8", "replace"))
        for found in _ASSIGNMENT.finditer(text.data)
    )
    context = CommandContext("Makefile recipe", Home(HomeSource.SHELL), environment=assigned)
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type == "shell_text" and node.parent is not None:
            yield from shell.find(_shell_text(text, node.start_byte, node.end_byte), context)
            continue
        stack += reversed(node.children)


def _shell_text(text: Text, start: int, end: int) -> Text:
    builder = TextBuilder(text)
    sigils = _SIGILS.match(text.data, start, end)
    position = start = sigils.end() if sigils else start
    for found in _DOLLAR.finditer(text.data, start, end):
        builder.copy(position, found.start())
        position = found.end()
        if found[0] == b"$$":
            builder.put(b"$", found.start(), found.end())
        else:
            name = found[0][1:].strip(b"(){}").decode("utf-8", "replace")
            kind = PieceKind.VARIABLE if name.isidentifier() else PieceKind.OPAQUE
            source = name if kind is PieceKind.VARIABLE else found[0].decode("utf-8", "replace")
            builder.hole(found.start(), found.end(), Piece(kind, source))
    builder.copy(position, end)
    return builder.build(
        end, lambda data: data.replace(b"$", b"$$"), lambda raw: raw.replace(b"$$", b"$")
    )
