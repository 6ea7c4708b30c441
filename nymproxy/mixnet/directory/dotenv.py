"""Env files, read exactly as the Rust programs read them.

The rules of dotenvy 0.15.7 (src/iter.rs, src/parse.rs), oddities included, since they decide which
network a Rust program talks to; vectors: tests/vectors/directory.json, ``env_files``. Nothing here
touches ``os.environ``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# The White_Space property, which Rust trims by. Python's own set also has 0x1C to 0x1F.
_WHITE_SPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
_KEY_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_KEY_CHARACTERS = _KEY_START | frozenset("0123456789.")
_MAX_SUBSTITUTED = 1024 * 1024
"""Characters: variables that double each other would become gigabytes in thirty lines."""
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "$": "$", " ": " ", "n": "\n"}


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment of an env file.

    Attributes:
        key: the variable.
        value: its value after quotes, escapes and substitutions.
        raw_value: the text behind the equals sign as it stands in the file.
        line_number: where it starts, from 1.
    """

    key: str
    value: str
    raw_value: str
    line_number: int


def assignments(text: str, environ: Mapping[str, str]) -> Iterator[Assignment]:
    """Read the assignments of an env file one after the other.

    Args:
        text: the file's content.
        environ: the variables that substitution sees first. To load a file as the Rust programs
            do, add each assignment to it, unless it is set there, before asking for the next.

    Raises:
        ConfigurationError: a line is malformed; the message names the line, never its content.
    """
    earlier: dict[str, str] = {}
    substituted = 0

    def look_up(name: str) -> str:
        nonlocal substituted
        value = environ.get(name, earlier.get(name, ""))
        substituted += len(value)
        if substituted > _MAX_SUBSTITUTED:
            raise ConfigurationError(
                f"the env file substitutes more than {_MAX_SUBSTITUTED} characters"
            )
        return value

    for line_number, line in _logical_lines(text):
        parsed = _split_assignment(line, line_number)
        if parsed is None:
            continue
        key, raw_value = parsed
        if not raw_value or raw_value.startswith("#"):
            earlier.pop(key, None)
            yield Assignment(key, "", "", line_number)
            continue
        value = _ValueParser(look_up, line_number).parse(raw_value)
        earlier[key] = value
        yield Assignment(key, value, raw_value, line_number)


def _malformed(line_number: int, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"line {line_number} of the env file cannot be read: {problem};"
        " the Rust programs refuse the whole file"
    )


class _LineState(enum.Enum):
    COMPLETE = enum.auto()
    ESCAPE = enum.auto()
    STRONG = enum.auto()
    STRONG_ESCAPE = enum.auto()
    WEAK = enum.auto()
    WEAK_ESCAPE = enum.auto()
    COMMENT = enum.auto()
    WHITE_SPACE = enum.auto()


_QUOTE_STATES = {
    "\\": _LineState.ESCAPE,
    '"': _LineState.WEAK,
    "'": _LineState.STRONG,
}


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join physical lines while a quote is open, and cut comments off."""
    parts: list[str] = []
    is_blank = True
    state = _LineState.COMPLETE
    first_line = 0
    for line_number, line in enumerate(_physical_lines(text), start=1):
        if state is _LineState.COMPLETE:
            parts, is_blank, first_line = [], True, line_number
        # Joined once: a quote that is never closed would be copied again for each of its lines.
        text_of_line = line.lstrip(_WHITE_SPACE)
        if is_blank and text_of_line.startswith("#"):
            state = _LineState.COMPLETE
            continue
        is_blank = is_blank and not text_of_line
        position, state = _scan_line(state, line)
        if state is _LineState.COMPLETE:
            yield first_line, "".join([*parts, line]).removesuffix("\n").removesuffix("\r")
        elif state is _LineState.COMMENT:
            state = _LineState.COMPLETE
            yield first_line, "".join([*parts, line[:position]])
        parts.append(line)
    if state is not _LineState.COMPLETE:
        raise _malformed(first_line, "an open quote, or white space at the end of the file")


def _physical_lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _scan_line(state: _LineState, line: str) -> tuple[int, _LineState]:
    position = 0
    for position, character in enumerate(line):
        if state is _LineState.WHITE_SPACE:
            if character == "#":
                return position, _LineState.COMMENT
            state = _QUOTE_STATES.get(character, _LineState.COMPLETE)
        elif state is _LineState.COMPLETE:
            if character in _WHITE_SPACE and character not in "\r\n":
                state = _LineState.WHITE_SPACE
            else:
                state = _QUOTE_STATES.get(character, _LineState.COMPLETE)
        elif state is _LineState.WEAK:
            state = {"\\": _LineState.WEAK_ESCAPE, '"': _LineState.COMPLETE}.get(character, state)
        elif state is _LineState.STRONG:
            state = {"\\": _LineState.STRONG_ESCAPE, "'": _LineState.COMPLETE}.get(character, state)
        elif state is _LineState.WEAK_ESCAPE:
            state = _LineState.WEAK
        elif state is _LineState.STRONG_ESCAPE:
            state = _LineState.STRONG
        else:
            state = _LineState.COMPLETE
    return position, state


def _split_assignment(line: str, line_number: int) -> tuple[str, str] | None:
    line = line.strip(_WHITE_SPACE)
    if not line or line.startswith("#"):
        return None
    key, rest = _take_key(line, line_number)
    rest = rest.lstrip(_WHITE_SPACE)
    # "export" is a prefix or, before an equals sign, a variable like any other.
    if key == "export" and not rest.startswith("="):
        key, rest = _take_key(rest, line_number)
        rest = rest.lstrip(_WHITE_SPACE)
    if not rest.startswith("="):
        raise _malformed(line_number, "no equals sign behind the variable")
    return key, rest[1:].lstrip(_WHITE_SPACE)


def _take_key(text: str, line_number: int) -> tuple[str, str]:
    if not text or text[0] not in _KEY_START:
        raise _malformed(line_number, "it does not start with the name of a variable")
    length = 1
    while length < len(text) and text[length] in _KEY_CHARACTERS:
        length += 1
    return text[:length], text[length:]


class _Mode(enum.Enum):
    PLAIN = enum.auto()
    STRONG_QUOTE = enum.auto()
    NAME = enum.auto()
    """Behind ``$``."""
    BRACED_NAME = enum.auto()
    END = enum.auto()
    """Behind an unquoted blank: only blanks and a comment may follow."""


class _ValueParser:
    """The character loop of dotenvy's ``parse_value``, one method for each of its branches."""

    def __init__(self, look_up: Callable[[str], str], line_number: int) -> None:
        self._look_up = look_up
        self._line_number = line_number
        self._output: list[str] = []
        self._name = ""
        self._mode = _Mode.PLAIN
        self._in_weak_quote = False
        self._is_escaped = False

    def parse(self, text: str) -> str:
        for character in text:
            if self._mode is _Mode.END:
                if character == "#":
                    break
                if character not in " \t":
                    raise _malformed(self._line_number, "text behind an unquoted space")
            elif self._is_escaped:
                self._unescape(character)
            elif self._mode is _Mode.STRONG_QUOTE:
                if character == "'":
                    self._mode = _Mode.PLAIN
                else:
                    self._output.append(character)
            elif self._mode is _Mode.NAME or self._mode is _Mode.BRACED_NAME:
                self._continue_name(character)
            else:
                self._plain(character)
        if self._mode in (_Mode.BRACED_NAME, _Mode.STRONG_QUOTE) or self._in_weak_quote:
            raise _malformed(self._line_number, "an open quote or substitution")
        self._substitute()
        return "".join(self._output)

    def _unescape(self, character: str) -> None:
        if character not in _ESCAPES:
            raise _malformed(self._line_number, "an unknown escape sequence")
        self._output.append(_ESCAPES[character])
        self._is_escaped = False

    def _continue_name(self, character: str) -> None:
        if character.isalnum():
            self._name += character
        elif self._mode is _Mode.BRACED_NAME:
            if character == "}":
                self._mode = _Mode.PLAIN
                self._substitute()
            else:
                self._name += character
        elif character == "{" and not self._name:
            self._mode = _Mode.BRACED_NAME
        else:
            self._substitute()
            if character != "$":
                # Whatever ends a name is taken literally, even a closing quote.
                self._mode = _Mode.PLAIN
                self._output.append(character)

    def _plain(self, character: str) -> None:
        if character == "$":
            self._mode = _Mode.NAME
        elif character == "\\":
            self._is_escaped = True
        elif character == '"':
            self._in_weak_quote = not self._in_weak_quote
        elif self._in_weak_quote:
            self._output.append(character)
        elif character == "'":
            self._mode = _Mode.STRONG_QUOTE
        elif character in " \t":
            self._mode = _Mode.END
        else:
            self._output.append(character)

    def _substitute(self) -> None:
        self._output.append(self._look_up(self._name))
        self._name = ""
