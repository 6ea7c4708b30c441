"""Values of env files that are commands: ``NYM_CMD="nym-proxy-client ..."``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import keyed, shell
from nymproxy_migrate.formats.split import lines
from nymproxy_migrate.formats.text import TextBuilder
from nymproxy_migrate.model import CommandContext, Home, HomeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_SETTING = re.compile(rb"[ \t]*(?:export[ \t]+)?[A-Za-z_][\w.]*[ \t]*=[ \t]*")
# Who runs the value, and with which HOME, the file does not say.
_CONTEXT = CommandContext("env file value", Home(HomeSource.UNKNOWN))


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands that values hold; a value is one command line or none."""
    for start, end in lines(text.data):
        setting = _SETTING.match(text.data, start, end)
        if setting is None:
            continue
        begin = setting.end()
        quote = text.data[begin : begin + 1]
        close = text.data.rfind(quote, begin + 1, end) if quote in (b"'", b'"') else -1
        if quote == b'"' and close > begin:
            value = keyed.DOUBLE_QUOTED.text(text, begin + 1, close)
        else:
            inner = (begin + 1, close) if close > begin else (begin, end)
            builder = TextBuilder(text)
            builder.copy(*inner)
            value = builder.build(inner[1], _plain if close < 0 else _in_single, lambda raw: raw)
        if b" " in value.data:
            yield from shell.find(value, _CONTEXT)


def _plain(data: bytes) -> bytes:
    if b"#" in data or b"\n" in data:
        raise ValueError("the value would need quotes")
    return data


def _in_single(data: bytes) -> bytes:
    if b"'" in data:
        raise ValueError("a single quote cannot stand in single quotes")
    return data
