"""The embedded mixnet: directory, mix nodes and gateways on loopback, with real wire formats.

Nothing takes a shortcut past a socket or a cipher, so our clients and Rust ones use it alike.
"""

from __future__ import annotations

import errno
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from nymproxy._background_task import leave_group
from nymproxy.errors import StorageError
from nymproxy.localnet.config import LAYER_COUNT, LocalnetConfig, NodeSpec, lay_out
from nymproxy.localnet.directory_server import JsonServer
from nymproxy.localnet.env_file import env_file_text
from nymproxy.localnet.epochs import EpochClock
from nymproxy.localnet.fault_gates import FaultGates
from nymproxy.localnet.hosts import LocalHost, NodeHost
from nymproxy.localnet.network_state import StateDirectory
from nymproxy.localnet.nodes import NodeEnvironment
from nymproxy.localnet.ports import HOST, Port, free_port, with_last_ports
from nymproxy.localnet.running import DIRECTORY, NetworkParts, RunningLocalnet
from nymproxy.localnet.workers import start_worker
from nymproxy.mixnet.randomness import RandomBytes, system_random_bytes
from nymproxy.mixnet.sphinx import NodeAddress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup

ENV_FILE = "localnet.env"
GATEWAYS_WORK = 1.1
"""CPU time of all gateways for a packet and its acknowledgement, by that of a layer of mixes."""


class Localnet:
    """A network to be, as an async context manager: up on entry, gone on exit.

    ::

        async with Localnet(LocalnetConfig(gateways=2)) as localnet:  # a RunningLocalnet
            details = NetworkDetails.from_env_file(localnet.env_file)

    Args:
        config: sizes and behaviour.
        unix_time: the wall clock of epochs, authentication and bandwidth.
        random_bytes: for keys (without a seed) and nonces.

    Raises:
        ConfigurationError: on entry: a port is in use, or the state is of another network.
        StorageError: on entry: the state directory cannot be used.
    """

    def __init__(
        self,
        config: LocalnetConfig | None = None,
        *,
        unix_time: Callable[[], float] = time.time,
        random_bytes: RandomBytes = system_random_bytes,
    ) -> None:
        self._network = _running(config or LocalnetConfig(), unix_time, random_bytes)

    async def __aenter__(self) -> RunningLocalnet:
        return await self._network.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._network.__aexit__(kind, error, traceback)


@asynccontextmanager
async def _running(
    config: LocalnetConfig, unix_time: Callable[[], float], random_bytes: RandomBytes
) -> AsyncIterator[RunningLocalnet]:
    async with AsyncExitStack() as stack:
        directory = _open_state_directory(config.state_dir, stack)
        state = directory.load(config, unix_time(), random_bytes)
        specs = lay_out(config)
        if config.base_port is None:
            specs = with_last_ports(specs, state.ports)
        environment = NodeEnvironment(
            state.secret,
            EpochClock(state.schedule),
            FaultGates(anyio.current_time),
            unix_time,
            random_bytes,
            config.frame_version,
            config.acks_after_writing,
        )
        tasks = await stack.enter_async_context(_CancelledGroup())
        hosts = await _open_hosts(config, specs, environment, directory, tasks, stack)
        directory_port = Port(config.base_port or free_port(state.ports.get(DIRECTORY, 0)))
        stack.callback(directory_port.close)
        state.ports = {DIRECTORY: directory_port.number}
        host_of: dict[str, NodeHost] = {}
        for host in hosts:
            ports = await host.ports()
            state.ports.update(ports)
            host_of.update(dict.fromkeys(ports, host))
        names = {NodeAddress.parse(HOST, state.ports[spec.name]): spec.name for spec in specs}
        for host in hosts:
            await host.set_names(names)
        env_file = config.env_file or directory.path / ENV_FILE
        parts = NetworkParts(
            config, specs, environment, directory, state, hosts, host_of, env_file, tasks
        )
        network = RunningLocalnet(parts)
        for spec in specs:
            await network.start_node(spec.name)
        await tasks.start(directory_port.serve, JsonServer(network.directory_body).handle)
        directory.save(state)
        _write_env_file(env_file, network.directory_url)
        await network.set_faults(config.fault_plan)
        yield network
        await network.stop_gateways()


def _open_state_directory(path: Path | None, stack: AsyncExitStack) -> StateDirectory:
    if path is None:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nymproxy-")))
    directory = StateDirectory(path)
    stack.callback(directory.close)
    return directory


async def _open_hosts(
    config: LocalnetConfig,
    specs: list[NodeSpec],
    environment: NodeEnvironment,
    directory: StateDirectory,
    tasks: TaskGroup,
    stack: AsyncExitStack,
) -> list[NodeHost]:
    here, *elsewhere = deal(specs, config.processes)
    local = LocalHost(here, environment, directory, tasks)
    stack.callback(local.close)
    hosts: list[NodeHost] = [local]
    for share in elsewhere:
        worker = await start_worker(
            share, environment.secret, environment.epochs.schedule, config.frame_version
        )
        hosts.append(await stack.enter_async_context(worker))
    return hosts


def deal(specs: Sequence[NodeSpec], processes: int) -> list[list[NodeSpec]]:
    """Deal the nodes out to processes so that these have equally much to do; ours comes first.

    Gateways are ours, since they need the state directory. A packet costs all gateways together
    about as much as it costs one layer of mixes (``python -m benchmarks --only W17``).
    """
    mixes = [spec for spec in specs if not spec.is_gateway]
    mix_work = LAYER_COUNT / len(mixes)
    shares = [[spec for spec in specs if spec.is_gateway]]
    shares += [[] for _ in range(min(processes - 1, len(mixes)))]
    work = [GATEWAYS_WORK, *(0.0 for _ in shares[1:])]
    for spec in mixes:
        index = work.index(min(work))
        shares[index].append(spec)
        work[index] += mix_work
    return shares


def _write_env_file(path: Path, directory_url: str) -> None:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "it is no regular file")
        path.write_text(env_file_text(directory_url))
    except OSError as error:
        raise StorageError(f"cannot write the env file {path}: {error}") from error


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
