"""Strict reading and exact writing of JSON, as serde_json does both, within bounds."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias

if TYPE_CHECKING:
    from nymproxy.errors import NymError

Bounds: TypeAlias = tuple[int, int]

U8: Final = (0, 2**8 - 1)
U16: Final = (0, 2**16 - 1)
U32: Final = (0, 2**32 - 1)
U64: Final = (0, 2**64 - 1)
I64: Final = (-(2**63), 2**63 - 1)

MAX_DEPTH: Final = 32
"""How many arrays and objects may be around a value."""

_REQUIRED: Final = object()
_NOT_JSON: Final = object()

MAX_CONTAINERS: Final = 100_000
"""Objects and arrays: a collection of garbage may have to look at all of them."""

MAX_RUN: Final = 10_000
"""Strings, arrays and beginnings of objects up to the next end of an object."""

_GIVE_WAY_CHARACTERS: Final = 64 * 1024
_GIVE_WAY_VALUES: Final = 256
"""How much is read before other threads may go on: a large text is read in a thread of its own,
which would otherwise let the event loop wait for five milliseconds again and again. The parser
itself lets nobody in but at numbers and ends of objects."""

_DIGITS: Final = 1024
"""A row of twice as many is no number of ours: Python takes time for the square of it."""

_EMPTY: Final = 16
"""Pieces of a text, each as long as above, in which the search below would find nothing."""

_MARKS = re.compile(r'["\[\]{}]')

# The parts of a text that say how deep it is, and how much is in a row. Possessive, so that no text
# makes it search twice; a string of over a megabyte ends before its quotation mark.
_STRUCTURE = re.compile(r'"(?:[^"\\]{1,16}+|\\.){0,65536}+"?|[\[{]|[\]}]', re.DOTALL)


class Fields:
    """The fields of one JSON object. Unknown ones are ignored, known ones are read strictly.

    Every method raises the error of its :class:`JsonReader` when the field is missing, given twice
    or of another type; a JSON float is no integer, and ``true`` is no number.
    """

    __slots__ = ("_error", "_pairs", "_repeated")

    def __init__(self, pairs: list[tuple[str, object]], error: type[NymError]) -> None:
        self._error = error
        self._pairs = dict(pairs)
        self._repeated: frozenset[str] = frozenset()
        if len(self._pairs) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            self._repeated = frozenset(name for name, count in counts.items() if count > 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self._pairs == other._pairs

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, name: str) -> bool:
        return name in self._pairs

    def has(self, name: str) -> bool:
        """Tell whether a field is there and not ``null``."""
        return self._pairs.get(name) is not None

    def only(self) -> tuple[str, object]:
        """Return the single pair of an externally tagged enum."""
        if len(self._pairs) != 1 or self._repeated:
            raise self._error("a tagged value has exactly one field")
        return next(iter(self._pairs.items()))

    def _value(self, name: str, default: object = _REQUIRED) -> object:
        if name in self._repeated:
            raise self._error(f"the field {name!r} is given twice")
        value = self._pairs.get(name, default)
        if value is _REQUIRED:
            raise self._error(f"the field {name!r} is missing")
        return value

    def any(self, name: str) -> object:
        """Return a value of any JSON type; an object is given as Fields."""
        return self._value(name)

    def nested(self, name: str) -> Fields:
        """Return an object."""
        value = self._value(name)
        if not isinstance(value, Fields):
            raise self._error(f"the field {name!r} is no object")
        return value

    def array(self, name: str) -> list[object]:
        """Return an array of anything."""
        value = self._value(name)
        if not isinstance(value, list):
            raise self._error(f"the field {name!r} is no array")
        return value

    def integer(self, name: str, bounds: Bounds, default: int | None = None) -> int:
        """Return an integer within the bounds, both included."""
        value = self._value(name, _REQUIRED if default is None else default)
        return self._integer(name, value, bounds)

    def integers(self, name: str, bounds: Bounds) -> tuple[int, ...]:
        """Return an array of integers within the bounds."""
        return tuple([self._integer(name, value, bounds) for value in self.array(name)])

    def _integer(self, name: str, value: object, bounds: Bounds) -> int:
        if type(value) is not int or not bounds[0] <= value <= bounds[1]:
            raise self._error(f"the field {name!r} is no integer of its range")
        return value

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._value(name, _REQUIRED if default is None else default)
        if type(value) is not bool:
            raise self._error(f"the field {name!r} is no boolean")
        return value

    def text(self, name: str) -> str:
        """Return a string that is valid Unicode (JSON can smuggle in lone surrogates)."""
        value = self._value(name)
        if type(value) is not str:
            raise self._error(f"the field {name!r} is no string")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self._error(f"the field {name!r} is not valid Unicode") from error
        return value

    def octets(self, name: str, length: int | None = None) -> bytes:
        """Return bytes written as an array of integers."""
        data = bytes(self.integers(name, U8))
        if length is not None and len(data) != length:
            raise self._error(f"the field {name!r} has {len(data)} bytes, not {length}")
        return data

    def base64(self, name: str) -> bytes:
        """Return bytes written in the standard alphabet, padded, in the one canonical form."""
        value = self.text(name)
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._error(f"the field {name!r} is not base64") from error
        if base64.b64encode(data).decode() != value:
            raise self._error(f"the field {name!r} is not canonical base64")
        return data


class JsonReader:
    """Reads the JSON texts of one kind of peer.

    What a text may cost is known before it is parsed: a few bytes of it can make an object of
    hundreds.

    Args:
        error: what is raised for everything that is not as it should be; takes a message.
        max_values: how many values a text may have. Every comma counts, in strings as well.
    """

    def __init__(self, error: type[NymError], *, max_values: int) -> None:
        self._error = error
        self._max_values = max_values
        self._count = 0
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._fields,
            parse_int=self._integer,
            parse_float=self._real,
            parse_constant=_no_constant,
        )

    def read_object(self, text: str | bytes) -> Fields:
        """Read one JSON object, from its UTF-8 if bytes are given.

        Raises:
            the reader's error: no JSON, no object, too many values, or nested too deeply.
        """
        value = self._parse(text)
        if value is _NOT_JSON:
            raise self._error("a text is not JSON")
        return self.as_object(value)

    def _parse(self, text: str | bytes) -> object:
        # The parser's exceptions carry the whole text with them, so none is chained to ours.
        try:
            decoded = text.decode() if isinstance(text, bytes) else text
            self._size_up(decoded)
            return self._decoder.decode(decoded)
        except (ValueError, RecursionError):
            return _NOT_JSON

    def as_object(self, value: object) -> Fields:
        """Check that a value that was read is an object.

        Raises:
            the reader's error: it is none.
        """
        if not isinstance(value, Fields):
            raise self._error("a text is no JSON object")
        return value

    def _fields(self, pairs: list[tuple[str, object]]) -> Fields:
        self._count_value()
        return Fields(pairs, self._error)

    def _integer(self, text: str) -> int | float:
        self._count_value()
        # serde_json reads "-0" as a float, and so refuses it for every integer field.
        return -0.0 if text == "-0" else int(text)

    def _real(self, text: str) -> float:
        self._count_value()
        return float(text)

    def _count_value(self) -> None:
        self._count += 1
        if not self._count % _GIVE_WAY_VALUES:
            _give_way()

    def _size_up(self, text: str) -> None:
        containers = commas = empty = 0
        for start in range(0, len(text), _GIVE_WAY_CHARACTERS):
            end = start + _GIVE_WAY_CHARACTERS
            containers += text.count("[", start, end) + text.count("{", start, end)
            commas += text.count(",", start, end)
            if commas + containers >= self._max_values:
                raise self._error(f"a text with more than {self._max_values} values")
            if containers > MAX_CONTAINERS:
                raise self._error(f"a text with more than {MAX_CONTAINERS} objects and arrays")
            empty = 0 if _MARKS.search(text, start, end) else empty + 1
            if empty >= _EMPTY:
                raise self._error("a text with a megabyte of neither strings nor structure")
            if _has_long_number(text, start, end):
                raise self._error(f"a text with a number of {_DIGITS} digits or more")
            if end < len(text):
                _give_way()
        if containers > MAX_DEPTH or len(text) > _GIVE_WAY_CHARACTERS:
            self._check_structure(text)

    def _check_structure(self, text: str) -> None:
        depth = run = turn_at = 0
        for number, match in enumerate(_STRUCTURE.finditer(text), start=1):
            start, end = match.span()
            if not number % _GIVE_WAY_VALUES or end > turn_at:
                _give_way()
                turn_at = end + _GIVE_WAY_CHARACTERS
            kind = text[start]
            run = 0 if kind == "}" else run + 1
            if run > MAX_RUN:
                raise self._error(f"a text with more than {MAX_RUN} values in a row")
            if kind == '"':
                if end - start == 1 or text[end - 1] != '"':
                    raise self._error("a text with a string without an end, or a long one")
                continue
            depth += 1 if kind in "[{" else -1
            if depth > MAX_DEPTH:
                raise self._error(f"a text with more than {MAX_DEPTH} levels")


def _has_long_number(text: str, start: int, end: int) -> bool:
    """Tell whether one of the blocks has digits alone: looking at all others takes no time."""
    blocks = (text[each : each + _DIGITS] for each in range(start, end, _DIGITS))
    return any(len(block) == _DIGITS and block.isdigit() for block in blocks)


def write_object(fields: dict[str, object]) -> str:
    """Write compact JSON, fields in the given order: the same text as serde_json writes."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def _give_way() -> None:
    time.sleep(0)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
