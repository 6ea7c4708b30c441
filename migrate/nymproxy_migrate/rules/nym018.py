"""Copies of the old module in a program's own sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind, Span
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.finders.rust import RustFile
    from nymproxy_migrate.model import Finding

RULE = Rule(
    code="NYM018",
    kind=Kind.RUST_API,
    title="a copy of the old proxy is in the program's own sources",
    why=(
        "The file declares the type itself: it is a copy of the module, with changes that only its "
        "owner knows. It has the defects of the old one, and no update of nym-sdk changes it."
    ),
    next=(
        "Compare it with tcp_proxy of the nym-sdk that it was taken from. Without changes of its "
        "own, `nymproxy client` or `nymproxy server` beside the program can take its place."
    ),
    example_before="pub struct NymProxyServer {",
)

_OURS = "nymproxy_compat"


def find(file: RustFile) -> Iterator[Finding]:
    """Yield where a proxy is declared, other than in the module that this tool suggests."""
    if _OURS in file.source.name:
        return
    for node, _ in file.names.nodes:
        name = node.child_by_field_name("name") if node.type == "struct_item" else None
        declared = b"" if name is None or name.text is None else name.text
        has_body = node.child_by_field_name("body") is not None
        if name is not None and has_body and declared in {b"NymProxyClient", b"NymProxyServer"}:
            message = f"{declared.decode()} is declared here: a private copy of the old module"
            yield RULE.finding(file.source, Span(name.start_byte, name.end_byte), message)
