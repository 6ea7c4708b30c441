"""Times and durations as a directory writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nymproxy._strict_json import U32, U64
from nymproxy.errors import DirectoryFormatError

if TYPE_CHECKING:
    from nymproxy._strict_json import Fields

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


def duration_ns(fields: Fields) -> int:
    """Return a duration ``{"secs", "nanos"}`` in nanoseconds.

    Raises:
        DirectoryFormatError: it is none.
    """
    return fields.integer("secs", U64) * 1_000_000_000 + fields.integer("nanos", U32)


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
