"""Reading JSON from elsewhere: every surprise is a DirectoryFormatError."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nymproxy.errors import DirectoryFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_RFC3339 = re.compile(
    _DATE
    + "[Tt]"
    + _TIME
    + r"(?:\.(?P<fraction>\d+))?"
    + r"(?:[Zz]|(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d)(?P<seconds>))",
    re.ASCII,
)
_HUMAN_READABLE = re.compile(
    _DATE
    + " "
    + _TIME
    + r"\.(?P<fraction>\d{1,9}) "
    + r"(?P<sign>[+-])(?P<hours>\d\d)(?::(?P<minutes>\d\d)(?::(?P<seconds>\d\d))?)?",
    re.ASCII,
)


def parse_json(body: bytes) -> object:
    """Parse a body.

    Raises:
        DirectoryFormatError: it is no JSON in UTF-8, or is nested too deeply.
    """
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise DirectoryFormatError("the directory's answer is no JSON") from error


def expect_object(value: object) -> Mapping[str, object]:
    """Return a JSON object.

    Raises:
        DirectoryFormatError: the value is something else.
    """
    if not isinstance(value, dict):
        raise DirectoryFormatError("something else where an object should be")
    return value


def expect_list(value: object) -> list[object]:
    """Return a JSON list.

    Raises:
        DirectoryFormatError: the value is something else.
    """
    if not isinstance(value, list):
        raise DirectoryFormatError("something else where a list should be")
    return value


def integer(fields: Mapping[str, object], name: str, *, bits: int) -> int:
    """Return an unsigned integer field.

    Raises:
        DirectoryFormatError: it is missing or does not fit.
    """
    return expect_integer(fields.get(name), name, bits=bits)


def expect_integer(value: object, name: str, *, bits: int) -> int:
    """Return an unsigned integer; JSON's ``true`` is none.

    Raises:
        DirectoryFormatError: it is something else or does not fit.
    """
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise DirectoryFormatError(f"the field {name} is no unsigned number of {bits} bits")
    return value


def optional_integer(fields: Mapping[str, object], name: str, *, bits: int) -> int | None:
    """As :func:`integer`, but a missing field or ``null`` gives ``None``."""
    return None if fields.get(name) is None else integer(fields, name, bits=bits)


def text(fields: Mapping[str, object], name: str) -> str:
    """Return a text field.

    Raises:
        DirectoryFormatError: it is missing or no text.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise DirectoryFormatError(f"the field {name} is no text")
    return value


def optional_text(fields: Mapping[str, object], name: str) -> str | None:
    """As :func:`text`, but a missing field or ``null`` gives ``None``."""
    return None if fields.get(name) is None else text(fields, name)


def truth(fields: Mapping[str, object], name: str) -> bool:
    """Return a boolean field; a missing one is false.

    Raises:
        DirectoryFormatError: it is something else.
    """
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise DirectoryFormatError(f"the field {name} is no boolean")
    return value


def duration_ns(value: object) -> int:
    """Return a duration ``{"secs", "nanos"}`` in nanoseconds.

    Raises:
        DirectoryFormatError: it is none.
    """
    fields = expect_object(value)
    seconds = integer(fields, "secs", bits=64)
    return seconds * 1_000_000_000 + integer(fields, "nanos", bits=32)


def rfc3339_ns(value: str) -> int:
    """Return a time in RFC 3339 as nanoseconds since the Unix epoch.

    Raises:
        DirectoryFormatError: it is none.
    """
    time = _parse(_RFC3339, value)
    if time is None:
        raise DirectoryFormatError("a time that is not in the form of RFC 3339")
    return time


def refreshed_at_ns(value: str) -> int:
    """Return a ``refreshed_at`` as nanoseconds since the Unix epoch.

    Two forms are read: RFC 3339 and ``2026-01-02 03:04:05.678 +00:00:00``. Anything else means the
    Unix epoch, as in the Rust clients.
    """
    time = _parse(_RFC3339, value)
    if time is None:
        time = _parse(_HUMAN_READABLE, value)
    return 0 if time is None else time


def _parse(form: re.Pattern[str], value: str) -> int | None:
    match = form.fullmatch(value)
    if match is None:
        return None
    calendar = (int(match[part]) for part in ("year", "month", "day", "hour", "minute", "second"))
    year, month, day, hour, minute, second = calendar
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    offset = timedelta(**{unit: int(match[unit] or 0) for unit in ("hours", "minutes", "seconds")})
    since_epoch = moment - _EPOCH + (offset if match["sign"] == "-" else -offset)
    whole_seconds = since_epoch.days * 86_400 + since_epoch.seconds
    return whole_seconds * 1_000_000_000 + int((match["fraction"] or "").ljust(9, "0")[:9])
