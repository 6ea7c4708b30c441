"""Shell commands that are lines of something: Procfiles, crontabs, justfiles, Makefiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell
from nymproxy_migrate.formats.text import Text, TextBuilder
from nymproxy_migrate.model import CommandContext, Home, HomeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found


def shell_line(
    text: Text,
    start: int,
    end: int,
    format_name: str,
    home: Home | None = None,
) -> Iterator[Found]:
    """Yield the commands of some bytes that a shell runs."""
    builder = TextBuilder(text)
    builder.copy(start, end)
    context = CommandContext(format_name, home or Home(HomeSource.SHELL))
    yield from shell.find(builder.build(end), context)
