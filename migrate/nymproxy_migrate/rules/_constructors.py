"""Where a Rust file makes a proxy, gives one out or exports its type: NYM010 and NYM011."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from nymproxy_migrate.finders.rust import RustFile, Use

_FORMS = {
    ("NymProxyClient", "new"): {
        4: "the early form, without env file and pool",
        5: "the form without a pool",
        6: "the form with a pool",
    },
    ("NymProxyClient", "new_with_defaults"): {2: "127.0.0.1:8080, 60 seconds, a pool of 2"},
    ("NymProxyServer", "new"): {
        2: "the early form, without env file and gateway",
        3: "the form without a gateway",
        4: "the form with a gateway",
    },
}
"""What each number of arguments means in the published versions."""


def find(file: RustFile, name: str) -> Iterator[tuple[Span, str]]:
    """Yield each place that has to do with making a proxy of this type, and what it is."""
    making: set[int] = set()
    for use in file.uses:
        if use.known.name == name and len(use.known.rest) == 1:
            forms = _FORMS.get((name, use.known.rest[0]))
            if forms is not None:
                making |= {use.function.start_byte} if use.function is not None else set()
                yield use.span, _described(file, use, forms)
    yield from _exports(file, name)
    # Functions that give out a proxy which they do not make themselves.
    for node in file.functions:
        given, called = file.values.helper(node), node.child_by_field_name("name")
        if given == name and called is not None and node.start_byte not in making:
            message = f"{_text(called)}() gives out a {given}"
            yield Span(called.start_byte, called.end_byte), message


def _described(file: RustFile, use: Use, forms: dict[int, str]) -> str:
    what = f"{use.known.name}::{use.known.rest[0]}"
    if use.arguments is None:
        message = f"{what} is passed on as a function here"
    else:
        count = len(use.arguments)
        form = forms.get(count)
        form = form or "no published version takes so many: see how its arguments come together"
        arguments = f"{count} argument{'' if count == 1 else 's'}"
        message = f"{what} is called with {arguments} ({form})"
    if use.function is not None and file.values.helper(use.function) == use.known.name:
        helper = use.function.child_by_field_name("name")
        message += f"; {_text(helper) if helper is not None else 'its function'}() gives it out"
    return message


def _exports(file: RustFile, name: str) -> Iterator[tuple[Span, str]]:
    for node, scope, path in file.names.imports:
        known = scope.known(path)
        if known is not None and not known.rest and known.name == name:
            message = f"{name} is exported from here: other files may make one under this name"
            yield Span(node.start_byte, node.end_byte), message


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
