"""The embedded mixnet: directory, mix nodes and gateways on loopback, with real wire formats.

Nothing takes a shortcut past a socket or a cipher, so our clients and Rust ones use it alike.
"""

from __future__ import annotations

import logging
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio

from nymproxy._background_task import leave_group
from nymproxy.address import NodeIdentity
from nymproxy.errors import ConfigurationError, NymError, StorageError, UsageError
from nymproxy.localnet import counters as counting
from nymproxy.localnet.config import LocalnetConfig, NodeSpec, lay_out
from nymproxy.localnet.directory_bodies import ListedNode, build_bodies
from nymproxy.localnet.directory_server import BASE_PATH, COUNTERS_PATH, JsonServer
from nymproxy.localnet.env_file import env_file_text
from nymproxy.localnet.epochs import EpochClock
from nymproxy.localnet.fault_gates import FaultGates
from nymproxy.localnet.faults import FaultAction, FaultEvent, FaultPlan
from nymproxy.localnet.hosts import LocalHost, NodeHost
from nymproxy.localnet.network_state import NetworkState, StateDirectory
from nymproxy.localnet.nodes import HOST, NodeEnvironment, Port
from nymproxy.localnet.workers import start_worker
from nymproxy.mixnet.randomness import RandomBytes, system_random_bytes
from nymproxy.mixnet.sphinx import NodeAddress
from nymproxy.mixnet.sphinx.primitives import x25519_base

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from anyio.abc import TaskGroup

logger = logging.getLogger("nymproxy.localnet")

DIRECTORY = "directory"
ENV_FILE = "localnet.env"
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


class Localnet:
    """A network, as an async context manager: up on entry, gone on exit.

    ::

        async with Localnet(LocalnetConfig(gateways=2)) as localnet:
            details = NetworkDetails.from_env_file(localnet.env_file)

    Args:
        config: sizes and behaviour.
        unix_time: the wall clock of epochs, authentication and bandwidth.
        random_bytes: for keys (without a seed) and nonces.
    """

    def __init__(
        self,
        config: LocalnetConfig | None = None,
        *,
        unix_time: Callable[[], float] = time.time,
        random_bytes: RandomBytes = system_random_bytes,
    ) -> None:
        self.config = config or LocalnetConfig()
        self._unix_time = unix_time
        self._random_bytes = random_bytes
        self._specs: dict[str, NodeSpec] = {}
        self._hosts: list[NodeHost] = []
        self._host_of: dict[str, NodeHost] = {}
        self._ports: dict[str, int] = {}
        self._public_keys: dict[tuple[str, int], bytes] = {}
        self._plan = self.config.fault_plan
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
        return self._env_file

    @property
    def state_dir(self) -> Path:
        """Where the network keeps its state."""
        return self._directory.path

    @property
    def gateways(self) -> tuple[GatewayInfo, ...]:
        """The gateways, in order."""
        return tuple(
            GatewayInfo(
                name,
                self._identity(name),
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

    # What can be done to it.

    async def set_faults(self, plan: FaultPlan) -> None:
        """Replace the fault plan; its times count from now. An empty plan ends all faults."""
        self._plan_scope.cancel()
        self._plan = plan
        for host in self._hosts:
            await host.set_faults(plan)
        self._plan_scope = anyio.CancelScope()
        if plan:
            logger.info("fault plan with seed %s: %s", plan.seed, plan.to_json())
        if plan.events:
            self._task_group.start_soon(self._run_events, plan.events, self._plan_scope)

    async def kill_node(self, name: str) -> None:
        """End a node as if its process was killed: nothing is flushed, no close frames."""
        await self._host(name).stop(name, orderly=False)

    async def stop_node(self, name: str) -> None:
        """End a node in order: clients of a gateway read all that was sent to them."""
        await self._host(name).stop(name, orderly=True)

    async def start_node(self, name: str) -> None:
        """Start a node again: the same keys, ports and, for a gateway, state."""
        await self._host(name).start(name)

    async def kill_gateway(self, index: int, *, orderly: bool = False) -> None:
        """End a gateway, abruptly or in order."""
        await self._host(f"gateway-{index}").stop(f"gateway-{index}", orderly=orderly)

    async def start_gateway(self, index: int) -> None:
        """Start a gateway again, with its state."""
        await self.start_node(f"gateway-{index}")

    async def disconnect(self, name: str, peer_pattern: str = "*") -> int:
        """Abort a node's connections to peers (``client`` for its clients); returns how many."""
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

    # Up and down.

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if kind is None:
            with anyio.move_on_after(SHUTDOWN_SECONDS):
                await self._stop_gateways()
        return await self._stack.__aexit__(kind, error, traceback)

    async def _open(self, stack: AsyncExitStack) -> None:
        config = self.config
        self._directory = self._open_state_directory(stack)
        self._state = self._directory.load(config, self._unix_time(), self._random_bytes)
        self._epochs = EpochClock(self._state.schedule)
        specs = _with_last_ports(lay_out(config), config, self._state)
        self._specs = {spec.name: spec for spec in specs}
        self._task_group = await stack.enter_async_context(_CancelledGroup())
        await self._open_hosts(stack, specs)
        for host in self._hosts:
            self._ports.update(await host.ports())
            self._host_of.update(dict.fromkeys(self._names_on(await host.ports()), host))
        names = {NodeAddress.parse(HOST, self._ports[name]): name for name in self._specs}
        for host in self._hosts:
            await host.set_names(names)
        for name in self._specs:
            await self.start_node(name)
        await self._open_directory(stack)
        self._state.ports = self._ports
        self._directory.save(self._state)
        self._write_env_file()
        await self.set_faults(config.fault_plan)

    def _open_state_directory(self, stack: AsyncExitStack) -> StateDirectory:
        path = self.config.state_dir
        if path is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nymproxy-")))
        directory = StateDirectory(path)
        stack.callback(directory.close)
        return directory

    async def _open_hosts(self, stack: AsyncExitStack, specs: list[NodeSpec]) -> None:
        config = self.config
        here = [spec for spec in specs if spec.is_gateway or config.processes == 1]
        environment = NodeEnvironment(
            self._state.secret,
            self._epochs,
            FaultGates(anyio.current_time),
            self._unix_time,
            self._random_bytes,
            config.frame_version,
        )
        local = LocalHost(here, environment, self._directory, self._task_group)
        stack.callback(local.close)
        self._hosts.append(local)
        for elsewhere in _spread([spec for spec in specs if spec not in here], config.processes):
            worker = await start_worker(
                elsewhere, self._state.secret, self._epochs.schedule, config.frame_version
            )
            self._hosts.append(await stack.enter_async_context(worker))

    def _names_on(self, ports: dict[str, int]) -> list[str]:
        return [name for name in ports if name in self._specs]

    async def _open_directory(self, stack: AsyncExitStack) -> None:
        port = _directory_port(self.config, self._state)
        stack.callback(port.close)
        listener = await port.listen()
        self._ports[DIRECTORY] = port.number
        server = JsonServer(self._directory_body)

        async def serve() -> None:
            async with listener:
                await listener.serve(server.handle)

        self._task_group.start_soon(serve)

    def _write_env_file(self) -> None:
        self._env_file = self.config.env_file or self._directory.path / ENV_FILE
        try:
            self._env_file.write_text(env_file_text(self.directory_url))
        except OSError as error:
            raise StorageError(f"cannot write the env file {self._env_file}: {error}") from error

    async def _stop_gateways(self) -> None:
        async with anyio.create_task_group() as task_group:
            for name, spec in self._specs.items():
                if spec.is_gateway:
                    task_group.start_soon(self.stop_node, name)

    # The directory.

    async def _directory_body(self, path: str) -> object | None:
        if path == COUNTERS_PATH:
            return await self.counters()
        if not path.startswith(f"{BASE_PATH}/"):
            return None
        unix_time = self._unix_time()
        rotation_id = self._epochs.schedule.rotation_of(self._epochs.epoch_at(unix_time))
        nodes = [self._listed(spec, rotation_id) for spec in self._specs.values()]
        return build_bodies(nodes, self._epochs.schedule, unix_time).get(
            path.removeprefix(BASE_PATH)
        )

    def _listed(self, spec: NodeSpec, rotation_id: int) -> ListedNode:
        public_key = self._public_keys.get((spec.name, rotation_id))
        if public_key is None:
            public_key = x25519_base(self._state.secret.sphinx_key(spec.name, rotation_id))
            self._public_keys[spec.name, rotation_id] = public_key
        return ListedNode(
            spec.node_id,
            self._identity(spec.name),
            NodeAddress.parse(HOST, self._ports[spec.name]),
            public_key,
            spec.layer,
            self._ports.get(f"{spec.name}/clients"),
            # Every second gateway is an exit, so that both roles occur.
            is_exit=spec.is_gateway and int(spec.name.rpartition("-")[2]) % 2 == 1,
        )

    def _identity(self, name: str) -> NodeIdentity:
        return NodeIdentity(self._state.secret.identity_key(name).public_key)

    # Faults and epochs.

    def _host(self, name: str) -> NodeHost:
        host = self._host_of.get(name)
        if host is None:
            raise UsageError(f"no node is called {name!r}; there are {', '.join(self._specs)}")
        return host

    async def _spread_schedule(self) -> None:
        self._state.schedule = self._epochs.schedule
        self._directory.save(self._state)
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
            if event.action is FaultAction.KILL:
                await self.kill_node(name)
            elif event.action is FaultAction.STOP:
                await self.stop_node(name)
            elif event.action is FaultAction.START:
                await self.start_node(name)
            else:
                await self.disconnect(name, event.peer)
        except NymError as error:
            logger.error("fault plan: %s %s failed: %s", event.action.value, name, error)


class _CancelledGroup:
    """A task group that is cancelled, not waited for, when its block ends."""

    def __init__(self) -> None:
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> TaskGroup:
        return await self._group.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        return await leave_group(self._group, kind, error, traceback)


def _spread(specs: list[NodeSpec], processes: int) -> list[list[NodeSpec]]:
    """Deal the mix nodes out to the worker processes, each layer over as many as possible."""
    workers = min(processes - 1, len(specs))
    return [specs[index::workers] for index in range(workers)]


def _with_last_ports(
    specs: list[NodeSpec], config: LocalnetConfig, state: NetworkState
) -> list[NodeSpec]:
    """Let nodes have the ports of the last run, where these are free."""
    if config.base_port is not None:
        return specs
    return [
        replace(
            spec,
            mix_port=_free_port(state.ports.get(spec.name, 0)),
            client_port=_free_port(state.ports.get(f"{spec.name}/clients", 0)),
        )
        for spec in specs
    ]


def _free_port(port: int) -> int:
    if port:
        try:
            Port(port).close()
        except ConfigurationError:
            logger.warning("port %s of the last run is in use, another is taken", port)
            return 0
    return port


def _directory_port(config: LocalnetConfig, state: NetworkState) -> Port:
    if config.base_port is not None:
        return Port(config.base_port)
    return Port(_free_port(state.ports.get(DIRECTORY, 0)))
