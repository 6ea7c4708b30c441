"""Tests that would take minutes: on trio alone, whose clock jumps when everybody waits."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing


def virtual_clock() -> tuple[str, dict[str, Any]]:
    """Return a backend for one test."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Import this into a test module to give all its tests a virtual clock."""
    return virtual_clock()
