"""Procfiles: ``name: command``, one a line, run by a shell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.lined import shell_line
from nymproxy_migrate.formats.split import lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_PROCESS = re.compile(rb"[\w-]+:[ \t]*")


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a Procfile."""
    for start, end in lines(text.data):
        process = _PROCESS.match(text.data, start, end)
        if process is not None:
            yield from shell_line(text, process.end(), end, "Procfile")
