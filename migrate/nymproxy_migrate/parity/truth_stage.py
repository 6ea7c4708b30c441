"""Where things are broken on purpose: a localnet and pairs of their own, so that nothing else is.

Gateways that are gone do not come back, and servers are killed; the pairs whose work is measured
stand on another network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from nymproxy.localnet import FaultPlan, Localnet, LocalnetConfig, PushAction, PushFault
from nymproxy_migrate.parity.model import Side
from nymproxy_migrate.parity.stage import Stage, Started, temporary_folder
from nymproxy_migrate.parity.truths import Breakable, Troubles, measure, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import TaskGroup, TaskStatus

    from nymproxy_migrate.parity.outcomes import Patience, Seen
    from nymproxy_migrate.parity.truths import Upstream

GATEWAYS = 3
"""Servers are at the first two of them, the old one at the first."""
_ALTERED_EACH = 10
_ALTERED_PACKETS = 20


def _altering(client: str) -> Iterator[PushFault]:
    """Flip a bit of each tenth packet to a client, where one of a download has application bytes.

    By count, so that what is altered is of the download however few packets it takes: beside cover
    traffic that is half of what comes.
    """
    for nth in range(1, _ALTERED_PACKETS + 1):
        yield PushFault(
            action=PushAction.ALTER,
            client=client,
            packet="regular",
            skip=nth * _ALTERED_EACH - 1,
            count=1,
            offsets=(1200,),
            mask=0x10,
        )


@dataclass(slots=True)
class _Pair:
    """One side's processes.

    Attributes:
        stage: starts them.
        tasks: each process has one of its own.
        is_over: ends all.
        upstream: where the server leads.
        side: which one.
        server: the one that runs now.
        client: of it.
    """

    stage: Stage
    tasks: TaskGroup
    is_over: anyio.Event
    upstream: Upstream
    side: Side
    server: Started | None = None
    client: Started | None = None

    async def start(self) -> None:
        self.server = await self._started_server()
        name = f"{self.side.value}-client"
        self.client = await self.tasks.start(
            self._host, self.stage.client(name, self.side, self.server.address)
        )

    async def _started_server(self) -> Started:
        server = self.stage.server(self.side, self.upstream.address)
        started: Started = await self.tasks.start(self._host, server)
        return started

    async def _host(
        self, process: AbstractAsyncContextManager[Started], *, task_status: TaskStatus[Started]
    ) -> None:
        """Run a process until all is over. The task groups that follow the logs of old ones have to
        end in the task where they have begun, and a server is restarted in another one."""
        async with process as started:
            task_status.started(started)
            await self.is_over.wait()

    async def restart_server(self) -> None:
        assert self.server is not None
        self.server.process.kill()
        await self.server.process.wait()
        self.server = await self._started_server()

    def identity(self) -> str:
        """The server's, as the fault plan names clients of a gateway."""
        assert self.server is not None
        return self.server.address.partition(".")[0]

    def breakable(self) -> Breakable:
        assert self.client is not None
        assert self.client.target is not None
        return Breakable(self.side, self.client.target, self.upstream, self.restart_server)


async def see_truths(
    like: Stage, patience: Patience, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> Mapping[Side, Mapping[str, Seen]]:
    """Run pairs as those of another stage, break them, and return what applications saw.

    Args:
        like: whose flags, programs and profile they have.
        patience: how long each failure is watched.
        task_status: is told when nothing is left to do but wait.
    """
    async with (
        temporary_folder() as folder,
        serve() as upstream,
        Localnet(LocalnetConfig(gateways=GATEWAYS)) as localnet,
        anyio.create_task_group() as tasks,
    ):
        first, second, *_ = localnet.gateways
        at = (str(first.identity), str(second.identity))
        stage = replace(like, env_file=localnet.env_file, folder=folder, gateways=at)
        is_over = anyio.Event()
        pairs = [_Pair(stage, tasks, is_over, upstream, side) for side in Side]
        async with anyio.create_task_group() as starting:
            for pair in pairs:
                starting.start_soon(pair.start)

        async def alter_some() -> None:
            servers = {pair.identity() for pair in pairs}
            connected = {name for names in (await localnet.clients()).values() for name in names}
            faults = (fault for name in connected - servers for fault in _altering(name))
            await localnet.set_faults(FaultPlan(pushes=tuple(faults)))

        troubles = Troubles(
            alter_some,
            partial(localnet.set_faults, FaultPlan()),
            partial(localnet.remove_node, first.name),
        )
        ways = [pair.breakable() for pair in pairs]
        found = await measure(ways, troubles, patience, task_status=task_status)
        is_over.set()
    return found
