"""A node as a running thing: sockets around the sans-IO core.

A node object lives as long as its network: it can be run, stopped and run again, and keeps its
counters and its ports meanwhile. What a run needs (keys, links, sessions) is made anew, as in a new
process; what a gateway must remember is in its store.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from nymproxy.localnet.core import KeyRing
from nymproxy.localnet.counters import NodeCounters
from nymproxy.localnet.framing import FrameVersion
from nymproxy.localnet.links import Outbox
from nymproxy.localnet.packet_receiver import PacketReceiver
from nymproxy.localnet.ports import HOST, Port
from nymproxy.mixnet.sphinx import NodeAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup, TaskStatus

    from nymproxy.localnet.core import Deliver
    from nymproxy.localnet.epochs import EpochClock
    from nymproxy.localnet.fault_gates import FaultGates
    from nymproxy.localnet.secrets import NetworkSecret
    from nymproxy.mixnet.randomness import RandomBytes

logger = logging.getLogger("nymproxy.localnet")


@dataclass(slots=True)
class NodeEnvironment:
    """What all nodes of one process share."""

    secret: NetworkSecret
    epochs: EpochClock
    gates: FaultGates
    unix_time: Callable[[], float]
    random_bytes: RandomBytes
    frame_version: FrameVersion = FrameVersion.CURRENT
    acks_after_writing: bool = False
    names: dict[NodeAddress, str] = field(default_factory=dict)

    def name_of(self, address: NodeAddress) -> str:
        """Return the name of the node that listens on an address, for fault selectors."""
        return self.names.get(address, "unknown")


class Node(ABC):
    """What mix nodes and gateways have in common."""

    def __init__(self, name: str, environment: NodeEnvironment, mix_port: int) -> None:
        self.name = name
        self.counters = NodeCounters()
        self._environment = environment
        self._mix_port = Port(mix_port)
        self._scope: anyio.CancelScope | None = None
        self._stopped = anyio.Event()

    @property
    def mix_address(self) -> NodeAddress:
        """Where the node takes packets."""
        return NodeAddress.parse(HOST, self._mix_port.number)

    @property
    def is_running(self) -> bool:
        """Whether the node is up."""
        return self._scope is not None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Be a node until killed, stopped or cancelled."""
        self._stopped = anyio.Event()
        try:
            async with anyio.create_task_group() as task_group:
                self._scope = task_group.cancel_scope
                await self._start(task_group)
                logger.info("%s is up", self.name)
                task_status.started()
        finally:
            self._scope = None
            self._forget_run()
            self._stopped.set()
            logger.info("%s is down", self.name)

    async def kill(self) -> None:
        """End the node at once, as a killed process; returns when its sockets are closed."""
        if self._scope is not None:
            self._scope.cancel()
            await self._stopped.wait()

    async def stop(self) -> None:
        """End the node in order."""
        await self.kill()

    def close(self) -> None:
        """Give up the ports of a node that is down."""
        self._mix_port.close()

    @abstractmethod
    def disconnect(self, matches: Callable[[str], bool]) -> int:
        """Abort the connections to peers whose names match; returns how many."""

    async def _start(self, task_group: TaskGroup) -> None:
        """Listen, and start all tasks."""
        environment = self._environment
        keys = KeyRing(lambda rotation_id: environment.secret.sphinx_key(self.name, rotation_id))
        outbox = Outbox(
            self.name,
            environment.name_of,
            environment.gates,
            self.counters,
            version=environment.frame_version,
        )
        receiver = PacketReceiver(
            keys, environment, outbox, self.counters, await self._start_role(task_group, outbox)
        )
        await task_group.start(self._mix_port.serve, receiver.handle)
        task_group.start_soon(outbox.run)

    @abstractmethod
    async def _start_role(
        self, task_group: TaskGroup, outbox: Outbox
    ) -> Callable[[list[Deliver]], None] | None:
        """Start what this kind of node does besides; returns where final hops go, if anywhere."""

    @abstractmethod
    def _forget_run(self) -> None:
        """Drop what belonged to the run that ends."""


class MixNode(Node):
    """A node of one layer: forward hops only."""

    _outbox: Outbox | None = None

    def disconnect(self, matches: Callable[[str], bool]) -> int:
        return self._outbox.disconnect(matches) if self._outbox is not None else 0

    async def _start_role(self, task_group: TaskGroup, outbox: Outbox) -> None:
        self._outbox = outbox

    def _forget_run(self) -> None:
        self._outbox = None
