"""What a parity run works on: a localnet with both pairs, or servers that run somewhere already."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy import MixnetClient, NetworkDetails
from nymproxy.testing.counters import NetworkTotals, network_totals, upstream_totals
from nymproxy.testing.old_programs import old_client, old_server
from nymproxy.testing.stage import Stage as Processes
from nymproxy.testing.upstream import serve_upstream
from nymproxy_migrate.parity.model import Side
from nymproxy_migrate.parity.planned import DEFAULT_FLAGS, Flags
from nymproxy_migrate.parity.relay import Relay, RelayTotals, relay
from nymproxy_migrate.parity.sides import Ways

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    import httpx
    from anyio.abc import Process

    from nymproxy.testing.upstream import Upstream
    from nymproxy.testing.workloads import Target
    from nymproxy_migrate.parity.compared import OldPrograms

GRACE_SECONDS = "0.1"
"""For sessions of our own children when they end: nobody waits for what is left of them."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers that run already.

    Attributes:
        addresses: their Nym addresses.
        env_file: the network they are in.
        profile: of the clients that are started.
    """

    addresses: Mapping[Side, str]
    env_file: Path
    profile: str


@dataclass(frozen=True, slots=True)
class Started:
    """A proxy of either kind.

    Attributes:
        process: which it is.
        target: where applications connect to, of a client.
        address: the Nym address, of a server.
    """

    process: Process
    target: Target | None = None
    address: str = ""


@dataclass(slots=True)
class Stage:
    """Everything that was started, and how to start a client next to it.

    Attributes:
        env_file: describes the network.
        profile: of all clients.
        folder: for logs and configuration.
        flags: for the commands of each side.
        old: the programs of the legacy side; None for ours.
        gateways: where servers are; an old one is at the first. None: at any.
        ways: the sides, ready to be measured.
        network: the localnet's counters; ``None`` for other networks.
    """

    env_file: Path
    profile: str
    folder: Path
    flags: Flags = DEFAULT_FLAGS
    old: OldPrograms | None = None
    gateways: tuple[str, ...] = ()
    ways: list[Ways] = field(default_factory=list)
    network: Callable[[], Awaitable[NetworkTotals]] | None = None

    @asynccontextmanager
    async def client(self, name: str, side: Side, address: str) -> AsyncIterator[Started]:
        """Run a proxy client of a side that carries to ``address``."""
        given = self.flags.clients[side]
        if self.old is not None and side is Side.LEGACY:
            home = self.folder / name
            home.mkdir()
            async with old_client(self.old.client, self.env_file, address, home, given) as old:
                yield Started(old.process, old.target)
            return
        flags = ("--wire", side.value, *given)
        async with self.processes.client(self.env_file, address, *flags, name=name) as client:
            yield Started(client.child.process, client.target())

    @asynccontextmanager
    async def server(self, side: Side, upstream: str) -> AsyncIterator[Started]:
        """Run a proxy server; ours are by default for both wires."""
        at = [word for gateway in self.gateways for word in ("-g", gateway)]
        flags, name = (*self.flags.servers[side], *at), f"{side.value}-server"
        if self.old is not None and side is Side.LEGACY:
            keys = self.folder / f"{name}.config"
            async with old_server(self.old.server, self.env_file, upstream, keys, at[:2]) as old:
                yield Started(old.process, address=old.address)
            return
        async with self.processes.server(self.env_file, upstream, *flags, name=name) as server:
            yield Started(server.child.process, address=server.address)

    @property
    def processes(self) -> Processes:
        """Where the stage's processes come from."""
        flags = ("--grace-period", GRACE_SECONDS)
        return Processes(folder=self.folder, profile=self.profile, flags=flags)

    @asynccontextmanager
    async def listening_post(self) -> AsyncIterator[MixnetClient]:
        """Connect a client of the mixnet that stands in for a server."""
        network = NetworkDetails.from_env_file(self.env_file)
        async with await MixnetClient.connect(network, profile=self.profile) as post:
            yield post

    @asynccontextmanager
    async def client_of_post(self, side: Side, address: str) -> AsyncIterator[Target]:
        """Run a client of a side towards the listening post."""
        async with self.client(f"{side.value}-post-client", side, address) as client:
            yield _target_of(client)


@asynccontextmanager
async def localnet_stage(
    profile: str, flags: Flags = DEFAULT_FLAGS, old: OldPrograms | None = None
) -> AsyncIterator[Stage]:
    """Start a localnet, an upstream, and a server and a client of each side.

    Args:
        profile: of all that are ours.
        flags: of the commands, side by side.
        old: the programs of the legacy side; None for ours.

    Each side has a server process of its own, so that its memory can be told from the other's;
    both accept both wires.
    """
    import httpx

    async with (
        temporary_folder() as folder,
        httpx.AsyncClient(timeout=10) as http,
        serve_upstream() as upstream,
        Processes(folder=folder).localnet() as localnet,
        AsyncExitStack() as stack,
    ):
        counters = _counters(http, localnet.counters_url)
        stage = Stage(Path(localnet.env_file), profile, folder, flags, old, network=counters)
        pairs: dict[Side, Ways] = {}
        # The relays' task groups last longer than the one that starts the processes.
        gates = {side: await stack.enter_async_context(relay(upstream.http)) for side in Side}
        if old is not None:
            # Their logs are followed by task groups, which end where they have begun.
            gate = gates[Side.LEGACY]
            await _start_pair(stage, stack, Side.LEGACY, gate, upstream, pairs)
        async with anyio.create_task_group() as tasks:
            for side, gate in gates.items():
                if side not in pairs:
                    tasks.start_soon(_start_pair, stage, stack, side, gate, upstream, pairs)
        stage.ways = [pairs[side] for side in Side]
        yield stage


async def _start_pair(
    stage: Stage,
    stack: AsyncExitStack,
    side: Side,
    gate: Relay,
    upstream: Upstream,
    pairs: dict[Side, Ways],
) -> None:
    server = await stack.enter_async_context(stage.server(side, gate.address))
    client = await stack.enter_async_context(
        stage.client(f"{side.value}-client", side, server.address)
    )
    pairs[side] = Ways(
        side,
        _target_of(client),
        gate,
        upstream.http,
        upstream.greeter,
        stage.network,
        processes={"client": client.process.pid, "server": server.process.pid},
    )


@asynccontextmanager
async def servers_stage(servers: Servers) -> AsyncIterator[Stage]:
    """Start a client for each of two servers that run already."""
    import httpx

    async with (
        temporary_folder() as folder,
        httpx.AsyncClient(timeout=20) as http,
        AsyncExitStack() as stack,
    ):
        stage = Stage(servers.env_file, servers.profile, folder)
        pairs: dict[Side, Ways] = {}

        async def start(side: Side) -> None:
            client = await stack.enter_async_context(
                stage.client(f"{side.value}-client", side, servers.addresses[side])
            )
            processes = {"client": client.process.pid}
            target = _target_of(client)
            pairs[side] = Ways(
                side, target, statistics=_statistics(http, target), processes=processes
            )

        async with anyio.create_task_group() as tasks:
            for side in Side:
                tasks.start_soon(start, side)
        stage.ways = [pairs[side] for side in Side]
        yield stage


def _target_of(client: Started) -> Target:
    assert client.target is not None
    return client.target


@asynccontextmanager
async def temporary_folder() -> AsyncIterator[Path]:
    """Make a folder for logs and keys, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="nymproxy-parity-") as name:
        yield Path(name)


def _counters(http: httpx.AsyncClient, url: str) -> Callable[[], Awaitable[NetworkTotals]]:
    async def ask() -> NetworkTotals:
        return await network_totals(http, url)

    return ask


def _statistics(
    http: httpx.AsyncClient, target: Target
) -> Callable[[], Awaitable[RelayTotals | None]]:
    async def ask() -> RelayTotals | None:
        import httpx

        try:
            found = await upstream_totals(http, f"{target.host}:{target.port}")
        except (httpx.HTTPError, ValueError, TypeError):
            return None
        return RelayTotals(found.connections, found.ends_of_data, found.resets)

    return ask
