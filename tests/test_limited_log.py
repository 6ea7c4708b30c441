"""Log lines that strangers cause."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nymproxy._limited_log import LimitedLog

if TYPE_CHECKING:
    import pytest


def test_one_line_of_a_kind_in_a_while_and_a_count_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = LimitedLog(logging.getLogger("test"), interval_seconds=10.0)
    for now in (0.0, 1.0, 9.9):
        log.warning(now, "%d refused", 7)
    log.warning(1.0, "another kind")
    log.warning(10.0, "%d refused", 8)
    log.warning(30.0, "%d refused", 9)
    assert caplog.messages == [
        "7 refused",
        "another kind",
        "8 refused (and 2 more like this)",
        "9 refused",
    ]


def test_what_is_no_warning_is_counted_likewise(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "test")
    log = LimitedLog(logging.getLogger("test"), interval_seconds=10.0)
    for now in (0.0, 1.0, 11.0):
        log.info(now, "the pool is empty")
    assert caplog.record_tuples == [
        ("test", logging.INFO, "the pool is empty"),
        ("test", logging.INFO, "the pool is empty (and 1 more like this)"),
    ]
