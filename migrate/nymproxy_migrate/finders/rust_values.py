"""Values in a Rust file: which variables and fields hold a proxy, a pool or a mixnet client.

No type checker: what is read are annotations, constructors, helpers of the same file and the usual
wrappers around them. What stays unknown is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.finders.rust_names import (
    CLIENT,
    MIXNET_CLIENT,
    POOL,
    SERVER,
    Names,
    path_of,
    text,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_CONSTRUCTORS = {
    CLIENT: frozenset({"new", "new_with_defaults"}),
    SERVER: frozenset({"new"}),
    POOL: frozenset({"new"}),
    MIXNET_CLIENT: frozenset({"connect_new"}),
}
_MADE_BY_METHOD = {
    "connect_to_mixnet": MIXNET_CLIENT,
    "get_mixnet_client": MIXNET_CLIENT,
    "mixnet_client_mut": MIXNET_CLIENT,
}
_TRANSPARENT = frozenset(
    {"unwrap", "expect", "clone", "lock", "write", "read", "borrow", "borrow_mut", "as_ref"}
    | {"as_mut", "context", "with_context", "map_err", "ok", "unwrap_or_else", "ok_or"}
    | {"ok_or_else", "into", "to_owned", "blocking_lock", "get_mut", "take"}
)
_WRAPPERS = frozenset({"new", "Some", "Ok", "pin"})
_WRAPPING_TYPES = frozenset({"Arc", "Rc", "Box", "Mutex", "RwLock", "RefCell", "Cell", "OnceCell"})
_AROUND = frozenset(
    {"try_expression", "await_expression", "parenthesized_expression", "reference_expression"}
    | {"unary_expression"}
)


class Values:
    """The variables, fields and helpers of one file."""

    def __init__(self, names: Names) -> None:
        """Read all declarations."""
        self._names = names
        self._variables: dict[tuple[int, str], list[tuple[int, str | None]]] = {}
        self._fields: dict[str, str] = {}
        self._helpers: dict[str, str] = {}
        for node, _ in names.nodes:
            self._declare_types(node)
        for node, _ in names.nodes:
            self._declare_values(node)

    def helper(self, function: Node) -> str | None:
        """Return the type of nym-sdk that a function gives out."""
        return self._in_type(function.child_by_field_name("return_type"))

    def type_of(self, node: Node | None) -> str | None:
        """Return the type of nym-sdk that an expression gives, as far as the file says it."""
        node = bare(node)
        if node is None:
            return None
        if node.type == "identifier":
            return self._variable(node)
        if node.type == "field_expression":
            field = node.child_by_field_name("field")
            return None if field is None else self._fields.get(text(field))
        return self._type_of_call(node) if node.type == "call_expression" else None

    def _type_of_call(self, node: Node) -> str | None:
        function = node.child_by_field_name("function")
        if function is None:
            return None
        if function.type == "field_expression":
            field = function.child_by_field_name("field")
            return None if field is None else _MADE_BY_METHOD.get(text(field))
        path = path_of(function)
        known = self._names.scope_of(function).known(path)
        if known is not None:
            made = known.rest[:1] and known.rest[0] in _CONSTRUCTORS.get(known.name, ())
            return known.name if made else None
        arguments = node.child_by_field_name("arguments")
        if arguments is not None and len(arguments.named_children) == 1 and _wraps(path):
            return self.type_of(arguments.named_children[0])
        return self._helpers.get(path[-1]) if path else None

    def field(self, name: str) -> str | None:
        """Return the type of a field of this name, in any struct of the file."""
        return self._fields.get(name)

    def key_of(self, node: Node | None) -> tuple[int, str] | None:
        """Return what tells a variable or field from others: its function and its name."""
        node = bare(node)
        if node is None:
            return None
        if node.type == "identifier":
            return function_of(node), text(node)
        if node.type == "field_expression" and text(node).startswith("self."):
            return -1, text(node)
        return None

    def _declare_types(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        if name is None:
            return
        if node.type == "function_item":
            made = self.helper(node)
            if made is not None:
                self._helpers[text(name)] = made
        elif node.type == "field_declaration":
            held = self._in_type(node.child_by_field_name("type"))
            if held is not None:
                self._fields[text(name)] = held

    def _declare_values(self, node: Node) -> None:
        if node.type not in {"let_declaration", "parameter", "let_condition"}:
            return
        pattern = _variable_in(node.child_by_field_name("pattern"))
        if pattern is None:
            return
        declared = self._in_type(node.child_by_field_name("type"))
        held = declared or self.type_of(node.child_by_field_name("value"))
        # A variable holds its value from the end of its `let` on: `let x = f(x)`.
        start = node.end_byte if node.type == "let_declaration" else node.start_byte
        key = function_of(pattern), text(pattern)
        self._variables.setdefault(key, []).append((start, held))

    def _variable(self, node: Node) -> str | None:
        held = None
        for start, type_name in self._variables.get((function_of(node), text(node)), ()):
            if start > node.start_byte:
                break
            held = type_name
        return held

    def _in_type(self, node: Node | None) -> str | None:
        if node is None:
            return None
        stack = [node]
        while stack:
            each = stack.pop()
            if each.type in {"type_identifier", "scoped_type_identifier"}:
                known = self._names.known(each)
                if known is not None and known.name in _CONSTRUCTORS:
                    return known.name
                continue
            stack += reversed(each.named_children)
        return None


def bare(node: Node | None) -> Node | None:
    """Return an expression without `?`, `.await`, references and calls that only unwrap."""
    while node is not None:
        if node.type in _AROUND:
            node = next((each for each in reversed(node.named_children)), None)
            continue
        if node.type == "call_expression":
            function = node.child_by_field_name("function")
            if function is not None and function.type == "field_expression":
                field = function.child_by_field_name("field")
                if field is not None and text(field) in _TRANSPARENT:
                    node = function.child_by_field_name("value")
                    continue
        return node
    return None


def function_of(node: Node) -> int:
    """Return where the function around a node starts; closures belong to it."""
    around = node.parent
    while around is not None and around.type != "function_item":
        around = around.parent
    return -1 if around is None else around.start_byte


def _wraps(path: tuple[str, ...]) -> bool:
    if len(path) == 1:
        return path[0] in _WRAPPERS
    return path[-1] in _WRAPPERS and path[-2] in _WRAPPING_TYPES


def _variable_in(pattern: Node | None) -> Node | None:
    """Return the only variable of a pattern: ``x``, ``mut x``, ``Some(x)``."""
    if pattern is None:
        return None
    if pattern.type == "identifier":
        return pattern
    if pattern.type in {"mut_pattern", "ref_pattern", "reference_pattern", "tuple_struct_pattern"}:
        inner = [each for each in pattern.named_children if each.type != "mutable_specifier"]
        return _variable_in(inner[-1]) if inner else None
    return None
