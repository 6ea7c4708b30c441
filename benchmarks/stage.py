"""The processes of a measurement: localnet, upstream, proxy server, proxy clients.

Each part has a process of its own, so that its CPU time is its own. A stage is of one profile; its
pairs use one identity each (``shared``), so that the figures are those of the transport and not of
setting identities up in the background. W2 starts clients with fresh identities instead.

Ours and the Rust programs use the same nodes, one after the other: idle ones send cover.
"""

from __future__ import annotations

import itertools
import os
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import httpx

from benchmarks.ends import TIMEOUT_SECONDS, OurEnds, RustEnds
from benchmarks.sampler import RESET_SIGNAL
from benchmarks.usage import Usage, descriptors, resident_bytes
from nymproxy.errors import PhaseTimeout
from nymproxy.localnet.faults import FaultPlan
from nymproxy.testing import workloads
from nymproxy.testing.counters import NetworkTotals, network_totals
from nymproxy.testing.stage import Stage, StagedNetwork, StagedServer, StagedUpstream
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from interop.programs import RustPrograms

T = TypeVar("T")

PARTIES = ("client", "server", "nodes")
WARM_UP_BYTES = 20_000
QUESTIONS, PAUSE_SECONDS = 400, 0.05


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
        client_log: of a client of ours.
    """

    target: Target
    pids: dict[str, int]
    counters_url: str | None
    http: httpx.AsyncClient
    client_log: Path | None = None
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


class _Kept:
    """Processes that are started once, when they are first asked for, and ended together."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._running: dict[str, Any] = {}

    async def once(self, name: str, process: AbstractAsyncContextManager[T]) -> T:
        """Return what is running under a name; start it if nothing is."""
        if name not in self._running:
            self._running[name] = await self._stack.enter_async_context(process)
        found: T = self._running[name]
        return found

    async def aclose(self) -> None:
        """End them."""
        self._running.clear()
        await self._stack.aclose()


class BenchStage:
    """Starts what is asked for, once, and ends everything with the block.

    Args:
        profile: of the server and the clients.
        directory: for logs and keys.
        node_processes: of the localnet.
        sample_into: where the sampling profiler writes; ``None``: not profiled.
        rust: the Rust programs, for ``peer="rust"``.

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
        rust: RustPrograms | None = None,
    ) -> None:
        self.processes = Stage(folder=directory, profile=profile, wrap=self._sampled)
        self._ours = OurEnds(self.processes)
        self._rust = None if rust is None else RustEnds(rust, directory)
        self._node_processes = node_processes
        self._sample_into = sample_into
        self._place, self._ends, self._peer = _Kept(), _Kept(), "python"
        self._numbers = itertools.count(1)
        self._http = httpx.AsyncClient(timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        try:
            await self._ends.aclose()
        finally:
            await self._place.aclose()
            await self._http.aclose()

    async def pair(self, wire: str, peer: str = "python") -> Pair:
        """Return a warm pair (``legacy`` or ``stream``), or the upstream alone (``tcp``)."""
        upstream = await self.upstream()
        if wire == "tcp":
            target = Target.listening_at(upstream.http, TIMEOUT_SECONDS)
            return Pair(target, {"server": upstream.child.process.pid}, None, self._http)
        await self._turn_to(peer)
        running = self.fresh_client(wire, peer=peer, mode="shared", name=f"client-{wire}")
        return await self._ends.once(f"pair {wire}", _warm(running))

    @asynccontextmanager
    async def fresh_client(
        self,
        wire: str,
        *flags: str,
        peer: str = "python",
        mode: str = "per-connection",
        name: str | None = None,
    ) -> AsyncIterator[Pair]:
        """Start a client of its own; by default with a fresh identity for each connection."""
        await self._turn_to(peer)
        network, upstream = await self._network(), await self.upstream()
        ends = self._ends_of(peer)
        kept = ends.server(wire, network.env_file, upstream.http)
        server = await self._ends.once("server" if peer == "python" else f"server {wire}", kept)
        name = name or f"fresh-{wire}-{next(self._numbers)}"
        running = ends.client(wire, network.env_file, server.address, mode, *flags, name=name)
        async with running as client:
            pids = {
                "client": client.pid,
                "server": server.pid,
                "nodes": network.child.process.pid,
            }
            yield Pair(client.target, pids, network.counters_url, self._http, client.log)

    async def fresh_server(self, config_dir: Path) -> AbstractAsyncContextManager[StagedServer]:
        """Return a server of its own, yet to be started, on a directory."""
        network, upstream = await self._network(), await self.upstream()
        name = f"start-{config_dir.name}"
        return self.processes.server(
            network.env_file, upstream.http, name=name, config_dir=config_dir
        )

    async def upstream(self) -> StagedUpstream:
        """Return the services that workloads talk to."""
        return await self._place.once("upstream", self.processes.upstream())

    @asynccontextmanager
    async def faults(self, plan: FaultPlan) -> AsyncIterator[None]:
        """Let the network have faults for the time of the block."""
        network = await self._network()
        await self._set_faults(network, plan)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._set_faults(network, FaultPlan())

    async def _set_faults(self, network: StagedNetwork, plan: FaultPlan) -> None:
        network.set_faults(plan)
        # Nobody tells when a plan is in force, so it is asked for.
        for _ in range(QUESTIONS):
            counters = (await self._http.get(network.counters_url)).raise_for_status().json()
            if counters["fault_plan"] == plan.to_dict():
                return
            await anyio.sleep(PAUSE_SECONDS)
        raise PhaseTimeout("the network did not take its faults in time")

    async def _turn_to(self, peer: str) -> None:
        """End what the other peer has running: idle programs send cover, which costs."""
        if peer != self._peer:
            self._peer = peer
            await self._ends.aclose()

    def _ends_of(self, peer: str) -> OurEnds | RustEnds:
        if peer == "python":
            return self._ours
        assert self._rust is not None, "the Rust programs were not given"
        return self._rust

    async def _network(self) -> StagedNetwork:
        flags = ("--processes", str(self._node_processes))
        return await self._place.once("localnet", self.processes.localnet(*flags))

    def _sampled(self, name: str, arguments: Sequence[str]) -> Sequence[str]:
        if self._sample_into is None or name == "upstream":
            return arguments
        return ("benchmarks.sampler", str(self._sample_into / f"{name}.json"), *arguments)


@asynccontextmanager
async def _warm(started: AbstractAsyncContextManager[Pair]) -> AsyncIterator[Pair]:
    """Move a little both ways first: connections, routes and prepared headers exist then."""
    async with started as pair:
        await workloads.download(pair.target, WARM_UP_BYTES)
        await workloads.upload(pair.target, WARM_UP_BYTES)
        yield pair
