"""Commands that start the old client become ``nymproxy client``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.judged import Role
from nymproxy_migrate.model import Action, Edit, Kind, Safety, Span
from nymproxy_migrate.rules._rule import Rule
from nymproxy_migrate.words import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.rules._started import Started
    from nymproxy_migrate.words import Command, Word

RULE = Rule(
    code="NYM001",
    kind=Kind.COMMAND_CLIENT,
    title="an old proxy client is started here",
    why=(
        "The standalone client has no successor binary; `nymproxy client` takes the same flags, "
        "speaks to old servers, uses streams with those that accept them, and does not lose the "
        "end of uploads."
    ),
    next=(
        "Apply it with `nymproxy-migrate rewrite --write`; install nymproxy where the command runs."
    ),
    example_before="nym-proxy-client --server-address ADDRESS --listen-port 8080",
    example_after="nymproxy client --server-address ADDRESS --listen-port 8080",
    safety=Safety.SAFE,
    action=Action.REWRITE,
    needs_human=False,
)


def find(started: Started) -> Iterator[Finding]:
    """Yield what becomes of an old client."""
    if started.invocation.role is Role.CLIENT and not started.in_python:
        yield from started.becomes(RULE)


def finish(wire: Word | None, command: Command, source: SourceFile, rule: Rule = RULE) -> Finding:
    """Return the last step of a client that has been rewritten already: its wire."""
    quoting = command.quoting
    if wire is not None:
        edit = Edit(wire.span, quoting.word(literal("stream"), wire.span.of(source.data)))
    else:
        words = b"", quoting.word(literal("--wire"), b""), quoting.word(literal("stream"), b"")
        behind = command.words[1].span.end
        edit = Edit(Span(behind, behind), quoting.separator().join(words))
    message = "this client begins in the legacy protocol with a server that speaks stream as well"
    return rule.finding(source, command.span, message, edits=(edit,))
