"""Runs the demo: starts every process, does the same work through both pairs, and reports."""

from __future__ import annotations

import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy.cli.demo.report import as_json, as_table
from nymproxy.cli.demo.steps import PairRun, Scene, Step, run_pair
from nymproxy.testing.counters import network_totals
from nymproxy.testing.stage import Stage, StagedNetwork, StagedUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from nymproxy.testing.processes import Child
    from nymproxy.testing.workloads import Target

WIRES = ("legacy", "stream")


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

    async def start_server(self, name: str, upstream: str) -> None:
        process = self.stage.server(self.network.env_file, upstream, name=f"server-{name}")
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
    _say("starting a local mixnet: directory, 3 mix nodes, 2 gateways")
    network = await stack.enter_async_context(stage.localnet())
    upstream = await stack.enter_async_context(stage.upstream())
    ground = _Ground(stage, stack, network, upstream, [network.child, upstream.child])
    _say("starting two proxy servers, each for both protocols at one Nym address")
    await ground.start_server("http", upstream.http)
    await ground.start_server("greeter", upstream.greeter)
    return ground


async def _run_wire(wire: str, ground: _Ground, http_client: httpx.AsyncClient) -> PairRun:
    """Start the clients of one wire, and do all the work through them."""
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
    return await run_pair(wire, scene, before, lambda step: _say(_describe(step)))


async def _run(settings: DemoSettings) -> list[PairRun]:
    import httpx

    async with (
        _logs_directory(settings.keep_logs) as logs,
        httpx.AsyncClient(timeout=10) as http_client,
        AsyncExitStack() as stack,
    ):
        ground = await _prepare(Stage(folder=logs, profile=settings.profile), stack)
        runs = [await _run_wire(wire, ground, http_client) for wire in WIRES]
        _say("stopping everything")
    return runs


def run_demo(settings: DemoSettings) -> bool:
    """Run the demo, print its result on stdout, and tell whether every byte was right."""
    runs = anyio.run(_run, settings)
    sys.stdout.write(as_json(runs, settings.profile) if settings.as_json else as_table(runs))
    return all(run.ok for run in runs)
