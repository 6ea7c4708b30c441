"""Script files of the shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a script; cloud-init's user data may be YAML instead."""
    if text.data.startswith(b"#cloud-config"):
        from nymproxy_migrate.formats.yaml_commands import find as find_in_yaml

        yield from find_in_yaml(text, path)
    else:
        yield from shell.find(text)
