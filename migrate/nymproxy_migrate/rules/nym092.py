"""Files without permission, too large, or gone meanwhile."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM092",
    kind=Kind.DOCS,
    title="a file that cannot be read",
    why="What cannot be read was not searched.",
    next="Make it readable for the user who scans, or scan without it.",
    example_before="chmod 000 start.sh",
)
