"""A 1 to 4 on a whole network, at ten times the strength that once worked: commands that run,
packets that are real, and a process each for server, honest client, attacker and network.

In seconds, and in one process each, these attacks are in the modules of their numbers.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from nymproxy.testing.processes import child_process
from nymproxy.testing.stage import Stage
from tests.survival.scene import tcp_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

    from nymproxy.testing.stage import StagedClient, StagedServer
    from tests.attack.figures import AttackFigures

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.timeout(900),
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]

MEMORY_MEBIBYTES = 16
OVERHEAD_MEBIBYTES = 48
"""Of an interpreter that has been busy, beside what the account counts."""
PACKETS_PER_SECOND = 150.0
"""About as many as a localnet on one core carries beside honest traffic; more would measure it."""
ASK_PAUSE_SECONDS = 0.05


async def upstream(stream: SocketStream) -> None:
    """Do as the first bytes say: echo, answer with 100 kB again and again, or never read again."""
    while True:
        data = await stream.receive()
        if data.startswith(b"ask"):
            await stream.send(data)
        elif data.startswith(b"long"):
            await stream.send(bytes(100_000))
        else:
            await anyio.sleep_forever()


def waited_seconds(pid: int) -> float:
    """How long a process was ready to run and had no processor."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[1]) for task in tasks) / 1e9


class Pair:
    """A server, an honest client, and an app with a connection."""

    def __init__(
        self, env_file: str, server: StagedServer, client: StagedClient, figures: AttackFigures
    ) -> None:
        self.env_file = env_file
        self.server = server
        self.client = client
        self.figures = figures

    async def connect(self) -> SocketStream:
        target = self.client.target()
        return await anyio.connect_tcp(target.host, target.port)

    async def ask(self, app: SocketStream) -> None:
        with self.figures.honest(), anyio.fail_after(300):
            await app.send(b"ask")
            assert await app.receive() == b"ask"
        await anyio.sleep(ASK_PAUSE_SECONDS)

    def note_costs(self, cpu_before: float | None, waited_before: float) -> None:
        child = self.server.child
        cpu = (child.cpu_seconds() or 0.0) - (cpu_before or 0.0)
        waited = waited_seconds(child.process.pid) - waited_before
        self.figures.notes["server"] = f"{cpu:.1f} s of CPU, {waited:.1f} s without a processor"


@asynccontextmanager
async def pair(folder: Path, profile: str, figures: AttackFigures) -> AsyncIterator[Pair]:
    stage = Stage(folder=folder, profile=profile, flags=("--grace-period", "2"))
    limit = ("--memory-limit", str(MEMORY_MEBIBYTES))
    shared = ("--wire", "stream", "--identity-mode", "shared")
    async with (
        stage.localnet() as network,
        tcp_service(upstream) as service,
        stage.server(network.env_file, service, *limit) as server,
        stage.client(network.env_file, server.address, *shared) as client,
    ):
        figures.pids = [server.child.process.pid]
        figures.clock = time.monotonic
        yield Pair(network.env_file, server, client, figures)


@pytest.mark.parametrize("profile", ["bare", "default"])
@pytest.mark.parametrize(
    ("attack", "count"),
    [
        ("answers_that_wait", 800),
        ("silent_opens", 10_300),
        ("opens_and_resets", 5_000),
        ("bytes_that_nobody_reads", 32),
    ],
)
async def test_a_flood(
    attack: str, count: int, profile: str, tmp_path: Path, attack_figures: AttackFigures
) -> None:
    async with pair(tmp_path, profile, attack_figures) as both, await both.connect() as app:
        for _ in range(20):
            await both.ask(app)
        child = both.server.child
        before = child.cpu_seconds(), waited_seconds(child.process.pid)
        arguments = ("tests.attack.stranger", both.env_file, both.server.address)
        strength = f"{count} {attack.replace('_', ' ')}, {profile}"
        async with child_process(
            "stranger",
            (*arguments, attack, str(count), str(PACKETS_PER_SECOND)),
            log_directory=tmp_path,
        ) as stranger:
            with attack_figures.attack(strength):
                while stranger.process.returncode is None:
                    await both.ask(app)
                began = time.monotonic()
                async with await both.connect() as another:
                    await both.ask(another)
                attack_figures.notes["new connection"] = f"{time.monotonic() - began:.2f} s"
            assert stranger.process.returncode == 0, stranger.log.read_text()[-2000:]
        both.note_costs(*before)
        for _ in range(20):
            await both.ask(app)
        attack_figures.check(memory_limit_bytes=(MEMORY_MEBIBYTES + OVERHEAD_MEBIBYTES) << 20)
