"""Commands in HCL: user data and provisioners of Terraform, tasks of Nomad."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import keyed, syntax
from nymproxy_migrate.formats.lists import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Hole, Text


def _template(data: bytes) -> bytes:
    return data.replace(b"${", b"$${").replace(b"%{", b"%%{")


def _unescape(found: re.Match[bytes]) -> bytes:
    if found[0] in (b"$${", b"%%{"):
        return found[0][1:]
    return keyed.DOUBLE_QUOTED.decode(found[0])


_HEREDOC = keyed.StringSyntax(re.compile(rb"\$\$\{|%%\{"), _unescape, _template)
_QUOTED = keyed.StringSyntax(
    re.compile(rb"\$\$\{|%%\{|" + keyed.DOUBLE_QUOTED.escape.pattern, re.DOTALL),
    _unescape,
    lambda data: _template(keyed.DOUBLE_QUOTED.encode(data)),
)
_NOTATION = keyed.Notation("HCL value", lambda value, like: b'"' + _QUOTED.encode(value) + b'"')
_WRAPPERS = frozenset({"expression", "literal_value", "template_expr", "collection_value"})


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a Terraform or Nomad file."""
    root = syntax.parse("hcl", text)
    yield from syntax.errors(root, text, "HCL")
    yield from keyed.find(_body(root, text), _NOTATION)


def _body(node: Node, text: Text) -> keyed.Maps:
    """Return the attributes and blocks of a body; blocks are values under their first word."""
    entries: list[tuple[str, keyed.Value]] = []
    for child in node.named_children:
        if child.type == "body":
            entries += _body(child, text).entries
        elif child.type in {"attribute", "block"} and child.named_children:
            name = child.named_children[0]
            key = text.source(name)
            value = (
                _body(child, text)
                if child.type == "block"
                else _value(child.named_children[-1], text)
            )
            if value is not None:
                entries.append((key, value))
    return keyed.Maps(tuple(entries))


def _value(node: Node, text: Text) -> keyed.Value | None:
    while node.type in _WRAPPERS and node.named_child_count == 1:
        node = node.named_children[0]
    if node.has_error:
        return None
    if node.type in {"string_lit", "quoted_template"}:
        return keyed.Strings(_string(node, text, 1, _QUOTED))
    if node.type == "heredoc_template":
        return keyed.Strings(_heredoc(node, text))
    if node.type == "function_call":
        # base64encode(<<EOF ...), join(" ", [...]): only a heredoc inside is a text.
        for argument in node.named_children[-1].named_children:
            value = _value(argument, text)
            if isinstance(value, keyed.Strings):
                return value
        return None
    if node.type == "tuple":
        nodes = [child for child in node.named_children if child.type == "expression"]
        values = [_value(child, text) for child in nodes]
        return keyed.list_of(values, nodes, text, b", ")
    if node.type == "object":
        return _object(node, text)
    return None


def _object(node: Node, text: Text) -> keyed.Maps:
    entries = []
    for element in node.named_children:
        key, value = element.child_by_field_name("key"), element.child_by_field_name("val")
        inner = _value(value, text) if value is not None else None
        if key is not None and inner is not None:
            name = text.data[key.start_byte : key.end_byte].strip(b'"')
            entries.append((name.decode("utf-8", "replace"), inner))
    return keyed.Maps(tuple(entries))


def _string(node: Node, text: Text, quote: int, notation: keyed.StringSyntax) -> Item:
    start, end = node.start_byte + quote, node.end_byte - quote
    return Item(
        notation.text(text, start, end, _holes(node, text)),
        text.span(node.start_byte, node.end_byte),
        text.data[node.start_byte : node.end_byte],
    )


def _heredoc(node: Node, text: Text) -> Item:
    start = text.data.find(b"\n", node.start_byte) + 1
    end = text.data.rfind(b"\n", start, node.end_byte) + 1
    return Item(
        _HEREDOC.text(text, start, max(start, end), _holes(node, text)),
        text.span(node.start_byte, node.end_byte),
        b"",
    )


def _holes(node: Node, text: Text) -> tuple[Hole, ...]:
    return tuple(
        syntax.hole_of(child, text)
        for child in node.named_children
        if child.type in {"template_interpolation", "template_directive"}
    )
