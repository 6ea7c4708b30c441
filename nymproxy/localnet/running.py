"""A network that is up: what it consists of, and what can be done to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import anyio

from nymproxy.errors import NymError, UsageError
from nymproxy.localnet import counters as counting
from nymproxy.localnet.directory_server import BASE_PATH, COUNTERS_PATH
from nymproxy.localnet.faults import CLIENT_NAME, FaultAction, FaultEvent, FaultPlan
from nymproxy.localnet.listing import NetworkListing
from nymproxy.localnet.ports import HOST

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import TaskGroup

    from nymproxy.address import NodeIdentity
    from nymproxy.localnet.config import LocalnetConfig, NodeSpec
    from nymproxy.localnet.hosts import NodeHost
    from nymproxy.localnet.network_state import NetworkState, StateDirectory
    from nymproxy.localnet.nodes import NodeEnvironment

logger = logging.getLogger("nymproxy.localnet")

DIRECTORY = "directory"
SHUTDOWN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """A gateway, for who wants to connect to it.

    Attributes:
        name: ``gateway-INDEX``.
        identity: its Ed25519 key.
        url: its websocket.
    """

    name: str
    identity: NodeIdentity
    url: str


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """What a running network is made of.

    Attributes:
        host_of: the host of each node, by the node's name.
        env_file: where the env file for clients is.
        tasks: runs everything.
    """

    config: LocalnetConfig
    specs: list[NodeSpec]
    environment: NodeEnvironment
    directory: StateDirectory
    state: NetworkState
    hosts: list[NodeHost]
    host_of: dict[str, NodeHost]
    env_file: Path
    tasks: TaskGroup


class RunningLocalnet:
    """A network that is up; :class:`~nymproxy.localnet.Localnet` makes it, and ends it."""

    def __init__(self, parts: NetworkParts) -> None:
        self.config = parts.config
        self._parts = parts
        self._specs = {spec.name: spec for spec in parts.specs}
        self._hosts = parts.hosts
        self._state = parts.state
        self._ports = parts.state.ports
        self._epochs = parts.environment.epochs
        self._unix_time = parts.environment.unix_time
        self._listing = NetworkListing(parts.specs, parts.environment, parts.state.ports)
        self._plan = FaultPlan()
        self._plan_scope = anyio.CancelScope()

    # What there is.

    @property
    def directory_url(self) -> str:
        """The base URL of the directory, as clients want it."""
        return f"http://{HOST}:{self._ports[DIRECTORY]}{BASE_PATH}/"

    @property
    def counters_url(self) -> str:
        """Where the counters are served as JSON."""
        return f"http://{HOST}:{self._ports[DIRECTORY]}{COUNTERS_PATH}"

    @property
    def env_file(self) -> Path:
        """The env file for clients, ours and Rust ones."""
        return self._parts.env_file

    @property
    def state_dir(self) -> Path:
        """Where the network keeps its state."""
        return self._parts.directory.path

    @property
    def gateways(self) -> tuple[GatewayInfo, ...]:
        """The gateways, in order."""
        return tuple(
            GatewayInfo(
                name,
                self._listing.identity(name),
                f"ws://{HOST}:{self._ports[f'{name}/clients']}",
            )
            for name, spec in self._specs.items()
            if spec.is_gateway
        )

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names of all nodes, mix nodes first."""
        return tuple(self._specs)

    @property
    def fault_plan(self) -> FaultPlan:
        """The plan in force."""
        return self._plan

    def describe(self) -> dict[str, Any]:
        """Return what a program that starts the network needs to know, JSON-ready."""
        return {
            "directory_url": self.directory_url,
            "env_file": str(self.env_file),
            "state_dir": str(self.state_dir),
            "counters_url": self.counters_url,
            "gateways": [
                {"name": info.name, "identity": str(info.identity), "url": info.url}
                for info in self.gateways
            ],
            "mix_nodes": [name for name, spec in self._specs.items() if not spec.is_gateway],
            "processes": self.config.processes,
            "seed": self.config.seed,
            "fault_plan": self._plan.to_dict(),
        }

    async def counters(self) -> dict[str, Any]:
        """Return what the nodes counted: ``nodes`` by name, ``total``, and the fault plan."""
        nodes: dict[str, dict[str, Any]] = {}
        for host in self._hosts:
            nodes.update(await host.snapshot())
        return {
            "nodes": {name: nodes[name] for name in self._specs if name in nodes},
            "total": counting.total(nodes),
            "fault_plan": self._plan.to_dict(),
        }

    async def clients(self) -> dict[str, list[str]]:
        """Return the identities (base58) of the clients that are connected, by gateway."""
        found: dict[str, list[str]] = {}
        for host in self._hosts:
            found.update(await host.clients())
        return found

    # What can be done to it.

    async def set_faults(self, plan: FaultPlan) -> None:
        """Replace the fault plan; its times count from now. An empty plan ends all faults."""
        self._plan_scope.cancel()
        self._plan = plan
        self._listing.dead_nodes = plan.dead_nodes
        for host in self._hosts:
            await host.set_faults(plan)
        self._plan_scope = anyio.CancelScope()
        if plan:
            logger.info("fault plan with seed %s: %s", plan.seed, plan.to_json())
        if plan.events:
            self._parts.tasks.start_soon(self._run_events, plan.events, self._plan_scope)

    async def kill_node(self, name: str) -> None:
        """End a node as if its process was killed: nothing is flushed, no close frames."""
        await self._stop(name, orderly=False)

    async def stop_node(self, name: str) -> None:
        """End a node in order: clients of a gateway read all that was sent to them."""
        await self._stop(name, orderly=True)

    async def remove_node(self, name: str) -> None:
        """Kill a node for good: the directory does not list it any more, nothing starts it."""
        await self.kill_node(name)
        self._listing.remove(name)

    async def start_node(self, name: str) -> None:
        """Start a node again: the same keys, ports and, for a gateway, state.

        Raises:
            UsageError: it was removed for good.
        """
        host = self._host(name)
        self._listing.set_up(name)
        await host.start(name)

    async def kill_gateway(self, index: int, *, orderly: bool = False) -> None:
        """End a gateway, abruptly or in order."""
        await self._stop(f"gateway-{index}", orderly=orderly)

    async def start_gateway(self, index: int) -> None:
        """Start a gateway again, with its state."""
        await self.start_node(f"gateway-{index}")

    async def stall(self, name: str, seconds: float, peer_pattern: str = CLIENT_NAME) -> None:
        """Begin to let nothing pass between a gateway and its clients, or one of them.

        Args:
            name: the gateway's.
            seconds: how long. Nothing is lost; this returns at once.
            peer_pattern: ``client``, or the identity (base58) of one client.
        """
        await self._host(name).disturb_clients(name, FaultAction.STALL, peer_pattern, seconds)

    async def swallow(self, name: str, seconds: float, peer_pattern: str = CLIENT_NAME) -> None:
        """Begin to lose everything between a gateway and its clients, and reset them in the end.

        Arguments as for :meth:`stall`.
        """
        await self._host(name).disturb_clients(name, FaultAction.SWALLOW, peer_pattern, seconds)

    async def disconnect(self, name: str, peer_pattern: str = "*") -> int:
        """Reset a node's connections to peers; returns how many.

        ``client`` stands for all clients of a gateway, an identity (base58) for one of them.
        """
        return await self._host(name).disconnect(name, peer_pattern)

    async def rotate_now(self) -> None:
        """Start the next key rotation; the keys of the one before stay valid for this epoch."""
        self._epochs.advance_rotation(self._unix_time())
        await self._spread_schedule()

    async def advance_epochs(self, count: int = 1) -> None:
        """Start the epoch ``count`` after this one."""
        self._epochs.advance_epochs(self._unix_time(), count)
        await self._spread_schedule()

    @property
    def epoch_id(self) -> int:
        """The current epoch."""
        return self._epochs.epoch_at(self._unix_time())

    @property
    def rotation_id(self) -> int:
        """The current key rotation."""
        return self._epochs.schedule.rotation_of(self.epoch_id)

    async def stop_gateways(self) -> None:
        """End all gateways in order, as far as their clients let them in some seconds."""
        with anyio.move_on_after(SHUTDOWN_SECONDS):
            async with anyio.create_task_group() as task_group:
                for info in self.gateways:
                    task_group.start_soon(self.stop_node, info.name)

    async def directory_body(self, path: str) -> object | None:
        """Return what the directory answers to a GET of a path, ``None`` where nothing is."""
        if path == COUNTERS_PATH:
            return await self.counters()
        return self._listing.body(path)

    # Faults and epochs.

    def _host(self, name: str) -> NodeHost:
        host = self._parts.host_of.get(name)
        if host is None:
            raise UsageError(f"no node is called {name!r}; there are {', '.join(self._specs)}")
        return host

    async def _stop(self, name: str, *, orderly: bool) -> None:
        await self._host(name).stop(name, orderly=orderly)
        self._listing.set_down(name)

    async def _spread_schedule(self) -> None:
        self._state.schedule = self._epochs.schedule
        self._parts.directory.save(self._state)
        for host in self._hosts:
            await host.set_schedule(self._epochs.schedule)

    async def _run_events(self, events: tuple[FaultEvent, ...], scope: anyio.CancelScope) -> None:
        """Let each node's events happen in their order; no node waits for another's."""
        start = anyio.current_time()

        async def run(name: str, own: list[FaultEvent]) -> None:
            for event in own:
                await anyio.sleep_until(start + event.at_seconds)
                await self._do(event, name)

        with scope:
            async with anyio.create_task_group() as task_group:
                for name in self._specs:
                    own = [event for event in events if fnmatchcase(name, event.node)]
                    own.sort(key=lambda event: event.at_seconds)
                    task_group.start_soon(run, name, own)

    async def _do(self, event: FaultEvent, name: str) -> None:
        logger.info("fault plan: %s %s", event.action.value, name)
        try:
            match event.action:
                case FaultAction.KILL:
                    await self.kill_node(name)
                case FaultAction.STOP:
                    await self.stop_node(name)
                case FaultAction.START:
                    await self.start_node(name)
                case FaultAction.REMOVE:
                    await self.remove_node(name)
                case FaultAction.DISCONNECT:
                    await self.disconnect(name, event.peer)
                case FaultAction.STALL:
                    await self.stall(name, event.seconds, event.peer)
                case FaultAction.SWALLOW:
                    await self.swallow(name, event.seconds, event.peer)
        except NymError as error:
            logger.error("fault plan: %s %s failed: %s", event.action.value, name, error)
