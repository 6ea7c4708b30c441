"""Parity: a fault on the stream side turns the run red and is named; without one it is green."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from nymproxy.testing.upstream import serve_upstream
from nymproxy_migrate.parity.compare import compare
from nymproxy_migrate.parity.measure import Settings, SideMeasurements, measure
from nymproxy_migrate.parity.model import Row, Side, Verdict
from nymproxy_migrate.parity.relay import RelayTotals, relay, unaltered
from nymproxy_migrate.parity.sides import Sizes
from nymproxy_migrate.refused import Refused
from tests.migrate.parity_faults import doubled, loopback, lost_end, stalled, swapped

if TYPE_CHECKING:
    from nymproxy.testing.upstream import Upstream
    from nymproxy_migrate.parity.relay import Alteration
    from nymproxy_migrate.parity.sides import Ways

SMALL = Sizes(
    first_bytes=2,
    round_trips=5,
    download_bytes=100_000,
    upload_bytes=20_000,
    connections=2,
    connection_bytes=5_000,
)
SETTINGS = Settings(SMALL, timeout_seconds=30)
IMPATIENT = replace(SETTINGS, end_of_data_seconds=0.3)
"""For ends of data that never come."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the tool's own


async def rows_of(
    up: Alteration = unaltered, down: Alteration = unaltered, settings: Settings = SETTINGS
) -> dict[str, Row]:
    async with loopback(up=up, down=down) as ways:
        found = await measure(ways, settings, lambda *_: None)
    return {row.name: row for row in compare(found[Side.LEGACY], found[Side.STREAM])}


def worse(rows: dict[str, Row]) -> set[str]:
    return {row.name for row in rows.values() if row.verdict is Verdict.WORSE}


async def test_without_a_fault_nothing_is_worse() -> None:
    rows = await rows_of()
    assert worse(rows) == set()
    assert (rows["at_once.connections"].legacy, rows["at_once.connections"].stream) == (2, 2)
    assert rows["half_close.eof_at_upstream"].stream == 1
    assert rows["upstream_down.visible"].legacy is True
    skipped = {row.name for row in rows.values() if row.verdict is Verdict.SKIPPED}
    assert "download.packets_per_kb" in skipped
    assert all(row.note for row in rows.values() if row.verdict is Verdict.SKIPPED)


async def test_a_lost_end_of_data_is_named() -> None:
    found = worse(await rows_of(down=lost_end, settings=IMPATIENT))
    assert {"download.eof_at_app", "half_close.eof_at_app", "at_once.eof_at_app"} <= found
    assert "download.digest" not in found


async def test_a_lost_end_of_data_towards_the_upstream_is_named() -> None:
    rows = await rows_of(up=lost_end, settings=IMPATIENT)
    found = worse(rows)
    assert {"half_close.eof_at_upstream", "at_once.eof_at_upstream"} <= found
    assert not {name for name in found if name.endswith((".digest", ".order"))}
    assert (rows["at_once.eof_at_upstream"].legacy, rows["at_once.eof_at_upstream"].stream) == (
        2,
        0,
    )


async def test_a_swapped_message_is_named() -> None:
    rows = await rows_of(down=swapped)
    assert {"download.digest", "download.order", "half_close.order", "at_once.order"} <= worse(rows)
    assert "download.eof_at_app" not in worse(rows)
    assert rows["download.order"].note.startswith("stream: other bytes from offset")


async def test_a_doubled_message_is_named() -> None:
    found = worse(await rows_of(down=doubled))
    assert {"download.digest", "download.order", "at_once.digest"} <= found


@pytest.mark.parametrize("seconds", [2.5, pytest.param(7.0, marks=pytest.mark.exhaustive)])
async def test_a_stall_is_named(seconds: float) -> None:
    found = worse(await rows_of(down=stalled(seconds)))
    assert {"download.longest_pause_ms", "download.goodput"} <= found
    assert "download.digest" not in found


async def test_nothing_that_works_is_not_taken_for_parity() -> None:
    """Where both sides fail alike, the run is red all the same."""

    settings = replace(IMPATIENT, timeout_seconds=0.2, refusal_seconds=0.2)
    async with loopback() as ways, relay("127.0.0.1:1") as nowhere:
        broken = [replace(way, http=nowhere.address, greeter=nowhere.address) for way in ways]
        found = await measure(broken, settings, lambda *_: None)
    rows = {row.name: row for row in compare(found[Side.LEGACY], found[Side.STREAM])}
    assert {"first_byte.digest", "download.digest", "greeting.digest"} <= worse(rows)
    assert rows["download.goodput"].verdict is Verdict.SKIPPED


async def test_an_upstream_that_is_not_ours_is_asked() -> None:
    async with loopback(up=lost_end) as ways, serve_upstream() as upstream:
        asking = [foreign(way, upstream) for way in ways]
        for way in ways:
            assert way.upstream is not None
            way.upstream.lead_to(upstream.http)
        found = await measure(asking, replace(IMPATIENT, timeout_seconds=3), lambda *_: None)
    rows = {row.name: row for row in compare(found[Side.LEGACY], found[Side.STREAM])}
    assert rows["half_close.eof_at_upstream"].legacy == 1
    assert {"half_close.eof_at_upstream", "at_once.eof_at_upstream"} <= worse(rows)
    assert rows["at_once.connections"].verdict is Verdict.SAME
    assert rows["download.connections"].verdict is Verdict.SKIPPED
    assert rows["upstream_down.visible"].verdict is Verdict.SKIPPED


async def test_servers_with_another_upstream_are_refused() -> None:
    async with loopback() as ways:
        nowhere = [replace(way, upstream=None) for way in ways]
        for way in ways:
            assert way.upstream is not None
            await way.upstream.refuse()
        with pytest.raises(Refused, match=r"nymproxy\.testing\.upstream"):
            await measure(nowhere, SETTINGS, lambda *_: None)


def foreign(way: Ways, upstream: Upstream) -> Ways:
    """The same way as if the upstream ran somewhere else and could only be asked."""

    async def ask() -> RelayTotals:
        record = upstream.record
        return RelayTotals(record.connections, record.ends_of_data, record.resets)

    return replace(way, upstream=None, statistics=ask)


async def test_what_only_took_longer_is_measured_again(anyio_backend: str) -> None:
    """A machine may be busy once; what is wrong once is wrong."""
    told: list[str] = []
    asked: list[set[str]] = []

    def slower(found: dict[Side, SideMeasurements]) -> set[str]:
        asked.append(set(found[Side.STREAM].workloads))
        return {"echo"}

    async with loopback() as ways:
        await measure(ways, SETTINGS, lambda name, *_: told.append(name), slower)
    assert [name for name in told if told.count(name) == 4] == ["echo"] * 4
    assert told[-2:] == ["echo", "echo"]
    assert len(asked) == 1
