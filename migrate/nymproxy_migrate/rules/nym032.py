"""Python sockets that go to the port of an old client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Evidence, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile, Span

RULE = Rule(
    code="NYM032",
    kind=Kind.PYTHON_CALL,
    title="a Python socket goes to the port of an old client",
    why="It keeps working: `nymproxy client` listens on the same port.",
    next=(
        "Nothing has to be done. Without a proxy process in between, `MixnetClient.open_stream` "
        "of nymproxy gives a stream in the same program."
    ),
    example_before='socket.create_connection(("127.0.0.1", 8080))',
    action=Action.INFO,
    needs_human=False,
)


def find(source: SourceFile, span: Span, function: str) -> Iterator[Finding]:
    """Yield a socket that goes to where an old client listens by default."""
    message = f"{function} goes to the port where an old client listens by default"
    yield RULE.finding(source, span, message, needs=Evidence.PROXY)
