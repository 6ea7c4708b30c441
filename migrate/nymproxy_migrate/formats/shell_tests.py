"""What shell scripts compare text with, apart from commands: ``[[ ]]``, ``case``, ``${x#...}``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.formats import syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.formats.text import Text
    from nymproxy_migrate.model import Span

_OPERATORS = frozenset({"#", "##", "%", "%%", "/", "//", "/#", "/%"})


def find(text: Text) -> Iterator[tuple[Span, str]]:
    """Yield each pattern with its place."""
    stack = [syntax.parse("bash", text)]
    while stack:
        node = stack.pop()
        if node.type == "test_command":
            yield from _place(node, text)
        elif node.type == "case_item":
            for value in node.children_by_field_name("value"):
                yield from _place(value, text)
        elif node.type == "expansion" and any(child.type in _OPERATORS for child in node.children):
            yield from _place(node, text)
        stack += reversed(node.children)


def _place(node: Node, text: Text) -> Iterator[tuple[Span, str]]:
    data = text.source(node)
    plain = data.replace('"', "").replace("'", "")
    yield text.span(node.start_byte, node.end_byte), plain
