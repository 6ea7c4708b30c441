"""Why a worker ended."""

from __future__ import annotations

import signal

import pytest

from nymproxy_migrate.workers import limits


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (-signal.SIGPROF, limits.OUT_OF_TIME),
        (-signal.SIGABRT, limits.OUT_OF_MEMORY),
        (-signal.SIGSEGV, limits.Failure("its parser crashes on it (SIGSEGV)")),
        (0xC0000005, limits.Failure("its parser crashes on it (0xC0000005)")),
        (3, limits.Failure("reading it ends the process that reads it")),
    ],
)
def test_reasons(code: int, failure: limits.Failure) -> None:
    assert limits.ended_by(code) == failure


def test_memory_is_told() -> None:
    assert limits.peak_bytes() > 1 << 20
