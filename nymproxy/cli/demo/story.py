"""Runs the demo: starts every process, does the same work through both pairs, and reports."""

from __future__ import annotations

import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy.cli.demo import steps
from nymproxy.cli.demo.report import as_json, as_table
from nymproxy.cli.demo.steps import PairRun, Scene, Step, run_pair
from nymproxy.localnet.faults import FaultAction, FaultEvent, FaultPlan
from nymproxy.testing import workloads
from nymproxy.testing.counters import network_totals
from nymproxy.testing.stage import Stage, StagedNetwork, StagedUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from nymproxy.testing.processes import Child
    from nymproxy.testing.workloads import Target, WorkloadResult


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What ``nymproxy demo`` was asked for."""

    profile: str = "bare"
    as_json: bool = False
    keep_logs: Path | None = None


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _describe(step: Step) -> str:
    result = step.result
    if not result.ok:
        return f"    {result.name}: FAILED, {result.problem}"
    connections = f"{result.connections} connections, " if result.connections > 1 else ""
    return (
        f"    {result.name}: {connections}{result.payload_bytes:,} bytes, all right,"
        f" in {result.seconds:.2f} s"
    )


@asynccontextmanager
async def _logs_directory(keep: Path | None) -> AsyncIterator[Path]:
    if keep is not None:
        await anyio.Path(keep).mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="nymproxy-demo-") as name:
        yield Path(name)


@dataclass(slots=True)
class _Ground:
    """What both pairs share: the network, the upstream, and two servers for both protocols."""

    stage: Stage
    stack: AsyncExitStack
    network: StagedNetwork
    upstream: StagedUpstream
    children: list[Child]
    servers: dict[str, str] = field(default_factory=dict)

    async def start_server(self, name: str, upstream: str, *flags: str) -> None:
        process = self.stage.server(self.network.env_file, upstream, *flags, name=f"server-{name}")
        server = await self.stack.enter_async_context(process)
        self.children.append(server.child)
        self.servers[name] = server.address

    async def start_client(self, name: str, wire: str) -> Target:
        process = self.stage.client(
            self.network.env_file, self.servers[name], "--wire", wire, name=f"{wire}-{name}"
        )
        client = await self.stack.enter_async_context(process)
        self.children.append(client.child)
        return client.target()


async def _prepare(stage: Stage, stack: AsyncExitStack) -> _Ground:
    _say("starting a local mixnet: directory, 3 mix nodes, 3 gateways")
    network = await stack.enter_async_context(stage.localnet("--gateways", "3"))
    upstream = await stack.enter_async_context(stage.upstream())
    ground = _Ground(stage, stack, network, upstream, [network.child, upstream.child])
    _say("starting two proxy servers, each for both protocols; the first is at two gateways")
    await ground.start_server("http", upstream.http, "--gateways", "2")
    await ground.start_server("greeter", upstream.greeter)
    return ground


async def _lose_a_gateway(ground: _Ground, http: Target) -> WorkloadResult:
    """Take a gateway of the server away for good, in the middle of a second download by stream."""
    name = ground.network.gateway_of(ground.servers["http"])
    _say(f"downloading once more by stream, and taking {name} away for good at half of it")
    removal = FaultEvent(at_seconds=0.0, action=FaultAction.REMOVE, node=name)

    def at_half() -> None:
        ground.network.set_faults(FaultPlan(events=(removal,)))

    return await workloads.download(http, steps.DOWNLOAD_BYTES, on_half=at_half)


async def _run_wire(
    wire: str, ground: _Ground, http_client: httpx.AsyncClient
) -> tuple[PairRun, Target]:
    """Start the clients of one wire, and do all the work through them.

    Returns what came of it, and where the client listens that leads to the HTTP upstream.
    """
    before = await network_totals(http_client, ground.network.counters_url)
    _say(f"starting the {wire} clients")
    scene = Scene(
        http=await ground.start_client("http", wire),
        greeter=await ground.start_client("greeter", wire),
        counters_url=ground.network.counters_url,
        upstream=ground.upstream.http,
        children=ground.children,
        http_client=http_client,
    )
    _say(f"working through the {wire} pair")
    run = await run_pair(wire, scene, before, lambda step: _say(_describe(step)))
    return run, scene.http


async def _run(settings: DemoSettings) -> tuple[list[PairRun], WorkloadResult]:
    import httpx

    async with (
        _logs_directory(settings.keep_logs) as logs,
        httpx.AsyncClient(timeout=10) as http_client,
        AsyncExitStack() as stack,
    ):
        ground = await _prepare(Stage(folder=logs, profile=settings.profile), stack)
        legacy, _ = await _run_wire("legacy", ground, http_client)
        stream, http = await _run_wire("stream", ground, http_client)
        loss = await _lose_a_gateway(ground, http)
        _say("stopping everything")
    return [legacy, stream], loss


def run_demo(settings: DemoSettings) -> bool:
    """Run the demo, print its result on stdout, and tell whether every byte was right."""
    runs, loss = anyio.run(_run, settings)
    text = as_json(runs, loss, settings.profile) if settings.as_json else as_table(runs, loss)
    sys.stdout.write(text)
    return loss.ok and all(run.ok for run in runs)
