"""Heredocs of Containerfiles: scripts that ``RUN`` runs, and files that ``COPY`` writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell
from nymproxy_migrate.formats.commands import Embedded
from nymproxy_migrate.formats.text import TextBuilder
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text
    from nymproxy_migrate.model import BinarySource, CommandContext

_MARKER = re.compile(r"<<-?([\"']?)([\w.-]+)\1$")
_OTHER_SHEBANG = re.compile(rb"#!(?!\s*\S*(?:/|env\s+(?:-\S+\s+)*)(?:ba|da|a|k|z)?sh\b)")
_EXPANSION = re.compile(rb"\\(\$|\\)|\$(?:\{[^}\n]*\}|[A-Za-z_]\w*)")


def has(instruction: Node) -> bool:
    """Tell whether an instruction has heredocs."""
    return any(child.type == "heredoc_block" for child in instruction.children)


def script(run: Node, text: Text, context: CommandContext) -> Iterator[Found]:
    """Yield the commands of a ``RUN`` with heredocs: they feed a command, or are the script."""
    command = next((child for child in run.children if child.type == "shell_command"), None)
    if command is None:
        return
    if not _MARKER.match(text.source(command)):
        # A line of shell with heredocs, which the shell's own grammar reads.
        builder = text.cut(command.start_byte, run.end_byte)
        yield from shell.find(builder.build(run.end_byte), context)
        return
    for content in _contents(run):
        if not _OTHER_SHEBANG.match(text.data, content.start_byte):
            builder = text.cut(content.start_byte, content.end_byte)
            yield from shell.find(builder.build(content.end_byte), context)


def files(copy: Node, text: Text, binary: BinarySource) -> Iterator[Found]:
    """Yield the commands of the files that ``COPY`` or ``ADD`` writes."""
    paths = [text.source(child) for child in copy.children if child.type == "path"]
    markers = [found for found in map(_MARKER.match, paths) if found is not None]
    for marker, content in zip(markers, _contents(copy), strict=False):
        target = paths[-1] + (marker[2] if paths[-1].endswith("/") else "")
        inner = _expanded(content, text, literal=bool(marker[1]))
        yield Embedded(target.lstrip("/"), inner, binary=binary)


def _contents(instruction: Node) -> Iterator[Node]:
    """Yield the content of each heredoc."""
    for block in instruction.children:
        for child in block.children if block.type == "heredoc_block" else ():
            if child.type == "heredoc_content":
                yield child


def _expanded(content: Node, text: Text, *, literal: bool) -> Text:
    """Return a file as it is written: the builder replaces variables unless the mark is quoted."""
    builder = TextBuilder(text)
    start, end = content.start_byte, content.end_byte
    if literal:
        builder.copy(start, end)
        return builder.build(end)
    position = start
    for found in _EXPANSION.finditer(text.data, start, end):
        builder.copy(position, found.start())
        position = found.end()
        if found[1]:
            builder.put(found[1], found.start(), found.end())
        else:
            source = found[0].decode("utf-8", "replace")
            builder.hole(found.start(), found.end(), Piece(PieceKind.OPAQUE, source))
    builder.copy(position, end)
    return builder.build(end, _encode, lambda raw: re.sub(rb"\\([$\\])", rb"\1", raw))


def _encode(data: bytes) -> bytes:
    return re.sub(rb"[$\\]", lambda found: b"\\" + found[0], data)
