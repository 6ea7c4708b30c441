"""What the formats with a tree-sitter grammar share: parsing, and errors near a candidate."""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.text import Hole, Text, ascii_only
from nymproxy_migrate.model import Span, Unparsable
from nymproxy_migrate.names import mentions_program
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Parser


@functools.cache
def parser(grammar: str) -> Parser:
    """Return the parser of a grammar, made once."""
    import tree_sitter

    module = importlib.import_module(f"tree_sitter_{grammar}")
    return tree_sitter.Parser(tree_sitter.Language(module.language()))


def parse(grammar: str, text: Text) -> Node:
    """Return the root of the syntax tree; every byte keeps its place."""
    data = ascii_only(text.data)
    if text.data.startswith(b"\xef\xbb\xbf"):
        data = b"   " + data[3:]
    return parser(grammar).parse(data.replace(b"\r\n", b" \n")).root_node


def errors(root: Node, text: Text, what: str) -> Iterator[Unparsable]:
    """Yield the places that do not parse and mention an old program."""
    if not root.has_error:
        return
    stack, told = [root], set()
    while stack:
        node = stack.pop()
        if (node.type == "ERROR" or node.is_missing) and node.start_point[0] not in told:
            start = text.data.rfind(b"\n", 0, node.start_byte) + 1
            end = text.data.find(b"\n", node.end_byte)
            near = text.data[start : end if end >= 0 else None].decode("utf-8", "replace")
            if mentions_program(near):
                told.add(node.start_point[0])
                yield Unparsable(f"not valid {what} here", text.starts[node.start_byte])
        stack += reversed(node.children)


def hole_of(node: Node, text: Text) -> Hole:
    """Return a node as a hole: the format replaces it by something."""
    return Hole(Span(node.start_byte, node.end_byte), Piece(PieceKind.OPAQUE, text.source(node)))


def first_error(root: Node) -> int:
    """Return where the first place is that does not parse."""
    stack, first = [root], root.end_byte
    while stack:
        node = stack.pop()
        if node.type == "ERROR" or node.is_missing:
            first = min(first, node.start_byte)
        elif node.has_error:
            stack += node.children
    return first
