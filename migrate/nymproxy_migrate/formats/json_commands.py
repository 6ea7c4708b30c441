"""Commands in JSON: scripts of package.json, devcontainers, task and job definitions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import keyed, syntax
from nymproxy_migrate.formats.lists import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_TOKEN = re.compile(
    rb"""(?s)"(?:[^"\\\n]|\\.)*+"|//[^\n]*+|/\*.*?\*/"""
    rb"""|(,)(?=(?:\s++|//[^\n]*+|/\*.*?\*/)*+[}\]])"""
)
_NOTATION = keyed.Notation("JSON value", keyed.write_double_quoted)


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a JSON file; comments and trailing commas are no errors."""
    text = _without_trailing_commas(text)
    root = syntax.parse("json", text)
    yield from syntax.errors(root, text, "JSON")
    for child in root.named_children:
        value = _value(child, text)
        if value is not None:
            yield from keyed.find(value, _NOTATION)


def _without_trailing_commas(text: Text) -> Text:
    """Return a text with blanks in the place of commas that no value follows."""
    blanked = bytearray(text.data)
    for found in _TOKEN.finditer(text.data):
        if found[1] is not None:
            blanked[found.start()] = ord(b" ")
    return replace(text, data=bytes(blanked))


def _value(node: Node, text: Text) -> keyed.Value | None:
    if node.has_error:
        return None
    if node.type == "string":
        return keyed.Strings(_item(node, text))
    if node.type == "array":
        nodes = [child for child in node.named_children if child.type != "comment"]
        return keyed.list_of([_value(child, text) for child in nodes], nodes, text, b", ")
    if node.type == "object":
        entries = []
        for pair in node.named_children:
            key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
            inner = _value(value, text) if value is not None else None
            if key is not None and inner is not None:
                name = text.data[key.start_byte + 1 : key.end_byte - 1]
                entries.append((name.decode("utf-8", "replace"), inner))
        return keyed.Maps(tuple(entries))
    return None


def _item(node: Node, text: Text) -> Item:
    inner = keyed.DOUBLE_QUOTED.text(text, node.start_byte + 1, node.end_byte - 1)
    span = text.span(node.start_byte, node.end_byte)
    return Item(inner, span, text.data[node.start_byte : node.end_byte])
