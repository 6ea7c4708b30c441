"""Files or places that no parser can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import names
from nymproxy_migrate.model import Evidence, Kind, Span
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding, SourceFile

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


def given_up(path: str, reason: str) -> Finding:
    """Return a finding about a file that could not be judged at all."""
    return RULE.finding(path, Span(0, 0), f"not judged: {reason}")


def at(source: SourceFile, offset: int, message: str, kind: Kind | None = None) -> Finding:
    """Return a finding about the line that does not parse."""
    offset = min(offset, len(source.data))
    end = source.data.find(b"\n", offset)
    line = Span(offset, end if end >= 0 else len(source.data))
    role = names.mentioned_role(line.of(source.data).decode("utf-8", "replace"))
    ours = kind is not None or names.is_ours(source.data.decode("utf-8", "replace"))
    kind = kind or (Kind.COMMAND_SERVER if role == "server" else None)
    needs = None if ours else Evidence.OLD_PROXIES
    return RULE.finding(source, line, message, kind=kind, needs=needs)
