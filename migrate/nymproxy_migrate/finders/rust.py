"""The old API in Rust programs: what a file says, for the rules to judge."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy_migrate import sidecar
from nymproxy_migrate.finders.rust_names import CLIENT, SERVER, Known, Names, Scope, path_of, text
from nymproxy_migrate.finders.rust_values import Values, bare, function_of
from nymproxy_migrate.formats import syntax
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Finding, Kind, SourceFile, Span
from nymproxy_migrate.rules import nym010, nym011, nym012, nym013, nym016, nym017, nym018, nym090
from nymproxy_migrate.sidecar import CLIENT_DEFAULTS, Value
from nymproxy_migrate.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.sidecar import Role, Sidecar

_RULES = (nym010, nym011, nym012, nym013, nym016, nym017, nym018)
_PROXIES = frozenset({CLIENT, SERVER})
_PATHS = frozenset({"scoped_identifier", "scoped_type_identifier", "identifier", "type_identifier"})
_WITHIN_PATHS = frozenset(
    {"token_tree", "use_declaration", "scoped_identifier", "scoped_type_identifier"}
    | {"bracketed_type", "type_item", "extern_crate_declaration"}
)
_PATH_TOKENS = frozenset({"identifier", "::", "crate", "self", "super"})
_CRATE_ROOTS = frozenset({"main.rs", "lib.rs"})
_WRAPPINGS = (
    ("Some(", ")"),
    ("String::from(", ")"),
    ("&", ""),
    ("", ".to_string()"),
    ("", ".to_owned()"),
    ("", ".into()"),
)
_LITERAL = re.compile(r'"([^"\\]*)"|(\d+)(?:_?[ui](?:8|16|32|64|size))?')


@dataclass(frozen=True, slots=True)
class Use:
    """A path that means something of nym-sdk, where it is not imported.

    Attributes:
        known: what it means.
        span: its bytes, with the arguments where it is called.
        function: the function around it.
        arguments: the source of each; None where it is not called.
        end_of_arguments: where the last argument ends.
    """

    known: Known
    span: Span
    function: Node | None
    arguments: tuple[str, ...] | None = None
    end_of_arguments: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A method call.

    Attributes:
        method: its name.
        span: its bytes, from the name on.
        key: what tells the variable or field that it is called on from others, if it is one.
        type_name: the type of nym-sdk that it is called on, as far as the file says it.
        of_proxy: it is called on the client inside of a proxy.
    """

    method: str
    span: Span
    key: tuple[int, str] | None
    type_name: str | None
    of_proxy: bool


@dataclass(slots=True)
class RustFile:
    """What a Rust file says about nym-sdk."""

    source: SourceFile
    survey: Survey = field(default_factory=Survey)
    root: Node = field(init=False)
    names: Names = field(init=False)
    values: Values = field(init=False)
    uses: list[Use] = field(init=False)
    calls: list[Call] = field(init=False)

    def __post_init__(self) -> None:
        self.root = syntax.parse("rust", Text.whole(self.source.data))
        self.names = Names(
            self.root,
            is_crate_root=self.source.name in _CRATE_ROOTS
            or self.source.path in self.survey.crate_roots,
            called=self.survey.sdk_names,
        )
        self.values = Values(self.names)
        self.uses = list(uses(self.names))
        self.calls = list(_calls(self.names, self.values))

    @property
    def functions(self) -> Iterator[Node]:
        """The functions that it declares."""
        return (node for node, _ in self.names.nodes if node.type == "function_item")


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the uses of the old API in a Rust file."""
    file = RustFile(source, options.survey)
    for rule in _RULES:
        yield from rule.find(file)
    if file.root.has_error:
        offset = syntax.first_error(file.root)
        yield nym090.at(source, offset, "not valid Rust here", Kind.RUST_API)


def sidecars(source: SourceFile) -> Iterator[Sidecar]:
    """Yield the proxies that a Rust file makes."""
    file = RustFile(source)
    constants = dict(_constants(file.names))
    for use in file.uses:
        if use.arguments is None or use.known.name not in _PROXIES:
            continue
        given = [_value(each, constants) for each in use.arguments]
        if use.known.rest == ("new_with_defaults",):
            given[1:1] = CLIENT_DEFAULTS
        elif use.known.rest != ("new",):
            continue
        role: Role = "client" if use.known.name == CLIENT else "server"
        yield sidecar.make(role, source.path, given)


def _constants(names: Names) -> Iterator[tuple[str, str]]:
    """Yield the constants of a file, each with the source of its value."""
    for node, _ in names.nodes:
        if node.type in {"const_item", "static_item"}:
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                yield text(name), text(value)


def _value(argument: str, constants: Mapping[str, str]) -> Value:
    """Return what an argument is: a literal, or a constant that is one, in the usual wrappings."""
    if argument == "None":
        return sidecar.ABSENT
    for before, after in _WRAPPINGS:
        if argument.startswith(before) and argument.endswith(after):
            return _value(argument[len(before) : len(argument) - len(after)], constants)
    literal = _LITERAL.fullmatch(constants.get(argument, argument))
    return sidecar.UNKNOWN if literal is None else Value(literal[1] or literal[2])


def uses(names: Names) -> Iterator[Use]:
    """Yield the paths of nym-sdk in a file, imports aside."""
    for node, scope in names.nodes:
        if node.type == "token_tree":
            yield from _uses_in_tokens(node, scope)
        elif _is_path(node):
            known = scope.known(path_of(node))
            if known is None:
                continue
            call = node.parent
            while call is not None and call.type in {"generic_function", "bracketed_type"}:
                call = call.parent
            function = call.child_by_field_name("function") if call is not None else None
            listed = call.child_by_field_name("arguments") if call is not None else None
            around = _function_around(node)
            if call is None or function is None or node.end_byte > function.end_byte:
                yield Use(known, Span(node.start_byte, node.end_byte), around)
            else:
                span = Span(call.start_byte, call.end_byte)
                yield Use(known, span, around, *_arguments(listed))


def _is_path(node: Node) -> bool:
    # In `<NymProxyClient>::new` the path around the brackets is the one that counts.
    around = node.parent
    return node.type in _PATHS and around is not None and around.type not in _WITHIN_PATHS


def _uses_in_tokens(tree: Node, scope: Scope) -> Iterator[Use]:
    """Yield the paths among the arguments of a macro, which are tokens only."""
    children = tree.children
    position = 0
    while position < len(children):
        start = position
        while position < len(children) and children[position].type in _PATH_TOKENS:
            is_name = children[position].type != "::"
            position += 1
            if is_name and (position == len(children) or children[position].type != "::"):
                break
        tokens = children[start:position]
        if not tokens:
            position += 1
            continue
        if start and children[start - 1].type == ".":
            continue
        known = scope.known(tuple(text(each) for each in tokens if each.type != "::"))
        if known is None:
            continue
        start, around = tokens[0].start_byte, _function_around(tree)
        if position < len(children) and _is_call(children[position]):
            span = Span(start, children[position].end_byte)
            yield Use(known, span, around, *_arguments(children[position]))
        else:
            yield Use(known, Span(start, tokens[-1].end_byte), around)


def _is_call(node: Node) -> bool:
    return node.type == "token_tree" and (node.text or b"").startswith(b"(")


def _arguments(listed: Node | None) -> tuple[tuple[str, ...] | None, int | None]:
    """Return the source of each argument, and where the last one ends."""
    if listed is None:
        return None, None
    arguments: list[list[Node]] = [[]]
    for child in listed.children[1:-1]:
        if child.type == ",":
            arguments.append([])
        elif child.type not in {"line_comment", "block_comment", "attribute_item"}:
            arguments[-1].append(child)
    given = [each for each in arguments if each]
    end = given[-1][-1].end_byte if given else None
    return tuple("".join(text(node) for node in each) for each in given), end


def _function_around(node: Node) -> Node | None:
    around = node.parent
    while around is not None and around.type != "function_item":
        around = around.parent
    return around


def _calls(names: Names, values: Values) -> Iterator[Call]:
    for node, _ in names.nodes:
        if node.type == "token_tree":
            yield from _calls_in_tokens(node, values)
        if node.type != "call_expression":
            continue
        function = node.child_by_field_name("function")
        if function is not None and function.type == "generic_function":
            function = function.child_by_field_name("function")
        if function is None or function.type != "field_expression":
            continue
        field, value = (function.child_by_field_name(each) for each in ("field", "value"))
        if field is not None:
            span = Span(field.start_byte, node.end_byte)
            key, type_name = values.key_of(value), values.type_of(value)
            yield Call(text(field), span, key, type_name, _inside_proxy(value))


def _calls_in_tokens(tree: Node, values: Values) -> Iterator[Call]:
    children = tree.children
    for position in range(3, len(children)):
        receiver, dot, method, arguments = children[position - 3 : position + 1]
        if [receiver.type, dot.type, method.type] != ["identifier", ".", "identifier"]:
            continue
        if not _is_call(arguments):
            continue
        span = Span(method.start_byte, arguments.end_byte)
        key: tuple[int, str] | None = (function_of(receiver), text(receiver))
        if position >= 5 and children[position - 4].type == ".":
            is_own = children[position - 5].type == "self"
            key = (-1, f"self.{text(receiver)}") if is_own else None
            type_name = values.field(text(receiver))
        else:
            type_name = values.type_of(receiver)
        yield Call(text(method), span, key, type_name, _inside_proxy(receiver))


def _inside_proxy(receiver: Node | None) -> bool:
    node = bare(receiver)
    if node is None or node.type != "call_expression":
        return False
    function = node.child_by_field_name("function")
    field = None if function is None else function.child_by_field_name("field")
    return field is not None and text(field) in {"mixnet_client_mut", "mixnet_client_sender"}
