"""Timestamps in the databases of Rust clients, in nanoseconds since the Unix epoch.

sqlx-sqlite writes RFC 3339 text in UTC with as many fraction digits as needed; it also reads whole
Unix seconds and ``YYYY-MM-DD HH:MM:SS[.f][+HH:MM]``, which is UTC when there is no offset.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from nymproxy.errors import StorageError

NANOSECONDS = 1_000_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(?:[Zz]|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)


def parse_timestamp(value: object) -> int:
    """Read any of the three forms.

    Raises:
        StorageError: it is none of them.
    """
    if type(value) is int:
        return value * NANOSECONDS
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise StorageError("the gateway database holds a time in an unknown form")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as error:
        raise StorageError("the gateway database holds a time that does not exist") from error
    whole = (moment - _EPOCH) // timedelta(seconds=1)
    return whole * NANOSECONDS + int((fraction or "").ljust(9, "0"))


def format_timestamp(unix_ns: int) -> str:
    """Write RFC 3339 text in UTC, with fraction digits only as needed.

    Raises:
        StorageError: the time lies outside the years 1 to 9999.
    """
    whole, fraction = divmod(unix_ns, NANOSECONDS)
    try:
        text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError as error:
        raise StorageError("a time lies outside what the database can hold") from error
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text.rjust(19, '0')}{'.' + digits if digits else ''}Z"
