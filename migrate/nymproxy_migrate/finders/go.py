"""The old proxies in Go programs, over the bindings of nymtech/nym (sdk/ffi/go)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate import sidecar
from nymproxy_migrate.finders.go_values import Values, arguments, text
from nymproxy_migrate.formats import syntax
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Finding, Kind, SourceFile, Span
from nymproxy_migrate.rules import nym020, nym021, nym090
from nymproxy_migrate.sidecar import CLIENT_DEFAULTS, Sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.options import ScanOptions

PACKAGE = "go-nym/bindings"

_FUNCTIONS = frozenset(
    {"NewProxyClient", "NewProxyClientDefault", "NewProxyServer"}
    | {"RunProxyClient", "RunProxyServer", "ProxyServerAddress"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """A use of one of the functions.

    Attributes:
        name: the function.
        span: the call, or the name where it is not called.
        arguments: of the call; None where it is passed on as a function.
    """

    name: str
    span: Span
    arguments: tuple[Node, ...] | None


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the uses of the old proxies in a Go file, and what to run in their place."""
    root = syntax.parse("go", Text.whole(source.data))
    nodes = _all_nodes(root)
    values = Values(nodes)
    for call in _calls(nodes):
        yield from nym020.find(call, source)
        proposed = _sidecar(call, source, values)
        if proposed is not None:
            yield from nym021.find(call, source, proposed)
    if root.has_error:
        yield nym090.at(source, syntax.first_error(root), "not valid Go here", Kind.GO_FFI)


def sidecars(source: SourceFile) -> Iterator[Sidecar]:
    """Yield the proxies that a Go file makes."""
    nodes = _all_nodes(syntax.parse("go", Text.whole(source.data)))
    values = Values(nodes)
    for call in _calls(nodes):
        proposed = _sidecar(call, source, values)
        if proposed is not None:
            yield proposed


def _all_nodes(root: Node) -> list[Node]:
    nodes, stack = [], [root]
    while stack:
        node = stack.pop()
        nodes.append(node)
        stack += reversed(node.children)
    return nodes


def _calls(nodes: list[Node]) -> Iterator[Call]:
    packages, is_dotted = _imports(nodes)
    for node in nodes:
        name = _function_of_bindings(node, packages, is_dotted=is_dotted)
        call = node.parent
        if name is None or text(name) not in _FUNCTIONS or call is None:
            continue
        function = call.child_by_field_name("function") if call.type == "call_expression" else None
        if function is not None and function.id == node.id:
            span = Span(call.start_byte, call.end_byte)
            yield Call(text(name), span, tuple(arguments(call)))
        elif call.type != "function_declaration":
            yield Call(text(name), Span(node.start_byte, node.end_byte), None)


def _function_of_bindings(node: Node, packages: set[str], *, is_dotted: bool) -> Node | None:
    """Return the name of a function of the bindings, where a node is its use."""
    if node.type == "selector_expression":
        operand = node.child_by_field_name("operand")
        if operand is None or operand.type != "identifier" or text(operand) not in packages:
            return None
        return None if _is_local(operand) else node.child_by_field_name("field")
    if node.type != "identifier" or not is_dotted or _is_local(node):
        return None
    return node if node.parent is not None and node.parent.type != "selector_expression" else None


def _imports(nodes: list[Node]) -> tuple[set[str], bool]:
    """Return the names under which the bindings are imported, and whether with a dot."""
    packages, is_dotted = set(), False
    for node in nodes:
        path = node.child_by_field_name("path") if node.type == "import_spec" else None
        if path is None or not text(path).strip('"`').endswith(PACKAGE):
            continue
        alias = node.child_by_field_name("name")
        if alias is None:
            packages.add("bindings")
        elif alias.type == "dot":
            is_dotted = True
        elif alias.type != "blank_identifier":
            packages.add(text(alias))
    return packages, is_dotted


def _is_local(name: Node) -> bool:
    """Tell whether a function around a name declares it: a variable or a parameter."""
    wanted, around = text(name), name.parent
    while around is not None:
        if around.type in {"function_declaration", "method_declaration", "func_literal"}:
            for node in _all_nodes(around):
                if node.type in {"short_var_declaration", "var_spec", "parameter_declaration"}:
                    left = node.child_by_field_name("left")
                    names = node.children_by_field_name("name")
                    names += left.named_children if left is not None else []
                    if any(text(each) == wanted for each in names):
                        return True
        around = around.parent
    return False


def _sidecar(call: Call, source: SourceFile, values: Values) -> Sidecar | None:
    if call.arguments is None or not call.name.startswith("New"):
        return None
    given = [values.value(each) for each in call.arguments]
    if call.name == "NewProxyClientDefault":
        given[1:1] = CLIENT_DEFAULTS
    role: sidecar.Role = "server" if call.name == "NewProxyServer" else "client"
    return sidecar.make(role, source.path, given)
