"""Batch files and PowerShell: lines that start a program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.lists import FixedQuoting
from nymproxy_migrate.formats.split import Dialect, lines, split
from nymproxy_migrate.model import CommandContext, Home, HomeSource
from nymproxy_migrate.names import mentions_program
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_STARTERS = re.compile(
    rb"(?i)[ \t]*(?:@|&[ \t]*|call[ \t]+|start[ \t]+(?:\"[^\"]*\"[ \t]+)?(?:/\w+[ \t]+)*)*"
)
_COMMENT = re.compile(rb"(?i)[ \t]*(?:rem\b|::|#)")
_EXPANSION = re.compile(rb"%%|%(\w+)%|\$(?:env:)?(\w+)|\$\{[^}]*\}|\$\([^)]*\)")
_ENDS = re.compile(rb"[|<>;&]")


def _expand(found: re.Match[bytes]) -> Piece:
    if found[0] == b"%%":
        return Piece(PieceKind.LITERAL, "%")
    name = found[1] or found[2]
    if name:
        return Piece(PieceKind.VARIABLE, name.decode())
    return Piece(PieceKind.OPAQUE, found[0].decode("utf-8", "replace"))


_DIALECT = Dialect(
    escape=re.compile(rb"(?!)"),
    escape_in_single=None,
    unescape=lambda raw: raw,
    expansion=_EXPANSION,
    expand=_expand,
    protect=lambda data: data,
)


_QUOTING = FixedQuoting("nymproxy runs on Linux and macOS")


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of lines that name an old program."""
    what = "PowerShell script" if path.lower().endswith((".ps1", ".psm1")) else "batch file"
    context = CommandContext(what, Home(HomeSource.UNKNOWN))
    for start, end in lines(text.data):
        if not mentions_program(text.shown(start, end)) or _COMMENT.match(text.data, start, end):
            continue
        lead = _STARTERS.match(text.data, start, end)
        begin = lead.end() if lead else start
        stop = _ENDS.search(text.data, begin, end)
        try:
            words, _ = split(text, begin, stop.start() if stop else end, _DIALECT)
        except ValueError:
            continue  # the line is told as one that is not understood
        if words and mentions_program(words[0].literal or ""):
            yield from commands_of(words, context, _QUOTING)
