"""What container tools replace in a command: compose ``$VAR``, Kubernetes ``$(VAR)``."""

from __future__ import annotations

import re

from nymproxy_migrate.formats.split import Dialect
from nymproxy_migrate.formats.text import Text, TextBuilder
from nymproxy_migrate.words import Piece, PieceKind

_COMPOSE = re.compile(rb"\$\$|\$\{([A-Za-z_]\w*)\}|\$\{[^}]*\}|\$([A-Za-z_]\w*)")
_KUBERNETES = re.compile(rb"\$\$\([A-Za-z_]\w*\)|\$\(([A-Za-z_]\w*)\)")
_SHLEX_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


def compose(text: Text) -> Text:
    """Return a text of a compose file as the container sees it."""
    builder = TextBuilder(text)
    position = 0
    for found in _COMPOSE.finditer(text.data):
        builder.copy(position, found.start())
        position = found.end()
        name = found[1] or found[2]
        if found[0] == b"$$":
            builder.put(b"$", found.start(), found.end())
        elif name:
            piece = Piece(PieceKind.VARIABLE, name.decode())
            builder.hole(found.start(), found.end(), piece)
        else:
            piece = Piece(PieceKind.OPAQUE, found[0].decode("utf-8", "replace"))
            builder.hole(found.start(), found.end(), piece)
    builder.copy(position, len(text.data))
    return builder.build(
        len(text.data),
        lambda data: data.replace(b"$", b"$$"),
        lambda raw: raw.replace(b"$$", b"$"),
    )


def kubernetes(text: Text) -> Text:
    """Return an argument of a pod as the container sees it; a shell text is left alone."""
    builder = TextBuilder(text)
    position = 0
    for found in _KUBERNETES.finditer(text.data):
        builder.copy(position, found.start())
        position = found.end()
        if found[1]:
            piece = Piece(PieceKind.VARIABLE, found[1].decode())
            builder.hole(found.start(), found.end(), piece)
        else:
            builder.copy(found.start() + 1, found.end())
    builder.copy(position, len(text.data))
    return builder.build(len(text.data))


def _no_piece(found: re.Match[bytes]) -> Piece:
    return Piece(PieceKind.LITERAL, found[0].decode())


SHLEX = Dialect(
    escape=_SHLEX_ESCAPE,
    escape_in_single=None,
    unescape=lambda raw: raw[1:],
    expansion=re.compile(rb"(?!)"),
    expand=_no_piece,
    protect=lambda data: data,
)
"""How compose, supervisor and Ansible split a string: quotes as in a shell, nothing expands."""
