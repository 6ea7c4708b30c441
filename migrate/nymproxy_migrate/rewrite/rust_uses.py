"""`use` lines of Rust that bring in the old proxies, and what they become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.finders.rust_names import CLIENT, SERVER, path_of, text
from nymproxy_migrate.model import Edit, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from nymproxy_migrate.finders.rust_names import Path, Scope

MODULE = "nymproxy_compat"
OLD_MODULE = ("nym_sdk", "tcp_proxy")
_PROXIES = frozenset({CLIENT, SERVER})


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One name that a declaration brings in.

    Attributes:
        start: where its node starts.
        moved: how it is written behind ``crate::nymproxy_compat::``; None if it stays.
    """

    start: int
    moved: str | None


def edits_of(declaration: Node, scope: Scope) -> Iterator[Edit]:
    """Yield what turns the old proxies of one `use` into those of the module."""
    argument = declaration.child_by_field_name("argument")
    if argument is None:
        return
    leaves = list(_leaves(argument, (), scope))
    moved = [leaf.moved for leaf in leaves if leaf.moved is not None]
    if not moved:
        return
    if len(moved) == len(leaves):
        yield Edit(Span(argument.start_byte, argument.end_byte), _path(moved).encode())
        return
    by_start = {leaf.start: leaf.moved is not None for leaf in leaves}
    yield from _removals(argument, by_start)
    added = f"\n{_indent(declaration)}{_attributes(declaration)}use {_path(moved)};"
    yield Edit(Span(declaration.end_byte, declaration.end_byte), added.encode())


def _leaves(node: Node, prefix: Path, scope: Scope) -> Iterator[_Leaf]:
    if node.type in {"scoped_use_list", "use_list"}:
        listed = node.child_by_field_name("list") if node.type == "scoped_use_list" else node
        head = (*prefix, *path_of(node.child_by_field_name("path")))
        for child in _elements(listed):
            yield from _leaves(child, head, scope)
    elif node.type == "use_wildcard":
        inner = node.named_children[0] if node.named_children else None
        is_old = scope.resolve((*prefix, *path_of(inner))) == OLD_MODULE
        yield _Leaf(node.start_byte, "*" if is_old else None)
    else:
        alias = node.child_by_field_name("alias") if node.type == "use_as_clause" else None
        target = node.child_by_field_name("path") if node.type == "use_as_clause" else node
        path = (*prefix, *path_of(target))
        path = path[:-1] if path[-1:] == ("self",) else path
        yield _Leaf(node.start_byte, _moved(path, alias, scope))


def _moved(path: Path, alias: Node | None, scope: Scope) -> str | None:
    name = text(alias) if alias is not None else None
    if path[-1:] and path[-1] in _PROXIES and scope.resolve(path[:-1]) == OLD_MODULE:
        return path[-1] if name is None else f"{path[-1]} as {name}"
    if path[-1:] == ("tcp_proxy",) and scope.resolve(path[:-1]) == ("nym_sdk",):
        return f"self as {name or 'tcp_proxy'}"
    return None


def _path(moved: Sequence[str]) -> str:
    if len(moved) > 1:
        return f"crate::{MODULE}::{{{', '.join(moved)}}}"
    (only,) = moved
    alias = only.removeprefix("self")
    return f"crate::{MODULE}{alias}" if alias != only else f"crate::{MODULE}::{only}"


def _removals(node: Node, moved: dict[int, bool]) -> Iterator[Edit]:
    """Yield what takes the moved names out of the lists; each list keeps one at least."""
    listed = node.child_by_field_name("list") if node.type == "scoped_use_list" else node
    if listed is None or listed.type != "use_list":
        return
    elements = list(_elements(listed))
    gone = [all(_starts_in(each, moved)) for each in elements]
    position = 0
    while position < len(elements):
        if not gone[position]:
            yield from _removals(elements[position], moved)
            position += 1
            continue
        first = position
        while position < len(elements) and gone[position]:
            position += 1
        if position < len(elements):
            span = Span(elements[first].start_byte, elements[position].start_byte)
        else:
            span = Span(elements[first - 1].end_byte, elements[-1].end_byte)
        yield Edit(span, b"")


def _starts_in(node: Node, moved: dict[int, bool]) -> list[bool]:
    return [is_moved for at, is_moved in moved.items() if node.start_byte <= at < node.end_byte]


def _elements(listed: Node | None) -> list[Node]:
    children = listed.named_children if listed is not None else []
    return [child for child in children if child.type not in {"line_comment", "block_comment"}]


def _indent(declaration: Node) -> str:
    return " " * declaration.start_point.column


def _attributes(declaration: Node) -> str:
    """Return attributes and visibility of a declaration, for the one that is added behind it."""
    parts: list[str] = []
    before = declaration.prev_sibling
    while before is not None and before.type == "attribute_item":
        parts.insert(0, text(before) + " ")
        before = before.prev_sibling
    parts += [
        text(child) + " " for child in declaration.children if child.type == "visibility_modifier"
    ]
    return "".join(parts)
