"""Names in a Rust file: what `use` brings in, and what a path at some place means.

Only names of nym-sdk matter: a path that leads anywhere else resolves to None. Scopes are those of
one file: blocks, inline modules and the file itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

Path = tuple[str, ...]

CLIENT = "NymProxyClient"
SERVER = "NymProxyServer"
POOL = "ClientPool"
MIXNET_CLIENT = "MixnetClient"
UTILITIES = frozenset({"ProxiedMessage", "Payload", "MessageBuffer", "DecayWrapper"})

_EXPORTS: dict[Path, frozenset[str]] = {
    ("nym_sdk",): frozenset({"tcp_proxy", "client_pool", "mixnet"}),
    ("nym_sdk", "tcp_proxy"): frozenset({CLIENT, SERVER, "utils", *UTILITIES}),
    ("nym_sdk", "tcp_proxy", "utils"): UTILITIES,
    ("nym_sdk", "client_pool"): frozenset({POOL}),
    ("nym_sdk", "mixnet"): frozenset({MIXNET_CLIENT, "MixnetClientSender", "MixnetClientBuilder"}),
}
_LOCAL_ITEMS = frozenset(
    {"struct_item", "enum_item", "union_item", "trait_item", "mod_item", "function_item"}
)
_SCOPES = frozenset({"block", "declaration_list"})
_SCOPED = frozenset({"scoped_identifier", "scoped_type_identifier"})
_HEADS = frozenset({"identifier", "type_identifier", "crate", "self", "super"})
_MAX_STEPS = 16
"""Names that lead in a circle end here."""


@dataclass(frozen=True, slots=True)
class Known:
    """A name of nym-sdk.

    Attributes:
        name: the type, ``NymProxyClient`` say.
        rest: what follows it: ``("new",)``.
    """

    name: str
    rest: Path


@dataclass(slots=True)
class Scope:
    """A place in which names are declared.

    Attributes:
        parent: the scope around it; None for the file.
        is_module: outer names end here.
        is_crate_root: ``crate::`` means this scope.
        names: what each name stands for; None for something of this file.
        globs: paths imported with ``*``.
    """

    parent: Scope | None = None
    is_module: bool = True
    is_crate_root: bool = False
    names: dict[str, Path | None] = field(default_factory=dict)
    globs: list[Path] = field(default_factory=list)

    def module(self) -> Scope:
        """Return the module that the scope is part of."""
        scope = self
        while not scope.is_module and scope.parent is not None:
            scope = scope.parent
        return scope

    def known(self, path: Path) -> Known | None:
        """Return what a path means, when it leads to a type of nym-sdk that matters here."""
        whole = self.resolve(path)
        if whole is None:
            return None
        if whole[:3] == ("nym_sdk", "tcp_proxy", "utils"):
            whole = (*whole[:2], *whole[3:])
        if len(whole) < 3 or whole[2] not in _EXPORTS.get(whole[:2], ()):
            return None
        return Known(whole[2], whole[3:])

    def resolve(self, path: Path, steps: int = 0) -> Path | None:
        """Return the absolute path of a path of nym-sdk; None for everything else."""
        if not path or steps > _MAX_STEPS:
            return None
        head, rest = path[0], path[1:]
        if head == "":
            return rest if rest[:1] == ("nym_sdk",) else None
        if head in {"self", "super", "crate"}:
            start = self._start(head)
            return None if start is None else start.resolve(rest, steps + 1)
        scope: Scope | None = self
        while scope is not None:
            if head in scope.names:
                return scope._follow(head, rest, steps)
            found = scope._through_globs(path, steps)
            if found is not None:
                return found
            scope = None if scope.is_module else scope.parent
        return path if head == "nym_sdk" else None

    def _follow(self, head: str, rest: Path, steps: int) -> Path | None:
        target = self.names[head]
        if target is None:
            return None
        if target[:1] == (head,):
            # `use nym_sdk;` or `use tcp_proxy;`: the name stands for itself, further out.
            outer = None if self.is_module else self.parent
            if outer is not None:
                return outer.resolve((*target, *rest), steps + 1)
            return (*target, *rest) if head == "nym_sdk" else None
        return self.resolve((*target, *rest), steps + 1)

    def _through_globs(self, path: Path, steps: int) -> Path | None:
        for glob in self.globs:
            if glob and glob[-1] in {"super", "self", "crate"}:
                found = self.resolve((*glob, *path), steps + 1)
                if found is not None:
                    return found
                continue
            if glob[:1] == path[:1]:
                continue
            whole = self.resolve(glob, steps + 1)
            if whole is not None and path[0] in _EXPORTS.get(whole, ()):
                return (*whole, *path)
        return None

    def _start(self, head: str) -> Scope | None:
        module = self.module()
        if head == "self":
            return module
        if head == "super":
            return None if module.parent is None else module.parent.module()
        while module.parent is not None:
            module = module.parent.module()
        return module if module.is_crate_root else None


class Names:
    """The scopes of a file, and the nodes with the scope that each is in."""

    def __init__(
        self, root: Node, *, is_crate_root: bool, called: frozenset[str] = frozenset()
    ) -> None:
        """Read the declarations of a file.

        Args:
            root: the tree that the grammar gives.
            is_crate_root: the file is ``main.rs`` or ``lib.rs``, or a manifest says so.
            called: names that a manifest gives to nym-sdk.
        """
        self.nodes: list[tuple[Node, Scope]] = []
        self.imports: list[tuple[Node, Scope, Path]] = []
        """``pub use`` only: node of the declaration, scope, path of each name."""
        self._scopes: dict[int, Scope] = {}
        outermost = Scope(is_crate_root=is_crate_root)
        outermost.names.update(dict.fromkeys(called, ("nym_sdk",)))
        stack = [(root, outermost)]
        while stack:
            node, scope = stack.pop()
            self.nodes.append((node, scope))
            self._scopes[node.id] = scope
            self._declare(node, scope)
            if node.type == "use_declaration":
                continue
            inner = scope
            if node.type in _SCOPES:
                is_module = node.parent is not None and node.parent.type == "mod_item"
                inner = Scope(scope, is_module=is_module)
            stack += [(child, inner) for child in reversed(node.children)]

    def scope_of(self, node: Node) -> Scope:
        """Return the scope that a node of this tree is in."""
        return self._scopes[node.id]

    def known(self, node: Node) -> Known | None:
        """Return what a path node means."""
        return self.scope_of(node).known(path_of(node))

    def _declare(self, node: Node, scope: Scope) -> None:
        if node.type == "use_declaration":
            self._declare_used(node, scope)
        elif node.type == "extern_crate_declaration":
            crate, alias = (node.child_by_field_name(each) for each in ("name", "alias"))
            if crate is not None and alias is not None:
                scope.names[text(alias)] = ("", text(crate))
        elif node.type == "type_item":
            name_node, target = (node.child_by_field_name(each) for each in ("name", "type"))
            if name_node is not None and target is not None:
                scope.names[text(name_node)] = path_of(target) or None
        elif node.type in _LOCAL_ITEMS:
            name_node = node.child_by_field_name("name")
            if name_node is not None:
                scope.names.setdefault(text(name_node), None)

    def _declare_used(self, node: Node, scope: Scope) -> None:
        argument = node.child_by_field_name("argument")
        is_public = any(child.type == "visibility_modifier" for child in node.children)
        for name, path in _used(argument, ()) if argument is not None else ():
            if name == "*":
                scope.globs.append(path)
            elif name != "_":
                scope.names[name] = path
            if is_public:
                self.imports.append((node, scope, path))


def text(node: Node) -> str:
    """Return the source of a node."""
    return (node.text or b"").decode("utf-8", "replace").removeprefix("r#")


def path_of(node: Node | None) -> Path:
    """Return the path that a node spells, without type arguments; empty if it is none."""
    if node is None:
        return ()
    if node.type in _HEADS:
        return (text(node),)
    if node.type in _SCOPED:
        before, name = node.child_by_field_name("path"), node.child_by_field_name("name")
        if name is None:
            return ()
        if before is None:
            return ("", text(name))
        head = path_of(before)
        return (*head, text(name)) if head else ()
    if node.type in {"generic_type", "generic_type_with_turbofish"}:
        return path_of(node.child_by_field_name("type"))
    if node.type == "generic_function":
        return path_of(node.child_by_field_name("function"))
    if node.type == "bracketed_type" and node.named_children:
        return path_of(node.named_children[0])
    return ()


def _used(node: Node, prefix: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names that a `use` declares and their paths; ``*`` for all of a module."""
    if node.type == "use_as_clause":
        path, alias = node.child_by_field_name("path"), node.child_by_field_name("alias")
        if path is not None and alias is not None:
            yield text(alias), _without_self((*prefix, *path_of(path)))
    elif node.type == "use_wildcard":
        inner = node.named_children[0] if node.named_children else None
        yield "*", (*prefix, *path_of(inner))
    elif node.type in {"scoped_use_list", "use_list"}:
        path = node.child_by_field_name("path")
        items = node.child_by_field_name("list") if node.type == "scoped_use_list" else node
        head = (*prefix, *path_of(path))
        for child in items.named_children if items is not None else ():
            yield from _used(child, head)
    else:
        path_here = _without_self((*prefix, *path_of(node)))
        if path_here:
            yield path_here[-1], path_here


def _without_self(path: Path) -> Path:
    return path[:-1] if len(path) > 1 and path[-1] == "self" else path
