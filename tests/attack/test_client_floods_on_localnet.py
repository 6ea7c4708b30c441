"""A 3 and 5 on a whole network, at ten times the strength that once worked: what a client's own
apps, and the servers that it speaks with, can make it do. Each is a process of its own.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.testing.processes import child_process
from nymproxy.testing.stage import Stage
from nymproxy.testing.workloads import Target
from tests.attack.flood_scene import OVERHEAD_MEBIBYTES, Attacked, favour, upstream
from tests.survival.scene import tcp_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nymproxy.testing.processes import Child
    from tests.attack.figures import AttackFigures

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(900),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

SILENT_CONNECTIONS = 10_000
CONNECTIONS_PER_SECOND = 100
SILENT_SECONDS = 20
REQUESTS = 6_000
REQUESTS_PER_SECOND = 100
MEMORY_MEBIBYTES = 16


async def test_silent_connections_of_apps(tmp_path: Path, attack_figures: AttackFigures) -> None:
    """Each had an identity, of which each costs half a megabyte."""
    stage = Stage(folder=tmp_path, profile="bare", flags=("--grace-period", "2"))
    limit = ("--memory-limit", str(MEMORY_MEBIBYTES))
    each = ("--wire", "stream", "--identity-mode", "per-connection", *limit)
    async with (
        stage.localnet() as network,
        tcp_service(upstream) as service,
        stage.server(network.env_file, service) as server,
        stage.client(network.env_file, server.address, *each) as client,
    ):
        target = client.target()
        numbers = (target.port, SILENT_CONNECTIONS, CONNECTIONS_PER_SECOND, SILENT_SECONDS)
        arguments = ("tests.attack.silent_apps", *map(str, numbers))
        silent = child_process("silent", arguments, log_directory=tmp_path)
        favour(network.child, server.child, client.child)
        attacked = Attacked(client.child, target, attack_figures)
        await attacked.endure(silent, f"{SILENT_CONNECTIONS} silent connections, per-connection")
        attack_figures.check(memory_limit_bytes=(MEMORY_MEBIBYTES + OVERHEAD_MEBIBYTES) << 20)


@pytest.mark.parametrize("profile", ["bare", "default"])
async def test_a_server_that_asks_for_all_there_is(
    profile: str, tmp_path: Path, attack_figures: AttackFigures
) -> None:
    """Whoever holds SURBs of a client had it do nothing but make more."""
    stage = Stage(folder=tmp_path, profile=profile)
    async with stage.localnet() as network, tcp_service(upstream) as service:
        numbers = (str(REQUESTS), str(REQUESTS_PER_SECOND))
        hostile_server = child_process(
            "hostile",
            ("tests.attack.hostile_server", network.env_file, *numbers),
            log_directory=tmp_path,
        )
        async with stage.server(network.env_file, service) as server, hostile_server as hostile:
            addresses = (server.address, str(hostile.ready["address"]))
            arguments = ("tests.attack.victim", network.env_file, profile, *addresses)
            async with child_process("victim", arguments, log_directory=tmp_path) as victim:
                target = Target.listening_at(str(victim.ready["local_address"]), 60.0)
                favour(network.child, server.child, victim)
                attacked = Attacked(victim, target, attack_figures)
                strength = f"60 s, {REQUESTS_PER_SECOND} requests a second for all SURBs, {profile}"
                await attacked.endure(_greeted(attacked, hostile), strength)
                attack_figures.check(
                    memory_limit_bytes=(MEMORY_MEBIBYTES + OVERHEAD_MEBIBYTES) << 20
                )


@asynccontextmanager
async def _greeted(attacked: Attacked, hostile: Child) -> AsyncIterator[Child]:
    """A server attacks once it is greeted."""
    async with await attacked.connect() as app:
        await app.send(b"greet")
        with suppress(anyio.EndOfStream), anyio.fail_after(60):
            await app.receive()
    yield hostile
