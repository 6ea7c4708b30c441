"""A 1 to 4 and 6 on a whole network, at ten times the strength that once worked: commands that run,
packets that are real, and a process each for server, honest client, attacker and network.

In seconds, and in one process each, these attacks are in the modules of their numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy.testing.processes import child_process
from nymproxy.testing.stage import Stage
from tests.attack.flood_scene import (
    OVERHEAD_MEBIBYTES,
    PACKETS_PER_SECOND,
    Attacked,
    favour,
    upstream,
)
from tests.survival.scene import tcp_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.attack.figures import AttackFigures

MEMORY_MEBIBYTES = 16
LARGE_MEMORY_MEBIBYTES = 128
"""Four times the largest message: with less it is not even put together."""


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("profile", ["bare", "default"])
@pytest.mark.parametrize(
    ("attack", "count"),
    [
        ("answers_that_wait", 800),
        ("downloads_that_die", 640),
        ("silent_opens", 10_300),
        ("opens_and_resets", 5_000),
        ("bytes_that_nobody_reads", 32),
        ("thousands_of_surbs", 1_000),
        ("messages_of_surbs", 10),
        ("pings", 5_000),
    ],
)
async def test_a_flood(
    attack: str,
    count: int,
    profile: str,
    tmp_path: Path,
    attack_figures: AttackFigures,
) -> None:
    memory = LARGE_MEMORY_MEBIBYTES if attack == "messages_of_surbs" else MEMORY_MEBIBYTES
    stage = Stage(folder=tmp_path, profile=profile, flags=("--grace-period", "2"))
    shared = ("--wire", "stream", "--identity-mode", "shared")
    async with (
        stage.localnet() as network,
        tcp_service(upstream) as service,
        stage.server(network.env_file, service, "--memory-limit", str(memory)) as server,
        stage.client(network.env_file, server.address, *shared) as client,
        stage.client(network.env_file, server.address, *shared) as newcomer,
    ):
        arguments = (network.env_file, server.address, attack, str(count), str(PACKETS_PER_SECOND))
        stranger = child_process(
            "stranger", ("tests.attack.stranger", *arguments), log_directory=tmp_path
        )
        favour(network.child, server.child, client.child, newcomer.child)
        attacked = Attacked(server.child, client.target(), attack_figures, newcomer.target())
        await attacked.endure(stranger, f"{count} {attack.replace('_', ' ')}, {profile}")
        attack_figures.check(memory_limit_bytes=(memory + OVERHEAD_MEBIBYTES) << 20)
