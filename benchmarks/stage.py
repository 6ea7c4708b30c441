"""The processes of a measurement: localnet, upstream, proxy server, proxy clients.

Each part has a process of its own, so that its CPU time is its own. A stage is of one profile; its
pairs use one identity each (``shared``), so that the figures are those of the transport and not of
setting identities up in the background. W2 starts clients with fresh identities instead.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import httpx

from benchmarks.sampler import RESET_SIGNAL
from benchmarks.usage import Usage
from nymproxy.testing.counters import NetworkTotals, network_totals
from nymproxy.testing.processes import Child, child_process
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

READY_SECONDS = 60.0
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


class Stage:
    """Starts what is asked for, once, and ends everything with the block.

    Args:
        profile: of the server and the clients.
        directory: for logs and keys.
        node_processes: of the localnet.
        sample_into: where the sampling profiler writes; ``None``: not profiled.
    """

    def __init__(
        self,
        profile: str,
        directory: Path,
        *,
        node_processes: int = 1,
        sample_into: Path | None = None,
    ) -> None:
        self.profile = profile
        self._directory = directory
        self._node_processes = node_processes
        self._sample_into = sample_into
        self._stack = AsyncExitStack()
        self._children: dict[str, Child] = {}
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
        upstream = await self._upstream()
        if wire == "tcp":
            target = Target.listening_at(str(upstream.ready["http"]), TIMEOUT_SECONDS)
            return Pair(target, {"server": upstream.process.pid}, None, self._http)
        name = f"client-{wire}"
        arguments = await self.client_arguments(wire, "shared")
        return await self.pair_of(await self._start(name, *arguments))

    @asynccontextmanager
    async def fresh_client(self, wire: str, number: int) -> AsyncIterator[Pair]:
        """Start a client of its own, with a fresh identity for each connection."""
        arguments = await self.client_arguments(wire, "per-connection")
        async with child_process(
            f"fresh-{wire}-{number}",
            arguments,
            log_directory=self._directory,
            ready_timeout_seconds=READY_SECONDS,
        ) as child:
            yield await self.pair_of(child)

    async def pair_of(self, client: Child) -> Pair:
        """Return the pair that a client makes with the server."""
        localnet, server = await self.localnet(), await self._server()
        return Pair(
            Target.listening_at(str(client.ready["local_address"]), TIMEOUT_SECONDS),
            {
                "client": client.process.pid,
                "server": server.process.pid,
                "nodes": localnet.process.pid,
            },
            str(localnet.ready["counters_url"]),
            self._http,
        )

    async def localnet(self) -> Child:
        """Return the nodes."""
        processes = str(self._node_processes)
        return await self._start("localnet", "nymproxy", "localnet", "--processes", processes)

    async def env_file(self) -> str:
        """Return the env file of the nodes."""
        return str((await self.localnet()).ready["env_file"])

    async def client_arguments(self, wire: str, identity_mode: str) -> tuple[str, ...]:
        """Return the command line of a client."""
        address = str((await self._server()).ready["address"])
        return (
            *("nymproxy", "client", "-s", address, "--listen-port", "0"),
            *("-e", await self.env_file(), "--wire", wire, "--profile", self.profile),
            *("--identity-mode", identity_mode),
        )

    async def server_arguments(self, config_dir: Path) -> tuple[str, ...]:
        """Return the command line of a server."""
        upstream = str((await self._upstream()).ready["http"])
        return (
            *("nymproxy", "server", "-u", upstream, "-c", str(config_dir)),
            *("-e", await self.env_file(), "--profile", self.profile),
        )

    async def _upstream(self) -> Child:
        return await self._start("upstream", "nymproxy.testing.upstream")

    async def _server(self) -> Child:
        arguments = await self.server_arguments(self._directory / f"{self.profile}-server")
        return await self._start("server", *arguments)

    async def _start(self, name: str, *arguments: str) -> Child:
        child = self._children.get(name)
        if child is None:
            if self._sample_into is not None and name != "upstream":
                output = self._sample_into / f"{name}.json"
                arguments = ("benchmarks.sampler", str(output), *arguments)
            child = self._children[name] = await self._stack.enter_async_context(
                child_process(
                    name,
                    arguments,
                    log_directory=self._directory,
                    ready_timeout_seconds=READY_SECONDS,
                )
            )
        return child
