"""Comments ``nymproxy: ignore[...]`` without an effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding, SourceFile, Span

RULE = Rule(
    code="NYM091",
    kind=Kind.DOCS,
    title="a suppression that suppresses nothing",
    why="A comment that hides no finding hides the next one by accident.",
    next="Remove the comment.",
    example_before="echo hello  # nymproxy: ignore[NYM001]",
    action=Action.INFO,
    needs_human=False,
)


def find(source: SourceFile, place: Span, codes: frozenset[str]) -> Finding:
    """Return a comment that hides nothing."""
    what = ", ".join(sorted(codes)) or "anything"
    return RULE.finding(source, place, f"nothing here is {what}")
