"""supervisor's configuration: ``command=`` of a program (supervisord.org/configuration)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nymproxy_migrate.formats.commands import commands_of
from nymproxy_migrate.formats.split import Dialect, lines, split
from nymproxy_migrate.formats.text import TextBuilder
from nymproxy_migrate.model import CommandContext, Home, HomeSource, Unparsable
from nymproxy_migrate.words import Piece, PieceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.formats.commands import Found
    from nymproxy_migrate.formats.text import Text

_SECTION = re.compile(rb"[ \t]*\[([^\]]+)\]")
_SETTING = re.compile(rb"([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*")
_EXPANSION = re.compile(rb"%%|%\(ENV_(\w+)\)[sd]|%\(\w+\)0?\d*[sd]")
_COMMENT = re.compile(rb"[ \t]+;.*")
_HOME = re.compile(r"(?:^|,)\s*HOME=(?:\"([^\"%]*)\"|'([^'%]*)'|([^,\"'%]*))")


def _expand(found: re.Match[bytes]) -> Piece:
    if found[0] == b"%%":
        return Piece(PieceKind.LITERAL, "%")
    if found[1]:
        return Piece(PieceKind.VARIABLE, found[1].decode())
    return Piece(PieceKind.OPAQUE, found[0].decode())


_DIALECT = Dialect(
    escape=re.compile(rb"\\(.)", re.DOTALL),
    escape_in_single=None,
    unescape=lambda raw: raw[1:],
    expansion=_EXPANSION,
    expand=_expand,
    protect=lambda data: data.replace(b"%", b"%%"),
)


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of the programs, each with the HOME of its section."""
    section: list[tuple[str, Text]] = []
    name = ""
    for key, value in (*_settings(text), ("[", None)):
        if value is None:
            yield from _program(name, section)
            name, section = key[1:], []
        else:
            section.append((key, value))


def _settings(text: Text) -> Iterator[tuple[str, Text | None]]:
    """Yield settings, continuation lines joined; sections come as ``"[name"`` without a value."""
    spans = list(lines(text.data))
    index = 0
    while index < len(spans):
        start, end = spans[index]
        index += 1
        header = _SECTION.match(text.data, start, end)
        if header is not None:
            yield "[" + header[1].decode("utf-8", "replace"), None
            continue
        setting = _SETTING.match(text.data, start, end)
        if setting is None:
            continue
        builder = TextBuilder(text)
        _copy(builder, setting.end(), end)
        while index < len(spans) and _continues(text, spans[index]):
            builder.put(b" ", end, spans[index][0])
            start, end = spans[index]
            _copy(builder, start, end)
            index += 1
        yield setting[1].decode(), builder.build(end)


def _continues(text: Text, span: tuple[int, int]) -> bool:
    line = text.data[span[0] : span[1]]
    return line[:1] in (b" ", b"\t") and bool(line.strip()) and line.lstrip()[:1] not in b"#;"


def _copy(builder: TextBuilder, start: int, end: int) -> None:
    comment = _COMMENT.search(builder.outer.data, start, end)
    builder.copy(start, comment.start() if comment else end)


def _program(name: str, settings: list[tuple[str, Text]]) -> Iterator[Found]:
    values = {key: text.data.decode("utf-8", "replace").strip() for key, text in settings}
    context = CommandContext("supervisor program", _home(values))
    for key, text in settings:
        if key != "command" and not (key in {"exec_start", "cmd"} and name):
            continue
        try:
            words, quoting = split(text, 0, len(text.data), _DIALECT)
        except ValueError as error:
            yield Unparsable(f"command= does not parse: {error}", text.span(0, 0).start)
            continue
        yield from commands_of(words, context, quoting)


def _home(values: dict[str, str]) -> Home:
    # supervisor does not set HOME when it changes the user: only environment= tells.
    found = _HOME.search(values.get("environment", ""))
    if found is not None:
        return Home(HomeSource.LITERAL, found[1] or found[2] or found[3])
    return Home(HomeSource.UNKNOWN, None, values.get("user"))
