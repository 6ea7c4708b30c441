"""What floods on a localnet have in common: who is attacked, and an app that asks meanwhile."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import SocketStream

    from nymproxy.testing.processes import Child
    from nymproxy.testing.workloads import Target
    from tests.attack.figures import AttackFigures

OVERHEAD_MEBIBYTES = 48
"""Of an interpreter that has been busy, beside what the account counts."""
PACKETS_PER_SECOND = 150.0
"""About as many as a localnet on one core carries beside honest traffic; more would measure it."""
REQUESTS = 20
ASK_PAUSE_SECONDS = 0.05
NICENESS = -10


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


def favour(*children: Child) -> None:
    """Let what carries honest requests go before others on its machine, where that may be asked
    for: what is measured is what it makes of an attack, and not who else wants the processor.

    Each child has a session of its own, and so, on most machines, a group of its own for the
    scheduler, whose weight is what counts.
    """
    for child in children:
        pid = child.process.pid
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
            Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))


class Attacked:
    """The process that is attacked, and an honest app whose requests go through it.

    Args:
        child: the process.
        target: where the app connects to.
        figures: of the attack.
        newcomer: where an app connects to whose requests go through it under an identity that it
            does not know.
    """

    def __init__(
        self,
        child: Child,
        target: Target,
        figures: AttackFigures,
        newcomer: Target | None = None,
    ) -> None:
        self.child = child
        self.target = target
        self.newcomer = newcomer
        self.figures = figures
        figures.pids = [child.process.pid]
        figures.clock = time.monotonic

    async def connect(self, target: Target | None = None) -> SocketStream:
        target = target or self.target
        return await anyio.connect_tcp(target.host, target.port)

    async def ask_once(self, target: Target) -> float:
        """Return how long a new connection and its first request take."""
        began = time.monotonic()
        async with await self.connect(target) as app:
            await self.ask(app)
        return time.monotonic() - began

    async def ask(self, app: SocketStream) -> None:
        with self.figures.honest(), anyio.fail_after(300):
            await app.send(b"ask")
            assert await app.receive() == b"ask"
        await anyio.sleep(ASK_PAUSE_SECONDS)

    async def endure(self, attack: AbstractAsyncContextManager[Child], strength: str) -> None:
        """Ask before, during and after an attack, which lasts as long as its process."""
        async with await self.connect() as app:
            for _ in range(REQUESTS):
                await self.ask(app)
            pid = self.child.process.pid
            cpu, waited = self.child.cpu_seconds() or 0.0, waited_seconds(pid)
            async with attack as attacker:
                with self.figures.attack(strength):
                    while attacker.process.returncode is None:
                        await self.ask(app)
                    took = await self.ask_once(self.target)
                    self.figures.notes["new connection"] = f"{took:.2f} s"
                    if self.newcomer is not None:
                        took = await self.ask_once(self.newcomer)
                        self.figures.notes["new client"] = f"{took:.2f} s"
                assert attacker.process.returncode == 0, attacker.log.read_text()[-2000:]
            cpu, waited = (self.child.cpu_seconds() or 0.0) - cpu, waited_seconds(pid) - waited
            self.figures.notes["costs"] = f"{cpu:.1f} s of CPU, {waited:.1f} s without a processor"
            for _ in range(REQUESTS):
                await self.ask(app)
