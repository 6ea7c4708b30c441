"""Where both ends are known: which clients of a tree can speak the stream protocol at once.

That is so when the tree starts exactly one server, which this tool rewrites or has rewritten, and
every client of the tree names the same address.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate import formats, new_commands, walk
from nymproxy_migrate.finders import FINDERS
from nymproxy_migrate.judge import judge
from nymproxy_migrate.judged import OldInvocation, Role
from nymproxy_migrate.model import SourceFile, Unparsable
from nymproxy_migrate.words import Command, PieceKind, Word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nymproxy_migrate.options import ScanOptions


def look(paths: Sequence[Path], options: ScanOptions, root: Path) -> ScanOptions:
    """Return the options with what a first look at the tree tells about its servers."""
    servers: list[Command] = []
    addresses: set[str] = set()
    for command in _commands(paths, options, root):
        judged = judge(command)
        new = new_commands.read(command)
        if isinstance(judged, OldInvocation) and not (judged.refusals or judged.unreadable):
            flag = judged.flag("server-address")
            if judged.role is Role.SERVER:
                servers.append(command)
            elif flag is not None and flag.value is not None:
                addresses.add(_shown(flag.value, flag.value_at))
        elif new is not None and new.role is Role.SERVER:
            servers.append(command)
        elif new is not None and new.address is not None:
            addresses.add(_shown(new.address, new.address_at))
    return replace(options, whole_system=len(servers) == 1 and len(addresses) == 1)


def _commands(paths: Sequence[Path], options: ScanOptions, root: Path) -> Iterator[Command]:
    for source in walk.walk(paths, root, options.size_limit):
        if not isinstance(source, SourceFile):
            continue
        if not (b"nymproxy" in source.data or FINDERS[0].wants(source)):
            continue
        try:
            yield from formats.find_commands(source)
        except Unparsable:
            # The scan itself will say so.
            continue


def _shown(word: Word, at: int) -> str:
    first, *rest = word.pieces
    pieces = [(first.kind, first.text[at:]), *((piece.kind, piece.text) for piece in rest)]
    return "".join("$" + text if kind is not PieceKind.LITERAL else text for kind, text in pieces)
