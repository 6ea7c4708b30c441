"""nymproxy.mixnet.storage.timestamps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.errors import StorageError
from nymproxy.mixnet.storage.timestamps import NANOSECONDS, format_timestamp, parse_timestamp

YEAR_10000 = 253402300800


@pytest.mark.parametrize(
    ("value", "unix_ns"),
    [
        ("2026-01-01T00:00:00Z", 1767225600 * NANOSECONDS),
        ("1970-01-01 00:00:00", 0),
        (1767225600, 1767225600 * NANOSECONDS),
        ("2027-01-15T08:00:00.123456791Z", 1800000000123456791),
        ("2027-01-15 08:00:00.5", 1800000000500000000),
        ("2027-01-15 10:00:00+02:00", 1800000000 * NANOSECONDS),
        ("2027-01-15 06:30:00.25-01:30", 1800000000250000000),
        ("1969-12-31T23:59:59.9Z", -100000000),
    ],
)
def test_forms(value: object, unix_ns: int) -> None:
    assert parse_timestamp(value) == unix_ns


@pytest.mark.parametrize(
    ("unix_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1767225600 * NANOSECONDS, "2026-01-01T00:00:00Z"),
        (1800000000123456790, "2027-01-15T08:00:00.12345679Z"),
    ],
)
def test_writing(unix_ns: int, text: str) -> None:
    assert format_timestamp(unix_ns) == text


@given(st.integers(0, YEAR_10000 * NANOSECONDS - 1))
def test_round_trip(unix_ns: int) -> None:
    assert parse_timestamp(format_timestamp(unix_ns)) == unix_ns


@given(st.datetimes(timezones=st.just(UTC)))
def test_agrees_with_the_standard_library(moment: datetime) -> None:
    microseconds = parse_timestamp(moment.isoformat(sep=" ")) // 1000
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert microseconds == (delta.days * 86400 + delta.seconds) * 10**6 + delta.microseconds


@given(st.one_of(st.text(), st.none(), st.floats(), st.booleans(), st.binary()))
def test_never_crashes(value: object) -> None:
    with pytest.raises(StorageError):
        parse_timestamp(value)


@given(
    st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)?", fullmatch=True)
)
def test_never_crashes_on_near_misses(value: str) -> None:
    try:
        assert isinstance(parse_timestamp(value), int)
    except StorageError:
        return


def test_out_of_range() -> None:
    with pytest.raises(StorageError):
        format_timestamp(YEAR_10000 * NANOSECONDS)
