"""Strict reading and exact writing of the JSON texts, as serde_json does both."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final, NoReturn, TypeAlias

from nymproxy.errors import GatewayProtocolError

U8_MAX = 0xFF
I64_RANGE = (-(2**63), 2**63 - 1)
U64_RANGE = (0, 2**64 - 1)

_REQUIRED: Final = object()


class Fields:
    """The fields of one JSON object. Unknown ones are ignored, known ones are read strictly.

    Every method raises GatewayProtocolError when the field is missing, given twice or of another
    type; a JSON float is no integer and ``true`` is no number.
    """

    __slots__ = ("_pairs", "_repeated")

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self._pairs = dict(pairs)
        self._repeated: frozenset[str] = frozenset()
        if len(self._pairs) != len(pairs):
            names = [name for name, _ in pairs]
            self._repeated = frozenset(name for name in names if names.count(name) > 1)

    def only(self) -> tuple[str, object]:
        """Return the single pair of an externally tagged enum."""
        if len(self._pairs) != 1 or self._repeated:
            raise GatewayProtocolError("a tagged value has exactly one field")
        return next(iter(self._pairs.items()))

    def __contains__(self, name: str) -> bool:
        return name in self._pairs

    def _value(self, name: str, default: object = _REQUIRED) -> object:
        if name in self._repeated:
            raise GatewayProtocolError(f"the field {name!r} is given twice")
        value = self._pairs.get(name, default)
        if value is _REQUIRED:
            raise GatewayProtocolError(f"the field {name!r} is missing")
        return value

    def any(self, name: str) -> object:
        """Return a value of any JSON type."""
        return self._value(name)

    def integer(self, name: str, bounds: tuple[int, int], default: int | None = None) -> int:
        """Return an integer within the bounds, both included."""
        value = self._value(name, _REQUIRED if default is None else default)
        if type(value) is not int or not bounds[0] <= value <= bounds[1]:
            raise GatewayProtocolError(f"the field {name!r} is no integer of its range")
        return value

    def version(self, name: str, default: int | None = None) -> int:
        """Return a protocol version, one unsigned byte."""
        return self.integer(name, (0, U8_MAX), default)

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._value(name, _REQUIRED if default is None else default)
        if type(value) is not bool:
            raise GatewayProtocolError(f"the field {name!r} is no boolean")
        return value

    def text(self, name: str) -> str:
        """Return a string that is valid Unicode (JSON can smuggle in lone surrogates)."""
        value = self._value(name)
        if type(value) is not str:
            raise GatewayProtocolError(f"the field {name!r} is no string")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise GatewayProtocolError(f"the field {name!r} is not valid Unicode") from error
        return value

    def octets(self, name: str, length: int | None = None) -> bytes:
        """Return bytes written as an array of integers."""
        value = self._value(name)
        if type(value) is not list or any(type(item) is not int for item in value):
            raise GatewayProtocolError(f"the field {name!r} is no array of integers")
        try:
            data = bytes(value)
        except ValueError as error:
            raise GatewayProtocolError(f"the field {name!r} holds more than bytes") from error
        if length is not None and len(data) != length:
            raise GatewayProtocolError(f"the field {name!r} has {len(data)} bytes, not {length}")
        return data

    def base64(self, name: str) -> bytes:
        """Return bytes written in the standard alphabet, padded, in the one canonical form."""
        value = self.text(name)
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise GatewayProtocolError(f"the field {name!r} is not base64") from error
        if base64.b64encode(data).decode() != value:
            raise GatewayProtocolError(f"the field {name!r} is not canonical base64")
        return data


JsonObject: TypeAlias = dict[str, object]


def _integer(text: str) -> int | float:
    # serde_json reads "-0" as a float, and so refuses it for every integer field.
    return -0.0 if text == "-0" else int(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=Fields, parse_int=_integer, parse_constant=_no_constant
)


def parse_object(text: str) -> Fields:
    """Read one JSON object.

    Raises:
        GatewayProtocolError: not JSON, or no object.
    """
    return as_object(_parse_value(text))


def _parse_value(text: str) -> object:
    try:
        value: object = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise GatewayProtocolError("a text is not JSON") from error
    return value


def as_object(value: object) -> Fields:
    """Check that a JSON value is an object.

    Raises:
        GatewayProtocolError: it is none.
    """
    if not isinstance(value, Fields):
        raise GatewayProtocolError("a text is no JSON object")
    return value


def write_object(fields: JsonObject) -> str:
    """Write compact JSON, fields in the given order: the same text as serde_json writes."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
