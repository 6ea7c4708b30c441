"""Runs the demo: starts every process, does the same work through both pairs, and reports."""

from __future__ import annotations

import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy.cli.demo.report import as_json, as_table
from nymproxy.cli.demo.steps import PairRun, Scene, Step, run_pair
from nymproxy.testing.processes import Child, child_process
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

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
        host, _, port = str(child.ready["local_address"]).rpartition(":")
        return Target(host.strip("[]"), int(port))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _describe(step: Step) -> str:
    result = step.result
    if not result.ok:
        return f"    {result.name}: FAILED, {result.problem}"
    rate = step.goodput_bytes_per_second / 1000
    return (
        f"    {result.name}: {result.payload_bytes / 1000:,.1f} kB right in {result.seconds:.2f} s"
        f" ({rate:,.0f} kB/s)"
    )


@asynccontextmanager
async def _logs_directory(keep: Path | None) -> AsyncIterator[Path]:
    if keep is not None:
        await anyio.Path(keep).mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="nymproxy-demo-") as name:
        yield Path(name)


async def _scenes(
    stage: _Stage, http_client: httpx.AsyncClient, say: Callable[[str], None]
) -> dict[str, Scene]:
    say("starting the local mixnet: directory, 3 mix nodes, 2 gateways")
    localnet = (await stage.start("localnet", "nymproxy", "localnet")).ready
    upstream = (await stage.start("upstream", "nymproxy.testing.upstream")).ready
    say("starting two proxy servers, each for both protocols at one Nym address")
    env_file = str(localnet["env_file"])
    http_server = await stage.server("server-http", env_file, str(upstream["http"]))
    greeter_server = await stage.server("server-greeter", env_file, str(upstream["greeter"]))
    scenes = {}
    for wire in WIRES:
        say(f"starting the {wire} clients")
        scenes[wire] = Scene(
            http=await stage.client(f"{wire}-http", env_file, http_server, wire),
            greeter=await stage.client(f"{wire}-greeter", env_file, greeter_server, wire),
            counters_url=str(localnet["counters_url"]),
            upstream=str(upstream["http"]),
            children=stage.children,
            http_client=http_client,
        )
    return scenes


async def _run(settings: DemoSettings) -> list[PairRun]:
    import httpx

    runs = []
    async with (
        _logs_directory(settings.keep_logs) as logs,
        httpx.AsyncClient(timeout=10) as http_client,
        AsyncExitStack() as stack,
    ):
        stage = _Stage(stack, logs, settings)
        for wire, scene in (await _scenes(stage, http_client, _say)).items():
            _say(f"working through the {wire} pair")
            runs.append(await run_pair(wire, scene, lambda step: _say(_describe(step))))
        _say("stopping everything")
    return runs


def run_demo(settings: DemoSettings) -> bool:
    """Run the demo, print its result on stdout, and tell whether every byte was right."""
    runs = anyio.run(_run, settings)
    sys.stdout.write(as_json(runs, settings.profile) if settings.as_json else as_table(runs))
    return all(run.ok for run in runs)
