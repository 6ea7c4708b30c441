"""Commands in files: one module for each format, chosen by the file's name and shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import SourceFile
    from nymproxy_migrate.words import Command


def find_commands(source: SourceFile) -> Iterator[Command]:
    """Yield every command in command position, whatever it starts.

    Raises:
        Unparsable: the file is not what its name says.
    """
    yield from ()
    raise NotImplementedError
