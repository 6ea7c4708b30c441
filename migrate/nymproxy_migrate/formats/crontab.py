"""Crontabs: five fields or ``@reboot``, in system tables a user, then shell text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.lined import shell_line
from nymproxy_migrate.formats.split import lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_TIME = re.compile(rb"[ \t]*(?:@\w+|(?:[\d*/,A-Za-z-]+[ \t]+){4}[\d*/,A-Za-z-]+)[ \t]+")
_USER = re.compile(rb"[a-z_][\w-]*[ \t]+")


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a crontab."""
    has_user = "cron.d/" in path or path.endswith("etc/crontab")
    for start, end in lines(text.data):
        time = _TIME.match(text.data, start, end)
        if time is None:
            continue
        begin = time.end()
        user = _USER.match(text.data, begin, end) if has_user else None
        # Cron sets HOME to that of the table's user before it starts the shell.
        yield from shell_line(text, user.end() if user else begin, end, "crontab")
