"""Files that a rewrite has to leave as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding, Span

RULE = Rule(
    code="NYM094",
    kind=Kind.DOCS,
    title="a file that is to be rewritten cannot be written",
    why=(
        "A file that is read-only, has several names or belongs to somebody else is left as it "
        "is; what it starts stays the old program, while the other files are rewritten."
    ),
    next=(
        "Make it one that can be written, or run the tool as its owner, and run it again; with "
        "--strict nothing at all is written instead."
    ),
    example_before="chmod 444 start.sh",
)


def find(path: str, place: Span, reason: str) -> Finding:
    """Return a file that is not rewritten, and why."""
    return RULE.finding(path, place, f"it is not rewritten: {reason.removeprefix(f'{path}: ')}")
