"""Scripts and programs that look for lines in the log of the old programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate import formats, log_lines
from nymproxy_migrate.formats.text import Text
from nymproxy_migrate.model import Finding, Unparsable
from nymproxy_migrate.rules import nym070

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import SourceFile, Span
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.words import Command

_SEARCHERS = frozenset(
    {"grep", "egrep", "fgrep", "zgrep", "pcregrep", "rg", "ag", "ack", "sed", "gsed", "awk", "gawk",
     "mawk", "nawk", "perl", "expr", "journalctl", "findstr", "pgrep"}
)  # fmt: skip


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the places that look for an old line; what does not parse, others say."""
    if not log_lines.occur_in(source.data):
        return
    try:
        for place, text in _searches(source):
            yield from nym070.find(source, place, text)
    except Unparsable:
        return


def _searches(source: SourceFile) -> Iterator[tuple[Span, str]]:
    for command in formats.find_commands(source):
        yield from _in_command(command)
    what = formats.format_of(source.path, source.data)
    if what == "script":
        from nymproxy_migrate.formats import shell_tests

        yield from shell_tests.find(Text.whole(source.data))
    elif what == "python_calls":
        from nymproxy_migrate.formats import python_searches

        yield from python_searches.find(source)


def _in_command(command: Command) -> Iterator[tuple[Span, str]]:
    program = (command.words[0].literal or "").rpartition("/")[2]
    if program not in _SEARCHERS:
        return
    for word in command.words[1:]:
        yield word.span, "".join(piece.text for piece in word.pieces)
