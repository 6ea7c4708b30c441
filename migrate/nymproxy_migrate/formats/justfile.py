"""Justfiles: indented lines below a recipe; ``{{...}}`` is replaced before the shell sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import shell, templates
from nymproxy_migrate.formats.split import lines
from nymproxy_migrate.formats.text import TextBuilder
from nymproxy_migrate.model import CommandContext, Home, HomeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_RECIPE = re.compile(rb"@?[A-Za-z_][\w-]*(?:[ \t][^:]*)?:(?!=)")
_CONTEXT = CommandContext("justfile recipe", Home(HomeSource.SHELL))
_SIGILS = re.compile(rb"[ \t]+[@-]*")


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of the recipes."""
    text = templates.mask(text)
    body: list[tuple[int, int]] = []
    in_recipe = False
    for start, end in (*lines(text.data), (len(text.data), len(text.data))):
        line = text.data[start:end]
        if in_recipe and (line[:1] in (b" ", b"\t") or not line.strip()) and start < end:
            body.append((start, end))
        elif start < end or start == len(text.data):
            yield from _recipe(text, body)
            body = []
            in_recipe = _RECIPE.match(line) is not None


def _recipe(text: Text, body: list[tuple[int, int]]) -> Iterator[Found]:
    """A recipe with a shebang is one script; otherwise each line is one, continuations joined."""
    builder = TextBuilder(text)
    continues = False
    for start, end in body:
        sigils = None if continues else _SIGILS.match(text.data, start, end)
        continues = text.data[start:end].endswith(b"\\")
        builder.copy(sigils.end() if sigils else start, end)
        builder.put(b"\n", end, end)
    if body:
        yield from shell.find(builder.build(body[-1][1]), _CONTEXT)
