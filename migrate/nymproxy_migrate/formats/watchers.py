"""Files that name processes and programs: monit, sudoers, logrotate, AppArmor, NRPE.

A line that names an old program is a command of the tool whose file it is, in that it looks for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell
from nymproxy_migrate.formats.lists import FixedQuoting
from nymproxy_migrate.formats.split import lines
from nymproxy_migrate.model import CommandContext, Home, HomeSource
from nymproxy_migrate.names import mentions_program
from nymproxy_migrate.words import Command, Piece, PieceKind, Word, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_TOOLS = (
    (re.compile(r"monit"), "monit"),
    (re.compile(r"sudoers"), "sudoers"),
    (re.compile(r"logrotate"), "logrotate"),
    (re.compile(r"apparmor"), "AppArmor"),
    (re.compile(r"nrpe|nagios"), "NRPE"),
)
_STARTS = re.compile(rb"[ \t]*(?:start|stop|restart)[ \t]+program[ \t]*=?[ \t]*\"([^\"]*)\"")
_MONIT = CommandContext("monit service", Home(HomeSource.UNKNOWN))


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands that monit runs, and each line that names an old program."""
    tool = next(name for pattern, name in _TOOLS if pattern.search(path.lower()))
    quoting = FixedQuoting(f"it is a line of {tool}")
    for start, end in lines(text.data):
        run = _STARTS.match(text.data, start, end) if tool == "monit" else None
        if run is not None:
            builder = text.cut(*run.span(1))
            yield from shell.find(builder.build(run.end(1), _plain), _MONIT)
            continue
        line = text.shown(start, end)
        if not mentions_program(line) or line.lstrip().startswith("#"):
            continue
        span = text.span(start, end)
        words = (Word(literal(tool), span), Word((Piece(PieceKind.OPAQUE, line),), span))
        yield Command(words, span, CommandContext(f"file of {tool}"), quoting)


def _plain(data: bytes) -> bytes:
    if b'"' in data:
        raise ValueError("a double quote cannot stand in double quotes")
    return data
