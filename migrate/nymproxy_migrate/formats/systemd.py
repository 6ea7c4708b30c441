"""systemd units and drop-ins: the commands of ``Exec...=`` lines (systemd.service(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nymproxy_migrate.formats import images
from nymproxy_migrate.formats.commands import Found, commands_of
from nymproxy_migrate.formats.lists import FixedQuoting
from nymproxy_migrate.formats.split import Dialect, lines, split
from nymproxy_migrate.formats.text import Text, TextBuilder
from nymproxy_migrate.model import CommandContext, Home, HomeSource, Span, Unparsable
from nymproxy_migrate.words import Command, Piece, PieceKind, Word, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import SourceFile

_SECTION = re.compile(rb"\s*\[([^\]]*)\]")
_SETTING = re.compile(rb"\s*([A-Za-z][A-Za-z0-9-]*)\s*=[ \t]*")
_ESCAPE = re.compile(rb"\\(?:x[0-9A-Fa-f]{2}|[0-7]{3}|[abfnrtvs\\\"' ])")
_VALUES = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
    b"s": b" ",
}  # fmt: skip
_EXPANSION = re.compile(rb"\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)|%%|%[A-Za-z]")
_PREFIXES = b"-@:+!|"
_SECTIONS = frozenset({"Service", "Socket", "Container", ""})
_CONTROLS = re.compile(rb"[\x00-\x1f]")


def _unescape(raw: bytes) -> bytes:
    body = raw[1:]
    if body[:1] == b"x":
        return bytes([int(body[1:], 16)])
    if body.isdigit():
        return bytes([int(body, 8) & 255])
    return _VALUES.get(body, body)


def _expand(found: re.Match[bytes]) -> Piece:
    if found[0] in (b"$$", b"%%"):
        return Piece(PieceKind.LITERAL, found[0][:1].decode())
    name = found[1] or found[2]
    if name:
        return Piece(PieceKind.VARIABLE, name.decode())
    return Piece(PieceKind.OPAQUE, found[0].decode())


def _protect(data: bytes) -> bytes:
    """Keep specifiers, variables and the end of the line from being seen in a literal text."""
    data = data.replace(b"%", b"%%").replace(b"$", b"$$")
    return _CONTROLS.sub(lambda found: b"\\x%02x" % ord(found[0]), data)


DIALECT = Dialect(
    escape=_ESCAPE,
    escape_in_single=_ESCAPE,
    unescape=_unescape,
    expansion=_EXPANSION,
    expand=_expand,
    protect=_protect,
    variable=lambda name: b"${" + name + b"}",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One ``Key=value`` of a unit, its continuation lines joined."""

    section: str
    key: str
    value: Text
    offset: int


def settings(text: Text) -> Iterator[Setting]:
    """Yield the settings of a unit."""
    section = ""
    spans = list(lines(text.data))
    index = 0
    while index < len(spans):
        start, end = spans[index]
        index += 1
        line = text.data[start:end]
        header = _SECTION.match(line)
        if header is not None:
            section = header[1].decode("utf-8", "replace")
        setting = _SETTING.match(line)
        if setting is None or line.lstrip()[:1] in (b"#", b";"):
            continue
        builder = TextBuilder(text)
        first = position = start + setting.end()
        while text.data[end - 1 : end] == b"\\" and end > position and index < len(spans):
            builder.copy(position, end - 1)
            position, following = spans[index]
            builder.put(b" ", end - 1, position)
            end = following
            index += 1
            while text.data[position:end].lstrip()[:1] in (b"#", b";") and index < len(spans):
                position, end = spans[index]
                index += 1
        builder.copy(position, end)
        key = setting[1].decode()
        yield Setting(section, key, builder.build(end), first)


def find(text: Text, path: str) -> Iterator[Found]:
    """Yield the commands of a unit or drop-in."""
    own = list(settings(text))
    yield from _commands(own, _home(own, path))


def find_in_drop_in(source: SourceFile) -> Iterator[Found]:
    """Yield the commands of a drop-in, whose user may stand in another file of its unit."""
    merged = [each for part in source.unit for each in settings(Text.whole(part.data))]
    yield from _commands(
        list(settings(Text.whole(source.data))), _home(merged, source.unit[0].path)
    )


def _commands(own: list[Setting], home: Home) -> Iterator[Found]:
    context = CommandContext("systemd unit", home)
    for setting in own:
        if setting.key.startswith(("Condition", "Assert")) and setting.value.data.strip():
            yield _condition(setting, context)
        if not setting.key.startswith("Exec") or setting.section not in _SECTIONS:
            continue
        around = context
        if setting.section == "Container":  # a quadlet: podman-systemd.unit(5)
            binary = images.source_of(_value_of(own, "Image"), built=False)
            around = replace(context, home=Home(HomeSource.UNKNOWN), binary=binary)
        try:
            words, quoting = split(setting.value, 0, len(setting.value.data), DIALECT)
        except ValueError as error:
            offset = setting.value.span(0, 0).start
            yield Unparsable(f"{setting.key}= does not parse: {error}", offset)
            continue
        for command in _separate(words):
            command = without_prefixes(command)
            if command:
                yield from commands_of(command, around, quoting)


def _condition(setting: Setting, context: CommandContext) -> Command:
    """Return a condition as a command that looks for what it names."""
    span = setting.value.span(0, len(setting.value.data))
    tested = Piece(PieceKind.OPAQUE, setting.value.shown(0, len(setting.value.data)))
    words = (Word(literal(setting.key), span), Word((tested,), span))
    return Command(words, span, context, FixedQuoting("it is a condition"))


def _value_of(own: list[Setting], key: str) -> str:
    return next((each.value.shown(0, len(each.value.data)) for each in own if each.key == key), "")


def _separate(words: list[Word]) -> Iterator[list[Word]]:
    """Yield the commands between words that are a semicolon."""
    command: list[Word] = []
    for word in words:
        if word.literal == ";":
            yield command
            command = []
        else:
            command.append(word)
    yield command


def without_prefixes(words: list[Word]) -> list[Word]:
    """Take ``-@:+!`` off the program; they stay where they are.

    With ``@`` the word behind the program is its argv[0], not an argument: it goes with the
    program, and so does the ``@``, when the program changes.
    """
    if not words:
        return words
    program = words[0]
    lead = program.leading_literal
    stripped = lead.lstrip(_PREFIXES.decode())
    prefixes = lead[: len(lead) - len(stripped)]
    if not prefixes:
        return words
    first, *others = program.pieces
    pieces = (Piece(first.kind, stripped), *others) if stripped else tuple(others)
    if not pieces:
        return []
    kept = len(prefixes)
    end = program.span.end
    rest = words[1:]
    if "@" in prefixes and rest:
        kept = prefixes.index("@")
        end = rest[0].span.end
        rest = rest[1:]
        if not prefixes.endswith("@"):
            return []
    return [replace(program, pieces=pieces, span=Span(program.span.start + kept, end)), *rest]


def _home(all_settings: list[Setting], path: str) -> Home:
    values = {}
    for setting in all_settings:
        value = setting.value.data.decode("utf-8", "replace").strip()
        if setting.key == "Environment" and setting.section == "Service":
            home = _home_in(setting)
            if home is not None:
                values["HOME"] = home
        else:
            values[setting.key] = value
    if "HOME" in values:
        return Home(HomeSource.LITERAL, values["HOME"])
    user = values.get("User", "")
    if user in {"root", "0"}:
        return Home(HomeSource.USER, "/root", "root")
    if user:
        # systemd sets HOME of the user before it expands ${HOME}.
        return Home(HomeSource.USER, None, user)
    if values.get("DynamicUser", "").lower() in {"yes", "true", "1", "on"}:
        return Home(HomeSource.UNKNOWN)
    wanted = values.get("WantedBy", "") + " " + values.get("RequiredBy", "")
    if "/user/" in f"/{path}" or "default.target" in wanted:
        return Home(HomeSource.USER)
    if ".target" in wanted or ("systemd/system/" in f"/{path}" and ".d/" not in path):
        return Home(HomeSource.USER, "/root", "root")
    return Home(HomeSource.UNKNOWN)


def _home_in(setting: Setting) -> str | None:
    try:
        words, _ = split(setting.value, 0, len(setting.value.data), DIALECT)
    except ValueError:
        return None
    for word in words:
        if word.leading_literal.startswith("HOME="):
            return None if word.literal is None else word.literal[5:]
    return None
