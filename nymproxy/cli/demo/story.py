"""Runs the demo: starts every process, does the same work through both pairs, and reports."""

from __future__ import annotations

import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.cli.demo.report import as_json, as_table
from nymproxy.cli.demo.steps import PairRun, Scene, Step, run_pair
from nymproxy.testing.counters import network_totals
from nymproxy.testing.processes import Child, child_process
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

WIRES = ("legacy", "stream")


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What ``nymproxy demo`` was asked for."""

    profile: str = "bare"
    as_json: bool = False
    keep_logs: Path | None = None


class _Stage:
    """The processes of the demo, started one after the other into one exit stack."""

    def __init__(self, stack: AsyncExitStack, logs: Path, settings: DemoSettings) -> None:
        self._stack = stack
        self._logs = logs
        self._settings = settings
        self.children: list[Child] = []

    async def start(self, name: str, *arguments: str) -> Child:
        child = await self._stack.enter_async_context(
            child_process(name, arguments, log_directory=self._logs)
        )
        self.children.append(child)
        return child

    async def server(self, name: str, env_file: str, upstream: str) -> str:
        """Start a proxy server for both wires and return its Nym address."""
        child = await self.start(
            name,
            *("nymproxy", "server", "-u", upstream, "-c", str(self._logs / f"{name}.config")),
            *("-e", env_file, "--profile", self._settings.profile),
        )
        return str(child.ready["address"])

    async def client(self, name: str, env_file: str, server_address: str, wire: str) -> Target:
        """Start a proxy client and return where it listens."""
        child = await self.start(
            name,
            *("nymproxy", "client", "-s", server_address, "--listen-port", "0"),
            *("-e", env_file, "--wire", wire, "--profile", self._settings.profile),
        )
        return Target.listening_at(str(child.ready["local_address"]))


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


@dataclass(frozen=True, slots=True)
class _Ground:
    """What both pairs share: the network, the upstream, and two servers for both protocols."""

    localnet: dict[str, Any]
    upstream: dict[str, Any]
    http_server: str
    greeter_server: str


async def _prepare(stage: _Stage) -> _Ground:
    _say("starting a local mixnet: directory, 3 mix nodes, 2 gateways")
    localnet = (await stage.start("localnet", "nymproxy", "localnet")).ready
    upstream = (await stage.start("upstream", "nymproxy.testing.upstream")).ready
    _say("starting two proxy servers, each for both protocols at one Nym address")
    env_file = str(localnet["env_file"])
    return _Ground(
        localnet,
        upstream,
        http_server=await stage.server("server-http", env_file, str(upstream["http"])),
        greeter_server=await stage.server("server-greeter", env_file, str(upstream["greeter"])),
    )


async def _run_wire(
    wire: str, stage: _Stage, ground: _Ground, http_client: httpx.AsyncClient
) -> PairRun:
    """Start the clients of one wire, and do all the work through them."""
    counters_url, env_file = str(ground.localnet["counters_url"]), str(ground.localnet["env_file"])
    before = await network_totals(http_client, counters_url)
    _say(f"starting the {wire} clients")
    scene = Scene(
        http=await stage.client(f"{wire}-http", env_file, ground.http_server, wire),
        greeter=await stage.client(f"{wire}-greeter", env_file, ground.greeter_server, wire),
        counters_url=counters_url,
        upstream=str(ground.upstream["http"]),
        children=stage.children,
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
        stage = _Stage(stack, logs, settings)
        ground = await _prepare(stage)
        runs = [await _run_wire(wire, stage, ground, http_client) for wire in WIRES]
        _say("stopping everything")
    return runs


def run_demo(settings: DemoSettings) -> bool:
    """Run the demo, print its result on stdout, and tell whether every byte was right."""
    runs = anyio.run(_run, settings)
    sys.stdout.write(as_json(runs, settings.profile) if settings.as_json else as_table(runs))
    return all(run.ok for run in runs)
