"""Literal values in Go: strings, numbers, constants, and what is read from the environment."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nymproxy_migrate.sidecar import ABSENT, UNKNOWN, Value

if TYPE_CHECKING:
    from tree_sitter import Node

_NUMBERS = frozenset({"int", "uint", "uint8", "uint16", "uint32", "uint64", "int64", "string"})
_MAX_STEPS = 8


class Values:
    """The names of a file that are declared once, never assigned, and so have one value."""

    def __init__(self, nodes: list[Node]) -> None:
        """Read the declarations among all nodes of a file."""
        self._values: dict[str, Node | None] = {}
        for node in nodes:
            if node.type in {"const_spec", "var_spec", "short_var_declaration"}:
                self._declare(node)
            elif node.type in {"assignment_statement", "inc_statement", "dec_statement"}:
                for child in node.named_children[:1]:
                    for name in [child, *child.named_children]:
                        self._values[text(name)] = None
            elif node.type == "parameter_declaration":
                for child in node.children_by_field_name("name"):
                    self._values[text(child)] = None

    def _declare(self, node: Node) -> None:
        if node.type == "short_var_declaration":
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            names = left.named_children if left is not None else []
        else:
            names, right = node.children_by_field_name("name"), node.child_by_field_name("value")
        # The commas between names bear the same label.
        names = [name for name in names if name.is_named]
        values = right.named_children if right is not None else []
        for position, name in enumerate(names):
            known = len(names) == len(values) and text(name) not in self._values
            self._values[text(name)] = values[position] if known else None

    def value(self, node: Node | None, steps: int = 0) -> Value:
        """Return what an argument is."""
        if node is None or steps > _MAX_STEPS:
            return UNKNOWN
        if node.type == "nil":
            return ABSENT
        if node.type == "int_literal":
            return _number(text(node))
        if node.type in {"interpreted_string_literal", "raw_string_literal"}:
            return _string(text(node))
        if node.type == "unary_expression" and text(node).startswith("&"):
            return self.value(node.child_by_field_name("operand"), steps + 1)
        if node.type == "parenthesized_expression" and node.named_children:
            return self.value(node.named_children[0], steps + 1)
        if node.type == "identifier":
            return self.value(self._values.get(text(node)), steps + 1)
        if node.type == "call_expression":
            return self._call(node, steps)
        return UNKNOWN

    def _call(self, node: Node, steps: int) -> Value:
        function, listed = node.child_by_field_name("function"), arguments(node)
        name = "" if function is None else text(function)
        if len(listed) != 1:
            return UNKNOWN
        if name in _NUMBERS:
            return self.value(listed[0], steps + 1)
        if name in {"os.Getenv", "os.LookupEnv"}:
            variable = self.value(listed[0], steps + 1).literal
            return UNKNOWN if variable is None else Value(variable=variable)
        return UNKNOWN


def arguments(call: Node) -> list[Node]:
    """Return the arguments of a call, without comments."""
    listed = call.child_by_field_name("arguments")
    children = listed.named_children if listed is not None else []
    return [child for child in children if child.type != "comment"]


def text(node: Node) -> str:
    """Return the source of a node."""
    return (node.text or b"").decode("utf-8", "replace")


def _number(source: str) -> Value:
    try:
        return Value(str(int(source.replace("_", ""), 0)))
    except ValueError:
        return UNKNOWN


def _string(source: str) -> Value:
    if source.startswith("`"):
        return Value(source[1:-1])
    try:
        # Escapes of both languages mean the same, where both have them.
        value = ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return UNKNOWN
    return Value(value) if isinstance(value, str) else UNKNOWN
