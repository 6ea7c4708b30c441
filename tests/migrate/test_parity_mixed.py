"""Echoes through mix nodes with delays, on a real localnet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy import PROFILES
from nymproxy.testing.localnet import Localnet, LocalnetConfig
from nymproxy.testing.upstream import serve_upstream
from nymproxy.testing.workloads import Target
from nymproxy_migrate.parity.compare import compare
from nymproxy_migrate.parity.measure import Settings, SideMeasurements
from nymproxy_migrate.parity.mixed import MIXED, mixed_echo
from nymproxy_migrate.parity.model import MIXED_ECHO, Side, Verdict
from nymproxy_migrate.parity.relay import relay
from nymproxy_migrate.parity.sides import Sizes, Ways
from nymproxy_migrate.parity.stage import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy.testing.workloads import WorkloadResult

ROUND_TRIPS = 8


def test_the_delays_are_those_of_a_stock_client_and_nothing_else_is() -> None:
    assert MIXED.packet_delay_seconds == PROFILES["default"].packet_delay_seconds > 0
    assert MIXED.sending_delay_seconds is None
    assert MIXED.loop_cover_delay_seconds is None


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_both_sides_echo_and_are_compared(tmp_path: Path) -> None:
    said: list[tuple[str, Side]] = []

    def report(name: str, side: Side, result: WorkloadResult) -> None:
        assert result.ok, result.problem
        said.append((name, side))

    async with (
        Localnet(LocalnetConfig()) as localnet,
        serve_upstream() as upstream,
        relay(upstream.http) as legacy,
        relay(upstream.http) as stream,
    ):
        unused = Target("127.0.0.1", 1)
        ways = [
            Ways(side, unused, gate, upstream.http, upstream.greeter)
            for side, gate in ((Side.LEGACY, legacy), (Side.STREAM, stream))
        ]
        stage = Stage(localnet.env_file, "bare", tmp_path, ways=ways)
        settings = Settings(Sizes(mixed_round_trips=ROUND_TRIPS))
        found = await mixed_echo(stage, settings, report)
    assert {side for _, side in said} == set(Side)
    assert all(len(one.result.round_trips_seconds) == ROUND_TRIPS for one in found.values())
    measured = {side: SideMeasurements(side, {MIXED_ECHO: one}) for side, one in found.items()}
    rows = compare(measured[Side.LEGACY], measured[Side.STREAM])
    verdicts = {row.name: row.verdict for row in rows if row.group == MIXED_ECHO}
    for name in ("digest", "order", "eof_at_app", "eof_at_upstream", "connections"):
        assert verdicts[f"{MIXED_ECHO}.{name}"] is Verdict.SAME
    assert f"{MIXED_ECHO}.rtt_p50_ms" in verdicts
