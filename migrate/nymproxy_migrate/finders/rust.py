"""The old API in Rust programs: constructors, message buffers, pools, internals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate import sidecar
from nymproxy_migrate.finders.rust_names import (
    CLIENT,
    MIXNET_CLIENT,
    POOL,
    SERVER,
    UTILITIES,
    Known,
    Names,
    Scope,
    path_of,
    text,
)
from nymproxy_migrate.finders.rust_values import Values, bare, function_of
from nymproxy_migrate.formats import syntax
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Finding, Kind, SourceFile, Span
from nymproxy_migrate.rules import RULES
from nymproxy_migrate.sidecar import CLIENT_DEFAULTS, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.sidecar import Role, Sidecar

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
_CONSTRUCTORS = {CLIENT: ("NYM010", "new", "new_with_defaults"), SERVER: ("NYM011", "new")}
_ARITIES = {
    (CLIENT, "new"): {
        4: "the early form, without env file and pool",
        5: "the form without a pool",
        6: "the form with a pool",
    },
    (CLIENT, "new_with_defaults"): {2: "127.0.0.1:8080, 60 seconds, a pool of 2"},
    (SERVER, "new"): {
        2: "the early form, without env file and gateway",
        3: "the form without a gateway",
        4: "the form with a gateway",
    },
}
_INTERNALS = frozenset({"tx", "rx", "mixnet_client_sender", "session_map", "mixnet_client_mut"})
_UNMISTAKABLE = _INTERNALS - {"tx", "rx"}
_STREAM_CALLS = frozenset({"open_stream", "listener"})
_MESSAGE_CALLS = frozenset(
    {"send_plain_message", "send_message", "send_reply", "send", "wait_for_messages"}
    | {"on_messages", "next", "split_sender"}
)
_GENERIC_CALLS = frozenset({"send", "next", "split_sender", "listener"})
"""Of these the receiver must be known: many other types have them."""


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
class _Call:
    """A method call: name, what it is called on, and its bytes from the name on."""

    method: str
    receiver: Node | None
    span: Span
    key: tuple[int, str] | None
    type_name: str | None


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the uses of the old API in a Rust file."""
    whole = Text.whole(source.data)
    root = syntax.parse("rust", whole)
    names = Names(root, is_crate_root=source.name in _CRATE_ROOTS)
    values = Values(names)
    found = list(uses(names))
    for use in found:
        yield from _constructor(source, use, values)
    yield from _reexports(source, names)
    yield from _helpers(source, names, values, found)
    yield from _utilities(source, found)
    calls = list(_calls(names, values))
    has_proxy = any(use.known.name in _CONSTRUCTORS for use in found)
    yield from _internals(source, calls, has_proxy=has_proxy)
    yield from _modes(source, calls)
    if root.has_error:
        yield _unparsable(source, root)


def sidecars(source: SourceFile) -> Iterator[Sidecar]:
    """Yield the proxies that a Rust file makes."""
    root = syntax.parse("rust", Text.whole(source.data))
    for use in uses(Names(root, is_crate_root=source.name in _CRATE_ROOTS)):
        if use.arguments is None or use.known.name not in _CONSTRUCTORS:
            continue
        given = [_value(each) for each in use.arguments]
        if use.known.rest == ("new_with_defaults",):
            given[1:1] = CLIENT_DEFAULTS
        elif use.known.rest != ("new",):
            continue
        role: Role = "client" if use.known.name == CLIENT else "server"
        yield sidecar.make(role, source.path, given)


def _value(argument: str) -> Value:
    """Return what an argument is, when it is a literal in the usual wrappings."""
    if argument == "None":
        return sidecar.ABSENT
    for before, after in _WRAPPINGS:
        if argument.startswith(before) and argument.endswith(after):
            return _value(argument[len(before) : len(argument) - len(after)])
    literal = _LITERAL.fullmatch(argument)
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


def _constructor(source: SourceFile, use: Use, values: Values) -> Iterator[Finding]:
    name, rest = use.known.name, use.known.rest
    if name == POOL and rest == ("new",):
        size = f" of {use.arguments[0]}" if use.arguments else ""
        yield RULES["NYM013"].finding(
            source, use.span, f"a ClientPool{size} is made here: each client is another identity"
        )
    if name not in _CONSTRUCTORS or len(rest) != 1 or rest[0] not in _CONSTRUCTORS[name][1:]:
        return
    what = f"{name}::{rest[0]}"
    if use.arguments is None:
        message = f"{what} is passed on as a function here"
    else:
        count = len(use.arguments)
        form = _ARITIES[name, rest[0]].get(count)
        form = form or "no published version takes so many: see how its arguments come together"
        arguments = f"{count} argument{'' if count == 1 else 's'}"
        message = f"{what} is called with {arguments} ({form})"
    if use.function is not None and values.helper(use.function) == name:
        helper = use.function.child_by_field_name("name")
        message += f"; {text(helper) if helper is not None else 'its function'}() gives it out"
    yield RULES[_CONSTRUCTORS[name][0]].finding(source, use.span, message)


def _reexports(source: SourceFile, names: Names) -> Iterator[Finding]:
    for node, scope, path in names.imports:
        known = scope.known(path)
        if known is None or known.rest or known.name not in _CONSTRUCTORS:
            continue
        message = f"{known.name} is exported from here: other files may make one under this name"
        span = Span(node.start_byte, node.end_byte)
        yield RULES[_CONSTRUCTORS[known.name][0]].finding(source, span, message)


def _helpers(
    source: SourceFile, names: Names, values: Values, uses: Sequence[Use]
) -> Iterator[Finding]:
    """Yield functions that give out a proxy which they do not make themselves."""
    making = {
        use.function.start_byte
        for use in uses
        if use.function is not None
        and use.known.name in _CONSTRUCTORS
        and use.known.rest[-1:] in {("new",), ("new_with_defaults",)}
    }
    for node, _ in names.nodes:
        if node.type != "function_item" or node.start_byte in making:
            continue
        given, name = values.helper(node), node.child_by_field_name("name")
        if given in _CONSTRUCTORS and name is not None:
            message = f"{text(name)}() gives out a {given}"
            span = Span(name.start_byte, name.end_byte)
            yield RULES[_CONSTRUCTORS[given][0]].finding(source, span, message)


def _utilities(source: SourceFile, uses: Sequence[Use]) -> Iterator[Finding]:
    """Yield each of the types once, at its first use."""
    for name in sorted(UTILITIES):
        places = sorted(use.span for use in uses if use.known.name == name)
        if places:
            often = f" ({len(places)} places)" if len(places) > 1 else ""
            yield RULES["NYM012"].finding(
                source, places[0], f"{name} of the old protocol is used directly{often}"
            )


def _calls(names: Names, values: Values) -> Iterator[_Call]:
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
            yield _Call(text(field), value, span, values.key_of(value), values.type_of(value))


def _calls_in_tokens(tree: Node, values: Values) -> Iterator[_Call]:
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
        yield _Call(text(method), receiver, span, key, type_name)


def _internals(source: SourceFile, calls: Sequence[_Call], *, has_proxy: bool) -> Iterator[Finding]:
    for call in calls:
        if call.method not in _INTERNALS:
            continue
        guessed = has_proxy and call.type_name is None and call.method in _UNMISTAKABLE
        if call.type_name in {SERVER, CLIENT} or guessed:
            message = f"{call.method}() hands out an internal of the old server"
            yield RULES["NYM017"].finding(source, call.span, message)


def _modes(source: SourceFile, calls: Sequence[_Call]) -> Iterator[Finding]:
    """Yield message calls on clients that have opened or accepted streams by then."""
    started: dict[tuple[int, str], int] = {}
    for call in calls:
        if call.method in _STREAM_CALLS and _may_be_mixnet(call) and call.key is not None:
            at = -1 if call.key[0] == -1 else call.span.start
            started[call.key] = min(at, started.get(call.key, at))
    for call in calls:
        if call.method not in _MESSAGE_CALLS:
            continue
        of_proxy = _inside_proxy(call.receiver)
        after = call.key is not None and call.key in started and _may_be_mixnet(call)
        if of_proxy or (after and call.key and started[call.key] < call.span.start):
            why = "the proxy's own client" if of_proxy else "a client that is in stream mode"
            message = f"{call.method}() is a message-mode call on {why}"
            yield RULES["NYM016"].finding(source, call.span, message)


def _may_be_mixnet(call: _Call) -> bool:
    if call.type_name is None:
        return call.method not in _GENERIC_CALLS
    return call.type_name == MIXNET_CLIENT


def _inside_proxy(receiver: Node | None) -> bool:
    node = bare(receiver)
    if node is None or node.type != "call_expression":
        return False
    function = node.child_by_field_name("function")
    field = None if function is None else function.child_by_field_name("field")
    return field is not None and text(field) in {"mixnet_client_mut", "mixnet_client_sender"}


def _unparsable(source: SourceFile, root: Node) -> Finding:
    stack, first = [root], len(source.data)
    while stack:
        node = stack.pop()
        if node.type == "ERROR" or node.is_missing:
            first = min(first, node.start_byte)
        elif node.has_error:
            stack += node.children
    end = source.data.find(b"\n", first)
    span = Span(first, end if end >= 0 else len(source.data))
    return RULES["NYM090"].finding(source, span, "not valid Rust here", kind=Kind.RUST_API)
