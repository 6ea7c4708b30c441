"""Files without permission, too large, or gone meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Kind, Span
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding

RULE = Rule(
    code="NYM092",
    kind=Kind.DOCS,
    title="a file that cannot be read",
    why="What cannot be read was not searched.",
    next="Make it readable for the user who scans, or scan without it.",
    example_before="chmod 000 start.sh",
)


def find(path: str, reason: str, *, too_large: bool) -> Finding:
    """Return a file that was not searched; one that is too large is data, not a deployment."""
    message = f"not searched: {reason}"
    action = Action.INFO if too_large else None
    return RULE.finding(path, Span(0, 0), message, action=action, needs_human=not too_large)
