"""A stage: localnet, upstream, proxy servers and clients, each a process of its own.

They are the commands that users run. Each block runs one of them, from ready to ended, so a stage
is started and stopped in the order in which it is written down; an ``AsyncExitStack`` serves where
the number is not known beforehand.
"""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy._atomic_write import write_atomically
from nymproxy.localnet.faults import FaultPlan
from nymproxy.testing.processes import Child, child_process
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StagedNetwork:
    """A localnet: its process, its env file, where its counters are, and its fault plan."""

    child: Child
    env_file: str
    counters_url: str
    plan: Path

    def gateway_of(self, address: str) -> str:
        """Return the name of the gateway that a Nym address is at."""
        names = {info["identity"]: str(info["name"]) for info in self.child.ready["gateways"]}
        return names[address.rpartition("@")[2]]

    def set_faults(self, faults: FaultPlan) -> None:
        """Have the network put a plan in the place of the one before, soon."""
        write_atomically(self.plan, faults.to_json().encode())
        self.child.process.send_signal(signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class StagedUpstream:
    """A :mod:`nymproxy.testing.upstream`: its process, and where its two services listen."""

    child: Child
    http: str
    greeter: str


@dataclass(frozen=True, slots=True)
class StagedServer:
    """A ``nymproxy server``: its process and its Nym address."""

    child: Child
    address: str


@dataclass(frozen=True, slots=True)
class StagedClient:
    """A ``nymproxy client``: its process, and where applications connect to."""

    child: Child
    local_address: str

    def target(self, timeout_seconds: float = 60.0) -> Target:
        """Return where workloads connect to."""
        return Target.listening_at(self.local_address, timeout_seconds)


def _unwrapped(_name: str, arguments: Sequence[str]) -> Sequence[str]:
    return arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where processes come from.

    Attributes:
        folder: for logs, and the servers' keys.
        profile: of all servers and clients.
        flags: further flags of all of these.
        wrap: changes what a child runs, given its name and the arguments of ``python -m``.
    """

    folder: Path
    profile: str = "bare"
    flags: tuple[str, ...] = ()
    wrap: Callable[[str, Sequence[str]], Sequence[str]] = _unwrapped

    @asynccontextmanager
    async def localnet(
        self, *flags: str, name: str = "localnet", faults: FaultPlan | None = None
    ) -> AsyncIterator[StagedNetwork]:
        """Run a localnet, with a fault plan in force from the start if one is given."""
        plan = self.folder / f"{name}-faults.json"
        plan.write_text((faults or FaultPlan()).to_json())
        flags = (*flags, "--faults", str(plan))
        async with self._child(name, ("nymproxy", "localnet", *flags)) as child:
            ready = child.ready
            yield StagedNetwork(child, str(ready["env_file"]), str(ready["counters_url"]), plan)

    @asynccontextmanager
    async def upstream(self, name: str = "upstream") -> AsyncIterator[StagedUpstream]:
        """Run the services that workloads talk to."""
        async with self._child(name, ("nymproxy.testing.upstream",)) as child:
            yield StagedUpstream(child, str(child.ready["http"]), str(child.ready["greeter"]))

    @asynccontextmanager
    async def server(
        self,
        env_file: str | Path,
        upstream: str,
        *flags: str,
        name: str = "server",
        config_dir: Path | None = None,
    ) -> AsyncIterator[StagedServer]:
        """Run a proxy server; its identity is that in ``config_dir``, or the name's own."""
        arguments = (
            *("nymproxy", "server", "-u", upstream, "-e", str(env_file)),
            *("-c", str(config_dir or self.folder / f"{name}.config")),
            *("--profile", self.profile, *self.flags, *flags),
        )
        async with self._child(name, arguments) as child:
            yield StagedServer(child, str(child.ready["address"]))

    @asynccontextmanager
    async def client(
        self, env_file: str | Path, address: str, *flags: str, name: str = "client"
    ) -> AsyncIterator[StagedClient]:
        """Run a proxy client of the server at a Nym address."""
        arguments = (
            *("nymproxy", "client", "-s", address, "--listen-port", "0", "-e", str(env_file)),
            *("--profile", self.profile, *self.flags, *flags),
        )
        async with self._child(name, arguments) as child:
            yield StagedClient(child, str(child.ready["local_address"]))

    @asynccontextmanager
    async def _child(self, name: str, arguments: Sequence[str]) -> AsyncIterator[Child]:
        async with child_process(
            name,
            self.wrap(name, arguments),
            log_directory=self.folder,
            ready_timeout_seconds=READY_SECONDS,
        ) as child:
            yield child
