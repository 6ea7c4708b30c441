"""What Python programs look for in text: ``in``, ``startswith``, patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from nymproxy_migrate.formats.python_source import parse
from nymproxy_migrate.formats.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.python_source import PythonFile, Scope
    from nymproxy_migrate.model import SourceFile, Span

_METHODS = frozenset(
    {"search", "match", "fullmatch", "findall", "finditer", "compile", "split", "rsplit",
     "partition", "rpartition", "find", "rfind", "index", "rindex", "startswith", "endswith",
     "count", "removeprefix", "replace", "sub", "expect", "expect_exact", "readuntil"}
)  # fmt: skip
_COMPARISONS = (cst.In, cst.NotIn, cst.Equal, cst.NotEqual)


def find(source: SourceFile) -> Iterator[tuple[Span, str]]:
    """Yield each text that is looked for, with its place.

    Raises:
        Unparsable: the file is not Python 3.
    """
    file = parse(Text.whole(source.data))
    for call in file.calls:
        function = call.node.func
        name = function.attr if isinstance(function, cst.Attribute) else function
        if isinstance(name, cst.Name) and name.value in _METHODS:
            for argument in call.node.args:
                yield from _text(file, argument.value, call.scope)
    for comparison, scope in file.comparisons:
        if any(isinstance(target.operator, _COMPARISONS) for target in comparison.comparisons):
            yield from _text(file, comparison.left, scope)
            for target in comparison.comparisons:
                yield from _text(file, target.comparator, scope)


def _text(file: PythonFile, node: cst.BaseExpression, scope: Scope) -> Iterator[tuple[Span, str]]:
    value = node
    if isinstance(node, cst.Name):
        value = file.names.value(scope, node.value) or node
    if isinstance(value, cst.Tuple | cst.List):
        for element in value.elements:
            yield from _text(file, element.value, scope)
        return
    item = file.string(value)
    if item is not None:
        yield file.span(node), item.text.data.decode("utf-8", "replace")
    elif isinstance(value, cst.FormattedString):
        yield file.span(node), file.source(value)
