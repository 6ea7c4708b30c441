"""The processes of the matrix: localnet, upstream, and either side of a cell, ours or Rust's."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interop.cells import Client, Server
from nymproxy.testing.old_programs import old_client, old_server
from nymproxy.testing.processes import Child, child_process
from nymproxy.testing.stage import Stage
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from interop.programs import RustPrograms
    from nymproxy.localnet.faults import FaultPlan

READY_SECONDS = 60.0
# An old client keeps an identity, and its traffic, for this long after the app has gone.
OLD_CLOSE_TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Network:
    """The running localnet and upstream."""

    env_file: str
    counters_url: str
    http: str
    greeter: str


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server on a directory.

    Attributes:
        address: its Nym address.
        kill: ends it without warning (SIGKILL).
    """

    address: str
    kill: Callable[[], None]


@asynccontextmanager
async def rust_peer(
    programs: RustPrograms, directory: Path, env_file: str, name: str, *arguments: str
) -> AsyncIterator[Child]:
    """Run the peer program of this folder, which announces itself as our commands do."""
    async with child_process(
        name,
        ["-e", env_file, *arguments],
        program=[str(programs.peers)],
        log_directory=directory,
        ready_timeout_seconds=READY_SECONDS,
    ) as child:
        yield child


@dataclass(frozen=True, slots=True)
class Ends:
    """Where processes of both kinds come from, and where their files go."""

    programs: RustPrograms
    directory: Path
    profile: str = "bare"

    @property
    def ours(self) -> Stage:
        """Where ours come from."""
        return Stage(folder=self.directory, profile=self.profile, flags=("--grace-period", "1"))

    @asynccontextmanager
    async def network(
        self, name: str = "localnet", faults: FaultPlan | None = None
    ) -> AsyncIterator[Network]:
        """Run a localnet, with faults if so wanted, and an upstream."""
        async with (
            self.ours.localnet("--processes", "2", name=name, faults=faults) as net,
            self.ours.upstream(f"{name}-upstream") as upstream,
        ):
            yield Network(net.env_file, net.counters_url, upstream.http, upstream.greeter)

    @asynccontextmanager
    async def server(self, kind: Server, network: Network, upstream: str) -> AsyncIterator[str]:
        """Run a server with a new identity; give its Nym address."""
        if kind is Server.RUST_PROXY:
            directory = self._new_home() / "rust-server"
            async with self._rust_server(network, upstream, directory) as server:
                yield server.address
            return
        if kind is Server.RUST_ACCEPTOR:
            async with self._rust_peer(network, "stream-acceptor", upstream) as child:
                yield child.ready["address"]
            return
        accepted = "stream" if kind is Server.OUR_ACCEPTOR else "legacy,stream"
        directory = self.directory / f"server-{os.urandom(4).hex()}"
        async with self._our_server(network, upstream, directory, accepted) as server:
            yield server.address

    @asynccontextmanager
    async def server_on(
        self, kind: Server, network: Network, upstream: str, directory: Path
    ) -> AsyncIterator[RunningServer]:
        """Run one of the two proxy servers on a directory that may exist."""
        if kind is Server.RUST_PROXY:
            async with self._rust_server(network, upstream, directory) as server:
                yield server
        else:
            async with self._our_server(network, upstream, directory, "legacy,stream") as server:
                yield server

    @asynccontextmanager
    async def _rust_server(
        self, network: Network, upstream: str, directory: Path
    ) -> AsyncIterator[RunningServer]:
        async with old_server(
            self.programs.server, network.env_file, upstream, directory
        ) as server:
            yield RunningServer(server.address, server.process.kill)

    @asynccontextmanager
    async def _our_server(
        self, network: Network, upstream: str, directory: Path, accepted: str
    ) -> AsyncIterator[RunningServer]:
        async with self.ours.server(
            *(network.env_file, upstream, "--accept", accepted),
            name="our-server",
            config_dir=directory,
        ) as server:
            yield RunningServer(server.address, server.child.kill)

    @asynccontextmanager
    async def client(
        self, kind: Client, network: Network, address: str
    ) -> AsyncIterator[tuple[str, int]]:
        """Run a client of the server ``address``; give where apps connect to."""
        if kind is Client.RUST_PROXY:
            flags = (
                "--client-pool-reserve",
                "1",
                "--close-timeout",
                str(OLD_CLOSE_TIMEOUT_SECONDS),
            )
            async with old_client(
                self.programs.client, network.env_file, address, self._new_home(), flags
            ) as old:
                yield old.target.host, old.target.port
            return
        if kind is Client.RUST_DIALER:
            async with self._rust_peer(network, "stream-dialer", address) as child:
                target = Target.listening_at(child.ready["local_address"])
                yield target.host, target.port
        else:
            wire = "legacy" if kind is Client.OUR_LEGACY else "stream"
            flags = ("--wire", wire, "--client-pool-reserve", "1")
            name = kind.name.lower()
            async with self.ours.client(network.env_file, address, *flags, name=name) as client:
                target = client.target()
                yield target.host, target.port

    def _rust_peer(
        self, network: Network, command: str, argument: str
    ) -> AbstractAsyncContextManager[Child]:
        return rust_peer(
            self.programs, self.directory, network.env_file, command, command, argument
        )

    def _new_home(self) -> Path:
        home = self.directory / f"home-{os.urandom(4).hex()}"  # a new identity each time
        home.mkdir()
        return home
