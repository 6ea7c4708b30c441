"""launchd jobs: ``ProgramArguments`` of a property list (launchd.plist(5))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, unescape

from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.keyed import StringSyntax
from nymproxy_migrate.formats.lists import Item, ListQuoting, word_of
from nymproxy_migrate.model import CommandContext, Home, HomeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_ARGUMENTS = re.compile(rb"<key>ProgramArguments</key>\s*<array>(.*?)</array>", re.DOTALL)
_STRING = re.compile(rb"<string>([^<]*)</string>")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_ENTITY = re.compile(rb"&(?:amp|lt|gt|quot|apos);")
_MARKS = {"&quot;": '"', "&apos;": "'"}
_SHOWN = ("<array>", "", "</array>")
_CONTEXT = CommandContext("launchd job", Home(HomeSource.UNKNOWN))


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the command of a job."""
    hidden = [found.span() for found in _COMMENT.finditer(text.data)]
    for arguments in _ARGUMENTS.finditer(text.data):
        if any(start <= arguments.start() < end for start, end in hidden):
            continue
        items = []
        for found in _STRING.finditer(text.data, *arguments.span(1)):
            inner = StringSyntax(_ENTITY, _unescape, _escape).text(text, *found.span(1))
            items.append(Item(inner, text.span(*found.span()), found[0]))
        if items:
            between = text.data[arguments.start(1) : items[0].span.start]
            separator = between if between.strip() == b"" else b""
            quoting = ListQuoting(items, _write, text.encode(separator), _SHOWN)
            yield from commands_of([word_of(item) for item in items], _CONTEXT, quoting)


def _unescape(found: re.Match[bytes]) -> bytes:
    return unescape(found[0].decode("ascii"), _MARKS).encode()


def _escape(data: bytes) -> bytes:
    return escape(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _write(value: bytes, like: bytes) -> bytes:
    return b"<string>" + _escape(value) + b"</string>"
