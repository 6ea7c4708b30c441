"""The two ends of a measurement, ours or the published Rust programs, each a process of its own.

The Rust programs are those of the interop matrix: on the legacy wire the published proxies of
nym-sdk, on the stream wire two programs that carry TCP over its streams. They know the profile
``default`` only.
"""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interop.stage import rust_peer
from nymproxy.testing.old_programs import old_client, old_server
from nymproxy.testing.workloads import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from interop.programs import RustPrograms
    from nymproxy.testing.stage import Stage

SERVER_LIMITS = (
    *("--max-sessions", "20000", "--max-sessions-per-client", "20000", "--connect-rate", "10000"),
)
CLIENT_LIMITS = ("--max-connections", "20000")
"""What strangers are kept to by default is not what is measured."""
TIMEOUT_SECONDS = 300.0
END_OF_DATA_SECONDS = 0.5
"""How long a Rust peer, which cannot tell the end of data, is waited for; not in any figure."""


@dataclass(frozen=True, slots=True)
class ServerEnd:
    """A server: its process and its Nym address."""

    pid: int
    address: str


@dataclass(frozen=True, slots=True)
class ClientEnd:
    """A client: its process, where applications connect to, and its log, if it is ours."""

    pid: int
    target: Target
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class OurEnds:
    """Where our own commands come from."""

    processes: Stage

    @asynccontextmanager
    async def server(self, wire: str, env_file: str, upstream: str) -> AsyncIterator[ServerEnd]:
        """Run a server, which takes any wire."""
        del wire
        async with self.processes.server(env_file, upstream, *SERVER_LIMITS) as server:
            yield ServerEnd(server.child.process.pid, server.address)

    @asynccontextmanager
    async def client(
        self, wire: str, env_file: str, address: str, mode: str, *flags: str, name: str
    ) -> AsyncIterator[ClientEnd]:
        """Run a client with one identity (``shared``), or one for each connection."""
        further = ("--wire", wire, "--identity-mode", mode, *CLIENT_LIMITS, *flags)
        async with self.processes.client(env_file, address, *further, name=name) as client:
            child = client.child
            yield ClientEnd(child.process.pid, client.target(TIMEOUT_SECONDS), child.log)


@dataclass(frozen=True, slots=True)
class RustEnds:
    """Where the Rust programs come from."""

    programs: RustPrograms
    folder: Path

    @asynccontextmanager
    async def server(self, wire: str, env_file: str, upstream: str) -> AsyncIterator[ServerEnd]:
        """Run the published proxy server, or an acceptor of streams."""
        if wire == "legacy":
            directory = self._new_home("server") / "keys"
            async with old_server(self.programs.server, env_file, upstream, directory) as server:
                yield ServerEnd(server.process.pid, server.address)
            return
        arguments = ("rust-acceptor", "stream-acceptor", upstream)
        async with rust_peer(self.programs, self.folder, env_file, *arguments) as child:
            yield ServerEnd(child.process.pid, str(child.ready["address"]))

    @asynccontextmanager
    async def client(
        self, wire: str, env_file: str, address: str, mode: str, *flags: str, name: str
    ) -> AsyncIterator[ClientEnd]:
        """Run the published proxy client, with an identity for each connection, or a dialer of
        streams, with one for all."""
        del mode
        if wire == "legacy":
            home = self._new_home(name)
            async with old_client(self.programs.client, env_file, address, home, flags) as old:
                target = Target(
                    *(old.target.host, old.target.port, TIMEOUT_SECONDS, END_OF_DATA_SECONDS)
                )
                yield ClientEnd(old.process.pid, target)
            return
        arguments = (f"rust-{name}", "stream-dialer", address)
        async with rust_peer(self.programs, self.folder, env_file, *arguments) as child:
            host, _, port = str(child.ready["local_address"]).rpartition(":")
            target = Target(host, int(port), TIMEOUT_SECONDS, END_OF_DATA_SECONDS)
            yield ClientEnd(child.process.pid, target)

    def _new_home(self, name: str) -> Path:
        home = self.folder / f"rust-{name}-{os.urandom(4).hex()}"
        home.mkdir()
        return home
