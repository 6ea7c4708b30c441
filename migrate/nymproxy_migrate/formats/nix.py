"""Commands in Nix: services of NixOS modules, scripts in indented strings."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import keyed, shell, syntax
from nymproxy_migrate.formats.lists import Item
from nymproxy_migrate.model import BinarySource, CommandContext, Home, HomeSource
from nymproxy_migrate.words import Command, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_SCRIPT_WRITERS = re.compile(rb"write(?:Shell|Bash|Dash)?(?:Script|ShellApplication)\w*$")


def _unescape_indented(found: re.Match[bytes]) -> bytes:
    if found[0] == b"'''":
        return b"''"
    if found[0].startswith(b"''\\"):
        return keyed.DOUBLE_QUOTED.decode(found[0][2:])
    return found[0].removeprefix(b"''")


_INDENTED = keyed.StringSyntax(
    re.compile(rb"'''|''\$|''\\."),
    _unescape_indented,
    lambda data: data.replace(b"''", b"'''").replace(b"${", b"''${"),
)
_QUOTED = keyed.StringSyntax(
    keyed.DOUBLE_QUOTED.escape,
    keyed.DOUBLE_QUOTED.unescape,
    lambda data: keyed.DOUBLE_QUOTED.encode(data).replace(b"${", b"\\${"),
)
_NOTATION = keyed.Notation("Nix value", lambda value, like: b'"' + _QUOTED.encode(value) + b'"')


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a Nix file."""
    for found in _commands(text):
        if isinstance(found, Command) and found.words[0].pieces[0].kind is PieceKind.OPAQUE:
            # "${package}/bin/name": the build decides what is there.
            context = replace(found.context, binary=BinarySource.BUILD)
            found = replace(found, context=context)
        yield found


def _commands(text: Text) -> Iterator[Found]:
    root = syntax.parse("nix", text)
    yield from syntax.errors(root, text, "Nix")
    stack = [root]
    while stack:
        node = stack.pop()
        if node.type in {"attrset_expression", "rec_attrset_expression", "let_expression"}:
            yield from keyed.find(_attributes(node, text), _NOTATION)
        elif node.type == "apply_expression" and _writes_script(node, text):
            argument = node.child_by_field_name("argument")
            if argument is not None and argument.type == "indented_string_expression":
                context = CommandContext("Nix script", Home(HomeSource.SHELL))
                yield from shell.find(_string(argument, text).text, context)
        stack += reversed(node.children)


def _writes_script(node: Node, text: Text) -> bool:
    function = node.child_by_field_name("function")
    while function is not None and function.type == "apply_expression":
        function = function.child_by_field_name("function")
    if function is None:
        return False
    name = text.data[function.start_byte : function.end_byte]
    return _SCRIPT_WRITERS.search(name) is not None


def _attributes(node: Node, text: Text) -> keyed.Maps:
    """Return the strings and lists of one set; deeper sets are visited on their own."""
    entries: list[tuple[str, keyed.Value]] = []
    for bindings in node.named_children:
        if bindings.type != "binding_set":
            continue
        for binding in bindings.named_children:
            path = binding.child_by_field_name("attrpath")
            value = binding.child_by_field_name("expression")
            inner = _value(value, text) if value is not None else None
            if path is not None and inner is not None:
                key = text.source(path)
                entries.append((key, inner))
    return keyed.Maps(tuple(entries))


def _value(node: Node, text: Text) -> keyed.Value | None:
    if node.has_error:
        return None
    if node.type in {"string_expression", "indented_string_expression"}:
        return keyed.Strings(_string(node, text))
    if node.type == "list_expression":
        nodes = list(node.named_children)
        return keyed.list_of([_value(child, text) for child in nodes], nodes, text, b" ")
    return None


def _string(node: Node, text: Text) -> Item:
    indented = node.type == "indented_string_expression"
    quote = 2 if indented else 1
    holes = tuple(
        syntax.hole_of(child, text)
        for child in node.named_children
        if child.type == "interpolation"
    )
    notation = _INDENTED if indented else _QUOTED
    inner = notation.text(text, node.start_byte + quote, node.end_byte - quote, holes)
    span = text.span(node.start_byte, node.end_byte)
    return Item(inner, span, text.data[node.start_byte : node.end_byte])
