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

_OF_TEMPLATES = (
    "A template need not be valid before it is filled in: scan what it becomes "
    "(`helm template CHART | nymproxy-migrate scan - --stdin-name x.yaml`, say), and change the "
    "template by hand."
)
_OF_JSON = (
    "Comments and commas at the end of lists are read, other liberties of JSON5 are not: write "
    "the new command by hand here, or correct the file and scan again."
)


def given_up(path: str, reason: str) -> Finding:
    """Return a finding about a file that could not be judged at all."""
    return RULE.finding(path, Span(0, 0), f"not judged: {reason}")


def at(source: SourceFile, offset: int, message: str, kind: Kind | None = None) -> Finding:
    """Return a finding about the line that does not parse."""
    offset = min(offset, len(source.data.rstrip()))  # the end is where parsers miss something
    end = source.data.find(b"\n", offset)
    line = Span(offset, end if end >= 0 else len(source.data))
    role = names.mentioned_role(line.of(source.data).decode("utf-8", "replace"))
    ours = kind is not None or names.is_ours(source.data.decode("utf-8", "replace"))
    kind = kind or (Kind.COMMAND_SERVER if role == "server" else None)
    needs = None if ours else Evidence.OLD_PROXIES
    message += _where_named(source, line)
    return RULE.finding(source, line, message, kind=kind, needs=needs, next=_advice_for(source))


def _where_named(source: SourceFile, line: Span) -> str:
    """Say in which line an old program is named, when that is not the one that does not parse."""
    named = names.first_mention(source.data)
    if named is None or source.position(named)[0] == source.position(line.start)[0]:
        return ""
    return f"; line {source.position(named)[0]} names an old program"


def _advice_for(source: SourceFile) -> str | None:
    if b"{{" in source.data or b"{%" in source.data:
        return _OF_TEMPLATES
    return _OF_JSON if source.name.endswith((".json", ".jsonc", ".json5")) else None
