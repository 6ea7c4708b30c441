"""Commands in data with keys (JSON, TOML, HCL, Nix): which values are commands, and how they run.

Each format turns itself into :class:`Strings`, :class:`Lists` and :class:`Maps`; what the keys mean
is the same for all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import images, shell, systemd
from nymproxy_migrate.formats.commands import Embedded, Found, commands_of
from nymproxy_migrate.formats.lists import FixedQuoting, Item, ListQuoting, Write, word_of
from nymproxy_migrate.formats.split import split
from nymproxy_migrate.formats.text import Hole, Place, Recode, Text, TextBuilder
from nymproxy_migrate.model import BinarySource, CommandContext, Home, HomeSource, Unparsable
from nymproxy_migrate.words import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SHELL_KEYS = frozenset(
    [
        "run",
        "script",
        "shell",
        "bash",
        "sh",
        "inline",
        "commands",
        "runcmd",
        "userdata",
        "userdatabase64",
        "startupscript",
        "metadatastartupscript",
        "customdata",
        "prestart",
        "poststart",
        "prestop",
        "command",
        "cmd",
        "exec",
        "start",
        "task",
        "entrypoint",
        "text",
    ]
)
# Of development containers: a string is for a shell, a list is one command, a map holds several.
_LIFECYCLE_KEYS = frozenset(
    [
        "postcreatecommand",
        "poststartcommand",
        "postattachcommand",
        "oncreatecommand",
        "updatecontentcommand",
        "initializecommand",
    ]
)
_SCRIPT_PARENTS = frozenset({"scripts", "tasks", "commands", "aliases", "hooks"})
_COMMAND_KEYS = frozenset({"command", "cmd", "entrypoint", "argv", "exec", "program"})
_ARGUMENT_KEYS = frozenset({"args", "arguments", "commandargs"})
_FILE_KEYS = frozenset({"path", "destination", "filename", "dest", "target"})


@dataclass(frozen=True, slots=True)
class Strings:
    """A string: its text, and where its source stands."""

    item: Item


@dataclass(frozen=True, slots=True)
class Lists:
    """A list; ``separator`` is what stands between its first two items."""

    values: tuple[Value, ...]
    separator: bytes


@dataclass(frozen=True, slots=True)
class Maps:
    """Keys and values, in order."""

    entries: tuple[tuple[str, Value], ...]

    def get(self, keys: frozenset[str]) -> Value | None:
        """Return the value of the first entry with one of these keys."""
        return next((value for key, value in self.entries if _plain(key) in keys), None)


Value = Strings | Lists | Maps


@dataclass(frozen=True, slots=True)
class Notation:
    """How a format is named and writes a string in a list."""

    format_name: str
    write: Write


def find(root: Value, notation: Notation) -> Iterator[Found]:
    """Yield the commands below a value."""
    stack: list[tuple[str, Value]] = [("", root)]
    while stack:
        parent, value = stack.pop()
        if isinstance(value, Lists):
            stack += [(parent, inner) for inner in reversed(value.values)]
        elif isinstance(value, Maps):
            yield from _in_map(parent, value, notation)
            stack += [(_plain(key), inner) for key, inner in reversed(value.entries)]


def _in_map(parent: str, value: Maps, notation: Notation) -> Iterator[Found]:
    context = CommandContext(notation.format_name, binary=_binary(value))
    command, arguments = value.get(_COMMAND_KEYS), value.get(_ARGUMENT_KEYS)
    lists = [one for one in (command, arguments) if isinstance(one, Lists)]
    joined = isinstance(command, Strings) and isinstance(arguments, Lists)
    if isinstance(command, Strings) and isinstance(arguments, Lists):
        items = _strings(arguments)
        if items is not None:
            words = [word_of(command.item), *map(word_of, items)]
            refusing = FixedQuoting("the program and its arguments stand in two places")
            yield Command(tuple(words), images.around(words), context, refusing)
    elif lists:
        yield from _list_command(lists, context, notation)
    for key, inner in value.entries:
        plain = _plain(key)
        if joined and inner is command:
            continue
        if plain in _LIFECYCLE_KEYS or parent in _LIFECYCLE_KEYS:
            yield from _lifecycle(inner, context, notation)
            continue
        yield from _keyed(key, plain, parent, inner, context)
    content = value.get(frozenset({"content", "contents", "data", "text"}))
    target = value.get(_FILE_KEYS)
    if isinstance(content, Strings) and isinstance(target, Strings):
        path = target.item.text.data.decode("utf-8", "replace")
        yield Embedded(path, content.item.text)


def _keyed(
    key: str, plain: str, parent: str, value: Value, context: CommandContext
) -> Iterator[Found]:
    last = key.rpartition(".")[2]
    if isinstance(value, Strings):
        if last.startswith("Exec"):
            yield from _unit_command(value, context)
        elif plain in _SHELL_KEYS or parent in _SCRIPT_PARENTS:
            yield from _shell(value, context)
    elif isinstance(value, Lists):
        for inner in value.values:
            if not isinstance(inner, Strings):
                continue
            if last.startswith("Exec"):
                yield from _unit_command(inner, context)
            elif plain in _SHELL_KEYS - _COMMAND_KEYS or parent in _SCRIPT_PARENTS:
                yield from _shell(inner, context)


def _lifecycle(value: Value, context: CommandContext, notation: Notation) -> Iterator[Found]:
    if isinstance(value, Strings):
        yield from _shell(value, context)
    elif isinstance(value, Lists):
        yield from _list_command([value], context, notation)


def _shell(value: Strings, context: CommandContext) -> Iterator[Found]:
    context = replace(context, home=Home(HomeSource.SHELL))
    text = value.item.text
    if text.data.lstrip().startswith(b"#cloud-config"):
        yield Embedded("user-data.yaml", text)
        return
    yield from shell.find(text, context)


def _unit_command(value: Strings, context: CommandContext) -> Iterator[Found]:
    text = value.item.text
    try:
        words, quoting = split(text, 0, len(text.data), systemd.DIALECT)
    except ValueError as error:
        yield Unparsable(f"the unit's command does not parse: {error}", text.span(0, 0).start)
        return
    yield from commands_of(systemd.without_prefixes(words), context, quoting)


def _list_command(
    lists: list[Lists], context: CommandContext, notation: Notation
) -> Iterator[Found]:
    items: list[Item] = []
    for one in lists:
        found = _strings(one)
        if found is None:
            return
        items += found
    if items:
        quoting = ListQuoting(items, notation.write, lists[0].separator)
        yield from commands_of([word_of(item) for item in items], context, quoting)


def _strings(value: Lists) -> list[Item] | None:
    items = [inner.item for inner in value.values if isinstance(inner, Strings)]
    return items if len(items) == len(value.values) else None


def _binary(value: Maps) -> BinarySource:
    image = value.get(frozenset({"image"}))
    if not isinstance(image, Strings):
        return BinarySource.PATH
    return images.source_of(image.item.text.data.decode("utf-8", "replace"), built=False)


def _plain(key: str) -> str:
    return re.sub(r"[-_]", "", key.rpartition(".")[2]).lower()


def separator_between(data: bytes, first_end: int, second_start: int, default: bytes) -> bytes:
    """Return what stands between two items, unless there is more than space and a comma."""
    between = data[first_end:second_start]
    return between if re.fullmatch(rb"\s*,?\s*", between) and between else default


def list_of(
    values: Sequence[Value | None], nodes: Sequence[Place], text: Text, default: bytes
) -> Lists:
    """Return a list; what is no value keeps its place, so that the list is no command then."""
    separator = default
    if len(nodes) > 1:
        end, start = nodes[0].end_byte, nodes[1].start_byte
        separator = separator_between(text.data, end, start, default)
    kept = tuple(Maps(()) if value is None else value for value in values)
    return Lists(kept, text.encode(separator))


@dataclass(frozen=True, slots=True)
class StringSyntax:
    """How a kind of string writes its bytes.

    Attributes:
        escape: an escape.
        unescape: its value.
        encode: how bytes are written.
    """

    escape: re.Pattern[bytes]
    unescape: Callable[[re.Match[bytes]], bytes]
    encode: Recode

    def text(self, outer: Text, start: int, end: int, holes: tuple[Hole, ...] = ()) -> Text:
        """Return the text between two offsets of ``outer``; holes stand in its offsets, too."""
        builder = TextBuilder(outer)
        position = start
        for hole in (*holes, None):
            until = end if hole is None else hole.span.start
            self.copy(builder, outer.data, position, until)
            if hole is not None:
                builder.hole(hole.span.start, hole.span.end, hole.piece)
                position = hole.span.end
        return builder.build(end, self.encode, self.decode)

    def decode(self, raw: bytes) -> bytes:
        """Return what raw bytes mean."""
        return self.escape.sub(self.unescape, raw)

    def copy(self, builder: TextBuilder, data: bytes, start: int, end: int) -> None:
        """Copy raw bytes into a builder, escapes as what they mean."""
        position = start
        for found in self.escape.finditer(data, start, end):
            builder.copy(position, found.start())
            builder.put(self.unescape(found), found.start(), found.end())
            position = found.end()
        builder.copy(position, end)


_CONTROLS = re.compile(rb"[\x00-\x1f]")
_ESCAPES = {b"\n": b"\\n", b"\t": b"\\t", b"\r": b"\\r"}
_VALUES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"e": b"\x1b"}


def _unescape(found: re.Match[bytes]) -> bytes:
    body = found[0][1:]
    if body[:1] in (b"u", b"U", b"x") and len(body) > 1:
        return chr(int(body[1:], 16)).encode("utf-8", "surrogatepass")
    return _VALUES.get(body, body)


def _escape(data: bytes) -> bytes:
    data = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return _CONTROLS.sub(lambda found: _ESCAPES.get(found[0]) or b"\\u%04x" % ord(found[0]), data)


DOUBLE_QUOTED = StringSyntax(
    re.compile(rb"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|.)", re.DOTALL),
    _unescape,
    _escape,
)
"""The double-quoted string of JSON, TOML and, but for ``${``, of HCL and Nix."""


def write_double_quoted(value: bytes, like: bytes) -> bytes:
    """Write a list item as a double-quoted string, or as a literal one where ``like`` is."""
    if like[:1] == b"'" and b"'" not in value and not _CONTROLS.search(value):
        return b"'" + value + b"'"
    return b'"' + DOUBLE_QUOTED.encode(value) + b'"'
