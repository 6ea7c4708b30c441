"""Echo round trips through mix nodes that hold packets back, as those of the real network do.

Everything else in a run on the localnet goes without these delays, since they hide the work of the
proxies. What users feel is the delays; so each side echoes once with them, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from nymproxy import PROFILES, NetworkDetails, NymProxyClient, NymProxyServer
from nymproxy.testing import workloads
from nymproxy.testing.workloads import Target
from nymproxy_migrate.parity.measure import Measured, one_workload
from nymproxy_migrate.parity.model import MIXED_ECHO

if TYPE_CHECKING:
    from nymproxy_migrate.parity.measure import Report, Settings
    from nymproxy_migrate.parity.model import Side
    from nymproxy_migrate.parity.sides import Ways
    from nymproxy_migrate.parity.stage import Stage

MIXED = replace(
    PROFILES["bare"],
    name="mixed",
    packet_delay_seconds=PROFILES["default"].packet_delay_seconds,
    ack_delay_seconds=PROFILES["default"].ack_delay_seconds,
)
"""The delays of a stock client, without its cover traffic: that would need a core by itself."""


async def mixed_echo(stage: Stage, settings: Settings, report: Report) -> dict[Side, Measured]:
    """Run a pair of each side with the delays, and echo through both at once.

    Args:
        stage: a localnet's.
        settings: how to measure.
        report: is told about each side as it ends.
    """
    found: dict[Side, Measured] = {}
    network = NetworkDetails.from_env_file(stage.env_file)

    async def measure(way: Ways) -> None:
        assert way.upstream is not None
        server = await NymProxyServer.create(
            way.upstream.address, None, network=network, profile=MIXED
        )
        async with anyio.create_task_group() as tasks:
            await tasks.start(server.run)
            client = NymProxyClient(
                server.nym_address(),
                listen_port=0,
                default_client_amount=0,
                wire=way.side.value,
                network=network,
                profile=MIXED,
            )
            async with client:
                delayed = replace(way, target=Target(*client.local_address), network=None)
                found[way.side] = await one_workload(
                    delayed,
                    settings,
                    MIXED_ECHO,
                    lambda target: workloads.round_trips(
                        target, settings.sizes.mixed_round_trips, seed=settings.seed * 1000 + 4
                    ),
                )
            report(MIXED_ECHO, way.side, found[way.side].result)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for way in stage.ways:
            tasks.start_soon(measure, way)
    return found
