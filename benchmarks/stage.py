"""The processes of a measurement: localnet, upstream, proxy server, proxy clients.

Each part has a process of its own, so that its CPU time is its own. A stage is of one profile; its
pairs use one identity each (``shared``), so that the figures are those of the transport and not of
setting identities up in the background. W2 starts clients with fresh identities instead.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from benchmarks.sampler import RESET_SIGNAL
from benchmarks.usage import Usage, descriptors, resident_bytes
from nymproxy.testing.counters import NetworkTotals, network_totals
from nymproxy.testing.stage import Stage, StagedClient, StagedNetwork, StagedServer, StagedUpstream
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from types import TracebackType

    from nymproxy.localnet.faults import FaultPlan

T = TypeVar("T")

SERVER_LIMITS = (
    *("--max-sessions", "20000", "--max-sessions-per-client", "20000", "--connect-rate", "10000"),
)
CLIENT_LIMITS = ("--max-connections", "20000")
"""What strangers are kept to by default is not what is measured."""

TIMEOUT_SECONDS = 300.0
PARTIES = ("client", "server", "nodes")


@dataclass(frozen=True, slots=True)
class Spent:
    """What an operation cost, by party: ``client``, ``server``, ``nodes``.

    Attributes:
        cpu_seconds: of each process of each party.
        queued_seconds: how long each party was ready to run and had no core.
        network: packets and bytes that clients handed to gateways, and drops.
        peak_memory_bytes: resident set of each party at its largest so far.
    """

    cpu_seconds: dict[str, tuple[float, ...]]
    queued_seconds: dict[str, float]
    network: NetworkTotals
    peak_memory_bytes: dict[str, int]

    def cpu_of(self, party: str) -> float:
        """Return a party's CPU seconds."""
        return sum(self.cpu_seconds[party])

    def queued_of(self, party: str) -> float:
        """Return how long a party waited for a core."""
        return self.queued_seconds[party]

    @property
    def cpu_total(self) -> float:
        """All parties' CPU seconds."""
        return sum(self.cpu_of(party) for party in self.cpu_seconds)

    @property
    def cpu_by_process(self) -> tuple[float, ...]:
        """CPU seconds of each process."""
        return tuple(value for values in self.cpu_seconds.values() for value in values)


@dataclass(slots=True)
class Pair:
    """One client and one server, with the nodes between them.

    Attributes:
        target: where applications connect.
        pids: of the parties.
        counters_url: of the nodes.
        http: asks for the counters.
    """

    target: Target
    pids: dict[str, int]
    counters_url: str | None
    http: httpx.AsyncClient
    _before: dict[str, Usage] = field(default_factory=dict)
    _network: NetworkTotals = field(default_factory=NetworkTotals)

    def forget_profile(self) -> None:
        """Tell the sampling profiler in every process that what it saw so far does not count."""
        for pid in self.pids.values():
            os.kill(pid, RESET_SIGNAL)

    def resident_bytes(self, party: str) -> int:
        """Return the resident set of a party now."""
        return resident_bytes(self.pids[party])

    def descriptors(self, party: str) -> int:
        """Return how many files a party has open now."""
        return descriptors(self.pids[party])

    async def begin(self) -> None:
        """Remember what was used so far."""
        self._network = await self._totals()
        self._before = {party: Usage.of([pid]) for party, pid in self.pids.items()}

    async def spent(self) -> Spent:
        """Return what was used since :meth:`begin`."""
        now = {party: Usage.of([pid]) for party, pid in self.pids.items()}
        return Spent(
            {party: usage.since(self._before[party]) for party, usage in now.items()},
            {
                party: usage.queued_seconds - self._before[party].queued_seconds
                for party, usage in now.items()
            },
            await self._totals() - self._network,
            {party: usage.peak_memory_bytes for party, usage in now.items()},
        )

    async def _totals(self) -> NetworkTotals:
        if self.counters_url is None:
            return NetworkTotals()
        return await network_totals(self.http, self.counters_url)


class BenchStage:
    """Starts what is asked for, once, and ends everything with the block.

    Args:
        profile: of the server and the clients.
        directory: for logs and keys.
        node_processes: of the localnet.
        sample_into: where the sampling profiler writes; ``None``: not profiled.
        faults: of the localnet, from the start.

    Attributes:
        processes: where further processes come from.
    """

    def __init__(
        self,
        profile: str,
        directory: Path,
        *,
        node_processes: int = 1,
        sample_into: Path | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self._faults = faults
        self.processes = Stage(folder=directory, profile=profile, wrap=self._sampled)
        self._node_processes = node_processes
        self._sample_into = sample_into
        self._stack = AsyncExitStack()
        self._running: dict[str, Any] = {}
        self._http = httpx.AsyncClient(timeout=30)

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        await self._stack.enter_async_context(self._http)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, traceback)

    async def pair(self, wire: str) -> Pair:
        """Return a warm pair (``legacy`` or ``stream``), or the upstream alone (``tcp``)."""
        upstream = await self.upstream()
        if wire == "tcp":
            target = Target.listening_at(upstream.http, TIMEOUT_SECONDS)
            return Pair(target, {"server": upstream.child.process.pid}, None, self._http)
        name = f"client-{wire}"
        return await self._pair_of(await self._once(name, await self._client(name, wire, "shared")))

    @asynccontextmanager
    async def fresh_client(
        self, wire: str, number: int, *flags: str, mode: str = "per-connection"
    ) -> AsyncIterator[Pair]:
        """Start a client of its own; by default with a fresh identity for each connection."""
        client = await self._client(f"fresh-{wire}-{number}", wire, mode, *flags)
        async with client as running:
            yield await self._pair_of(running)

    async def fresh_server(self, config_dir: Path) -> AbstractAsyncContextManager[StagedServer]:
        """Return a server of its own, yet to be started, on a directory."""
        network, upstream = await self._network(), await self.upstream()
        name = f"start-{config_dir.name}"
        return self.processes.server(
            network.env_file, upstream.http, name=name, config_dir=config_dir
        )

    async def _pair_of(self, client: StagedClient) -> Pair:
        network, server = await self._network(), await self._server()
        children = {"client": client.child, "server": server.child, "nodes": network.child}
        return Pair(
            client.target(TIMEOUT_SECONDS),
            {party: child.process.pid for party, child in children.items()},
            network.counters_url,
            self._http,
        )

    async def _client(
        self, name: str, wire: str, identity_mode: str, *further: str
    ) -> AbstractAsyncContextManager[StagedClient]:
        flags = ("--wire", wire, "--identity-mode", identity_mode, *CLIENT_LIMITS, *further)
        env_file, address = (await self._network()).env_file, (await self._server()).address
        return self.processes.client(env_file, address, *flags, name=name)

    async def _network(self) -> StagedNetwork:
        flags = ("--processes", str(self._node_processes))
        return await self._once("localnet", self.processes.localnet(*flags, faults=self._faults))

    async def upstream(self) -> StagedUpstream:
        """Return the services that workloads talk to."""
        return await self._once("upstream", self.processes.upstream())

    async def _server(self) -> StagedServer:
        env_file, upstream = (await self._network()).env_file, (await self.upstream()).http
        return await self._once("server", self.processes.server(env_file, upstream, *SERVER_LIMITS))

    async def _once(self, name: str, process: AbstractAsyncContextManager[T]) -> T:
        if name not in self._running:
            self._running[name] = await self._stack.enter_async_context(process)
        found: T = self._running[name]
        return found

    def _sampled(self, name: str, arguments: Sequence[str]) -> Sequence[str]:
        if self._sample_into is None or name == "upstream":
            return arguments
        return ("benchmarks.sampler", str(self._sample_into / f"{name}.json"), *arguments)
