"""Files or places that no parser can read."""

from __future__ import annotations

from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules._rule import Rule

RULE = Rule(
    code="NYM090",
    kind=Kind.COMMAND_CLIENT,
    title="a place that does not parse",
    why=(
        "The file mentions the old programs, but this place is not valid for its format, so it "
        "was not judged."
    ),
    next="Look at it, correct it, and scan again.",
    example_before="command: [nym-proxy-client, -s",
)
