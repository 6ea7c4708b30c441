"""fish scripts: simple commands, line by line; words are written as in other shells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.lined import shell_line
from nymproxy_migrate.formats.split import lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_KEYWORDS = re.compile(rb"[ \t]*(?:(?:if|else|while|and|or|not|begin)\b[ \t]*;?[ \t]*)*")
_BLOCKS = re.compile(rb"(?:for|function|switch|case|set|end)\b")


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a script."""
    begin: int | None = None
    for start, end in lines(text.data):
        if begin is None:
            lead = _KEYWORDS.match(text.data, start, end)
            begin = lead.end() if lead else start
        if text.data[start:end].endswith(b"\\"):
            continue
        if not _BLOCKS.match(text.data, begin, end):
            yield from shell_line(text, begin, end, "fish script")
        begin = None
