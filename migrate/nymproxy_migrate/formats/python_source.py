"""A Python file as a syntax tree with byte spans, and what its names stand for.

Names are resolved as far as a reader of the file can be sure: imports and their aliases, and names
that are bound exactly once in their scope and never changed in place.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

from nymproxy_migrate.formats.keyed import StringSyntax
from nymproxy_migrate.formats.lists import Item
from nymproxy_migrate.formats.text import Text, TextBuilder, ascii_only
from nymproxy_migrate.model import Span, Unparsable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nymproxy_migrate.formats.text import Recode

_BOM = b"\xef\xbb\xbf"
_PREFIX = re.compile(rb"([A-Za-z]*)('''|\"\"\"|'|\")")
_MUTATORS = frozenset(
    {"append", "extend", "insert", "remove", "pop", "clear", "reverse", "sort", "__setitem__"}
)

Scope = tuple[int, ...]
"""The functions and classes around a place; empty for the module."""


@dataclass(slots=True)
class Names:
    """What the names of a file stand for.

    Attributes:
        modules: what imported names mean, with dots.
        values: the expressions bound to a name in a scope.
        unsure: names of a scope that are bound in other ways, too.
        changed: names whose values are changed in place somewhere.
    """

    modules: dict[str, str] = field(default_factory=dict)
    values: dict[tuple[Scope, str], list[cst.BaseExpression]] = field(default_factory=dict)
    unsure: set[tuple[Scope, str]] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)

    def value(self, scope: Scope, name: str) -> cst.BaseExpression | None:
        """Return the expression that a name surely stands for, or None."""
        for depth in range(len(scope), -1, -1):
            key = scope[:depth], name
            if key in self.unsure:
                return None
            found = self.values.get(key)
            if found is not None:
                return found[0] if len(found) == 1 and name not in self.changed else None
        return None

    def dotted(self, scope: Scope, node: cst.BaseExpression) -> str:
        """Return what a function's expression means: ``subprocess.run``; empty when unknown."""
        if isinstance(node, cst.Attribute):
            base = self.dotted(scope, node.value)
            return f"{base}.{node.attr.value}" if base else ""
        if not isinstance(node, cst.Name):
            return ""
        value = self.value(scope, node.value)
        if isinstance(value, cst.Attribute | cst.Name) and not _mentions(value, node.value):
            return self.dotted(scope, value)
        return self.modules.get(node.value, "")


@dataclass(frozen=True, slots=True)
class Call:
    """A call and the scope that it stands in."""

    node: cst.Call
    scope: Scope


class PythonFile:
    """One Python file."""

    def __init__(self, text: Text) -> None:
        """Parse a file.

        Raises:
            Unparsable: it is not Python 3.
        """
        self.text = text
        self._offset = len(_BOM) if text.data.startswith(_BOM) else 0
        # Names and strings keep their places, whatever the encoding; values are taken from the
        # real bytes.
        code = ascii_only(text.data[self._offset :]).decode("ascii")
        try:
            wrapper = MetadataWrapper(cst.parse_module(code), unsafe_skip_copy=True)
        except cst.ParserSyntaxError as error:
            lines = text.data.split(b"\n")[: max(error.raw_line - 1, 0)]
            offset = sum(len(line) + 1 for line in lines)
            message = "this file is not valid Python 3 here"
            place = text.starts[min(offset, len(text.data))]
            raise Unparsable(message, place) from error
        self._places: Mapping[cst.CSTNode, object] = wrapper.resolve(ByteSpanPositionProvider)
        self.names = Names()
        self.calls: list[Call] = []
        self.lists: list[tuple[cst.List, Scope]] = []
        self.comparisons: list[tuple[cst.Comparison, Scope]] = []
        wrapper.module.visit(_Collector(self))

    def inner(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return the offsets of a node in the text."""
        place = self._places[node]
        start: int = self._offset + getattr(place, "start")  # noqa: B009 - libcst has no type for it
        return start, start + int(getattr(place, "length"))  # noqa: B009

    def span(self, node: cst.CSTNode) -> Span:
        """Return the place of a node in the file."""
        return self.text.span(*self.inner(node))

    def source(self, node: cst.CSTNode) -> str:
        """Return a node's source text."""
        start, end = self.inner(node)
        return self.text.data[start:end].decode("utf-8", "replace")

    def string(self, node: cst.BaseExpression) -> Item | None:
        """Return a literal string or bytes, or None when it is something else."""
        parts = list(_parts(node))
        if not parts:
            return None
        styles = set()
        builder = TextBuilder(self.text)
        for part in parts:
            start, end = self.inner(part)
            found = _PREFIX.match(self.text.data, start, end)
            if found is None:
                return None
            styles.add(found[0].lower())
            syntax = _syntax(found[0])
            quote = len(found[2])
            syntax.copy(builder, self.text.data, found.end(), end - quote)
        last = self.inner(parts[-1])[1]
        if len(styles) == 1:
            inner = builder.build(last, syntax.encode, syntax.decode)
        else:
            inner = builder.build(last, _refuse, _refuse)
        start, end = self.inner(node)
        return Item(inner, self.text.span(start, end), self.text.data[start:end])


def parse(text: Text) -> PythonFile:
    """Parse a text; several finders ask for the same file, one after the other.

    Raises:
        Unparsable: it is not Python 3.
    """
    return _parse_whole(text.data) if isinstance(text.starts, range) else PythonFile(text)


@functools.lru_cache(maxsize=1)
def _parse_whole(data: bytes) -> PythonFile:
    return PythonFile(Text.whole(data))


def write_string(value: bytes, like: bytes) -> bytes:
    """Write a string with the prefix and the quotes of another one.

    Raises:
        ValueError: such a string cannot hold the value.
    """
    found = _PREFIX.match(like)
    opening = found[0] if found is not None and b"f" not in found[1].lower() else b'"'
    quote = opening[len(opening.rstrip(b"'\"")) :]
    return opening + _syntax(opening).encode(value) + quote


def _syntax(opening: bytes) -> StringSyntax:
    prefix = opening.rstrip(b"'\"").lower()
    quote = opening[len(prefix) :]
    if b"r" in prefix:
        return StringSyntax(re.compile(rb"(?!)"), _same, _raw_encoder(quote))
    escapes = rb"\\(?:\r\n|x[0-9A-Fa-f]{2}|[0-7]{1,3}|.)"
    if b"b" in prefix:
        return StringSyntax(re.compile(escapes, re.DOTALL), _byte, _encoder(quote))
    escapes = rb"\\(?:\r\n|N\{[^}]*\}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|x[\da-fA-F]{2}|[0-7]{1,3}|.)"
    return StringSyntax(re.compile(escapes, re.DOTALL), _character, _encoder(quote))


_SIMPLE = {
    b"\n": b"", b"\r\n": b"", b"\r": b"", b"\\": b"\\", b"'": b"'", b'"': b'"', b"a": b"\a",
    b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
}  # fmt: skip


def _same(found: re.Match[bytes]) -> bytes:
    return found[0]


def _byte(found: re.Match[bytes]) -> bytes:
    body = found[0][1:]
    if body[:1] == b"x" and len(body) == 3:
        return bytes([int(body[1:], 16)])
    if body[:1].isdigit():
        return bytes([int(body, 8) & 0xFF]) if body[:1] in b"01234567" else found[0]
    return _SIMPLE.get(body, found[0])


def _character(found: re.Match[bytes]) -> bytes:
    body = found[0][1:]
    try:
        if body[:1] in (b"x", b"u", b"U") and len(body) > 1:
            return chr(int(body[1:], 16)).encode("utf-8", "surrogatepass")
        if body[:1] == b"N" and len(body) > 1:
            return unicodedata.lookup(body[2:-1].decode("ascii")).encode()
        if body[:1] in (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7"):
            return chr(int(body, 8)).encode()
    except (ValueError, KeyError):
        return found[0]
    return _SIMPLE.get(body, found[0])


def _encoder(quote: bytes) -> Recode:
    mark = quote[:1]

    def encode(data: bytes) -> bytes:
        data = data.replace(b"\\", b"\\\\").replace(mark, b"\\" + mark).replace(b"\r", b"\\r")
        return data if len(quote) == 3 else data.replace(b"\n", b"\\n")

    return encode


def _raw_encoder(quote: bytes) -> Recode:
    forbidden = (quote[:1], b"\\") if len(quote) == 3 else (quote[:1], b"\\", b"\n", b"\r")

    def encode(data: bytes) -> bytes:
        if any(byte in data for byte in forbidden):
            raise ValueError("a raw string cannot hold it")
        return data

    return encode


def _refuse(data: bytes) -> bytes:
    raise ValueError("the string is put together from parts that are written differently")


def _parts(node: cst.BaseExpression) -> Iterator[cst.SimpleString]:
    if isinstance(node, cst.SimpleString):
        yield node
    elif isinstance(node, cst.ConcatenatedString):
        left, right = list(_parts(node.left)), list(_parts(node.right))
        if left and right:
            yield from left
            yield from right


def _mentions(node: cst.BaseExpression, name: str) -> bool:
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name) and node.value == name


class _Collector(cst.CSTVisitor):
    """Walks a file once and writes down its calls, lists, imports and bindings."""

    def __init__(self, file: PythonFile) -> None:
        super().__init__()
        self._file = file
        self._names = file.names
        self._scope: list[int] = []
        self._next = 0

    def _enter(self) -> None:
        self._next += 1
        self._scope.append(self._next)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._unsure(node.name)
        self._enter()

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self._scope.pop()

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._enter()

    def leave_ClassDef(self, original_node: cst.ClassDef) -> None:
        self._scope.pop()

    def visit_Param(self, node: cst.Param) -> None:
        self._unsure(node.name)

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            name = alias.evaluated_name
            if alias.evaluated_alias is not None:
                self._names.modules[alias.evaluated_alias] = name
            else:
                first = name.partition(".")[0]
                self._names.modules[first] = first

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        if node.module is None or node.relative or isinstance(node.names, cst.ImportStar):
            return
        module = cst.Module([]).code_for_node(node.module)
        for alias in node.names:
            name = alias.evaluated_alias or alias.evaluated_name
            self._names.modules[name] = f"{module}.{alias.evaluated_name}"

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Name):
                self._bind(target.target, node.value)
            else:
                self._unsure(target.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if isinstance(node.target, cst.Name) and node.value is not None:
            self._bind(node.target, node.value)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._unsure(node.target)
        if isinstance(node.target, cst.Name):
            self._names.changed.add(node.target.value)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._unsure(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._unsure(node.target)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._unsure(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        # Imports have names of their own; what is left is `with` and `except`.
        if isinstance(node.name, cst.Name) and node.name.value not in self._names.modules:
            self._unsure(node.name)

    def visit_Del(self, node: cst.Del) -> None:
        self._unsure(node.target)

    def visit_Global(self, node: cst.Global) -> None:
        self._names.changed.update(item.name.value for item in node.names)

    def visit_Call(self, node: cst.Call) -> None:
        self._file.calls.append(Call(node, tuple(self._scope)))
        if (
            isinstance(node.func, cst.Attribute)
            and isinstance(node.func.value, cst.Name)
            and node.func.attr.value in _MUTATORS
        ):
            self._names.changed.add(node.func.value.value)

    def visit_Comparison(self, node: cst.Comparison) -> None:
        self._file.comparisons.append((node, tuple(self._scope)))

    def visit_List(self, node: cst.List) -> None:
        self._file.lists.append((node, tuple(self._scope)))

    def _bind(self, target: cst.Name, value: cst.BaseExpression) -> None:
        key = tuple(self._scope), target.value
        self._names.values.setdefault(key, []).append(value)

    def _unsure(self, target: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            self._names.unsure.add((tuple(self._scope), target.value))
        elif isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name):
            self._names.changed.add(target.value.value)
        elif isinstance(target, cst.Tuple | cst.List):
            for element in target.elements:
                self._unsure(element.value)
