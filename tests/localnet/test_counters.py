"""A network that its machine cannot keep up with says so, once for each power of ten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.localnet.counters import DropReason, NodeCounters

if TYPE_CHECKING:
    import pytest


def test_an_overload_is_said_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    counters = NodeCounters()
    for _ in range(120):
        counters.drop(DropReason.QUEUE_FULL)
    said = [record.getMessage() for record in caplog.records]
    assert [line.split()[5] for line in said] == ["1", "10", "100"]
    assert all(line.startswith("queue_full: ") for line in said)


def test_drops_for_other_reasons_are_only_counted(caplog: pytest.LogCaptureFixture) -> None:
    counters = NodeCounters()
    counters.drop(DropReason.REPLAYED, 10)
    assert counters.dropped(DropReason.REPLAYED) == 10
    assert not caplog.records
