"""Scripts that read the log of the old programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import log_lines
from nymproxy_migrate.model import Evidence, Kind
from nymproxy_migrate.rules._rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding, SourceFile, Span

RULE = Rule(
    code="NYM070",
    kind=Kind.LOG_SCRAPE,
    title="a line of the old log is looked for",
    why=(
        "The old programs told the Nym address and the state of sessions in their log only. The "
        "new ones word their log in their own way, and sessions are not in it."
    ),
    next=(
        "Read the address from a file: start `nymproxy server` with `--address-file FILE`; or ask "
        "`nymproxy address DIRECTORY`, which needs no running server."
    ),
    example_before="journalctl -u nym-proxy-server | grep -oP 'Client created: \\K.*'",
)

_STEP = (
    "Do not rely on log lines: the new programs word them in their own way. To know that one "
    "is up, try to connect to its port; `--json-logs` gives a log for programs."
)


def find(source: SourceFile, place: Span, text: str) -> Iterator[Finding]:
    """Yield the line of the old programs that a text looks for."""
    line = log_lines.looked_for(text)
    if line is None:
        return
    # Whose log a file reads that does not say it, the rest of the tree tells.
    sure = line.is_theirs or log_lines.speaks_of_nym(source.data)
    message = f"this looks for `{line.text}` in the log of an old program"
    step = None if line.tells_address else _STEP
    needs = None if sure else Evidence.SERVER
    yield RULE.finding(source, place, message, next=step, needs=needs)
