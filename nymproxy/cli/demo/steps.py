"""The work that the demo does through each pair of proxies, and what it measures around it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.testing import workloads
from nymproxy.testing.counters import (
    NetworkTotals,
    UpstreamTotals,
    network_totals,
    upstream_totals,
)
from nymproxy.testing.workloads import Target, WorkloadResult

if TYPE_CHECKING:
    import httpx

    from nymproxy.testing.processes import Child

DOWNLOAD_BYTES = 3_000_000
UPLOAD_BYTES = 1_000_000
CONNECTIONS_AT_ONCE = 20
CONNECTION_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Step:
    """One workload, with what the network and the processes spent on it.

    Attributes:
        result: what the application saw.
        network: packets, bytes and registrations during the step.
        cpu_seconds: CPU time of all processes together, where the system tells it.
        seconds: the step's wall time.
    """

    result: WorkloadResult
    network: NetworkTotals
    cpu_seconds: float | None
    seconds: float

    @property
    def goodput_bytes_per_second(self) -> float:
        """Payload bytes a second, over the whole workload."""
        return self.result.payload_bytes / self.result.seconds

    @property
    def wire_bytes_per_payload_byte(self) -> float | None:
        """Bytes of Sphinx packets that the gateways took in, per byte of payload."""
        if not self.result.payload_bytes:
            return None
        return self.network.bytes_from_clients / self.result.payload_bytes


@dataclass(frozen=True, slots=True)
class PairRun:
    """Everything that was done through one pair.

    Attributes:
        wire: ``legacy`` or ``stream``.
        steps: the steps, in order.
        upstream: what the upstream saw meanwhile.
        identities: identities that the pair's clients registered from their start on, those
            that are in reserve at the end included.
    """

    wire: str
    steps: tuple[Step, ...]
    upstream: UpstreamTotals
    identities: int

    @property
    def ok(self) -> bool:
        """Every byte of every step was right."""
        return all(step.result.ok for step in self.steps)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the steps work on.

    Attributes:
        http: where the proxy client listens that leads to the HTTP upstream.
        greeter: where the one listens that leads to the greeter.
        counters_url: the localnet's counters.
        upstream: the upstream itself (``host:port``), for its record.
        children: all processes, for their CPU time.
        http_client: for the counters and the record.
    """

    http: Target
    greeter: Target
    counters_url: str
    upstream: str
    children: Sequence[Child]
    http_client: httpx.AsyncClient

    def cpu_seconds(self) -> float | None:
        """CPU time of all children so far."""
        values = [child.cpu_seconds() for child in self.children]
        known = [value for value in values if value is not None]
        return sum(known) if len(known) == len(values) else None


Work = Callable[[Scene], Awaitable[WorkloadResult]]

WORK: tuple[Work, ...] = (
    lambda scene: workloads.first_byte(scene.http),
    lambda scene: workloads.download(scene.http, DOWNLOAD_BYTES),
    lambda scene: workloads.upload(scene.http, UPLOAD_BYTES),
    lambda scene: workloads.connections_at_once(scene.http, CONNECTIONS_AT_ONCE, CONNECTION_BYTES),
    lambda scene: workloads.greeting(scene.greeter),
    lambda scene: workloads.half_close(scene.http),
)


async def _network(scene: Scene) -> NetworkTotals:
    return await network_totals(scene.http_client, scene.counters_url)


async def run_step(scene: Scene, work: Work) -> Step:
    """Do one piece of work and measure around it."""
    network, cpu = await _network(scene), scene.cpu_seconds()
    started = time.perf_counter()
    result = await work(scene)
    seconds = time.perf_counter() - started
    cpu_now = scene.cpu_seconds()
    return Step(
        result=result,
        network=await _network(scene) - network,
        cpu_seconds=None if cpu is None or cpu_now is None else cpu_now - cpu,
        seconds=seconds,
    )


async def run_pair(
    wire: str, scene: Scene, before_clients: NetworkTotals, on_step: Callable[[Step], None]
) -> PairRun:
    """Do all the work through one pair; ``before_clients`` is from before its clients started."""
    before = await upstream_totals(scene.http_client, scene.upstream)
    steps = []
    for work in WORK:
        step = await run_step(scene, work)
        on_step(step)
        steps.append(step)
    after = await upstream_totals(scene.http_client, scene.upstream)
    identities = (await _network(scene) - before_clients).registrations
    return PairRun(wire, tuple(steps), after - before, identities)
