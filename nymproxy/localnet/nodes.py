"""The two kinds of node as running things: sockets around the sans-IO core.

A node object lives as long as its network: it can be run, stopped and run again, and keeps its
counters and its ports meanwhile. What a run needs (keys, links, sessions) is made anew, as in a new
process; what a gateway must remember is in its store.
"""

from __future__ import annotations

import logging
import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import ConfigurationError
from nymproxy.localnet.core import Deliver, Forward, KeyRing, PacketProcessor
from nymproxy.localnet.counters import NodeCounters
from nymproxy.localnet.framing import Frame, FrameDecoder, FrameVersion
from nymproxy.localnet.gateway_clients import GatewayClients
from nymproxy.localnet.gateway_door import GatewayDoor
from nymproxy.localnet.gateway_store import GatewayStore
from nymproxy.localnet.links import Outbox
from nymproxy.mixnet.sphinx import NodeAddress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import ByteStream, Listener, TaskGroup, TaskStatus

    from nymproxy.localnet.epochs import EpochClock
    from nymproxy.localnet.fault_gates import FaultGates
    from nymproxy.localnet.secrets import NetworkSecret
    from nymproxy.mixnet.randomness import RandomBytes

logger = logging.getLogger("nymproxy.localnet")

HOST = "127.0.0.1"
READ_BYTES = 32 * 1024
"""About 13 packets: the event loop gets a turn after some 3 ms of Sphinx."""
CONNECTION_LIMIT = 4096
SAVE_SECONDS = 1.0
EXPIRE_SECONDS = 3600.0
GOODBYE_SECONDS = 2.0


@dataclass(slots=True)
class NodeEnvironment:
    """What all nodes of one process share."""

    secret: NetworkSecret
    epochs: EpochClock
    gates: FaultGates
    unix_time: Callable[[], float]
    random_bytes: RandomBytes
    frame_version: FrameVersion = FrameVersion.CURRENT
    names: dict[NodeAddress, str] = field(default_factory=dict)

    def name_of(self, address: NodeAddress) -> str:
        """Return the name of the node that listens on an address, for fault selectors."""
        return self.names.get(address, "unknown")


class Port:
    """A TCP port of a node that may be down for a while.

    While nobody listens it stays bound, so that no other program gets it meanwhile.
    """

    def __init__(self, wanted: int = 0) -> None:
        self._reservation: socket.socket | None = None
        self._is_given_up = False
        self._reserve(wanted)

    def _reserve(self, wanted: int) -> None:
        reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reservation.bind((HOST, wanted))
        except OSError as error:
            reservation.close()
            raise ConfigurationError(
                f"port {wanted} of {HOST} is in use: choose another, or 0 for any ({error})"
            ) from error
        self._reservation = reservation
        self.number: int = reservation.getsockname()[1]

    async def listen(self) -> Listener[ByteStream]:
        """Start listening."""
        self._release()
        listener: Listener[ByteStream] = await anyio.create_tcp_listener(
            local_host=HOST, local_port=self.number
        )
        return listener

    def reserve(self) -> None:
        """Hold the port again, after its listener was closed."""
        if self._reservation is None and not self._is_given_up:
            self._reserve(self.number)

    def close(self) -> None:
        """Give the port up for good."""
        self._is_given_up = True
        self._release()

    def _release(self) -> None:
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None


class Node(ABC):
    """What mix nodes and gateways have in common."""

    def __init__(self, name: str, environment: NodeEnvironment, mix_port: int) -> None:
        self.name = name
        self.counters = NodeCounters()
        self._environment = environment
        self._mix_port = Port(mix_port)
        self._scope: anyio.CancelScope | None = None
        self._stopped = anyio.Event()
        self._connections = 0

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
            self._after_run()
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
        listener = await self._mix_port.listen()
        task_group.start_soon(_serve, listener, receiver.handle)
        task_group.start_soon(outbox.run)

    @abstractmethod
    async def _start_role(
        self, task_group: TaskGroup, outbox: Outbox
    ) -> Callable[[list[Deliver]], None] | None:
        """Start what this kind of node does besides; returns where final hops go, if anywhere."""

    def _after_run(self) -> None:
        self._mix_port.reserve()


async def _serve(listener: Listener[ByteStream], handler: Callable[[ByteStream], object]) -> None:
    async with listener:
        await listener.serve(handler)


class PacketReceiver:
    """Takes packets from other nodes, and passes on what they become.

    Args:
        keys: the node's Sphinx keys.
        environment: clock and epochs.
        outbox: where forward hops go.
        counters: the node's counters.
        deliver: where final hops go; ``None``: the node is a mix node, and refuses them.
    """

    def __init__(
        self,
        keys: KeyRing,
        environment: NodeEnvironment,
        outbox: Outbox,
        counters: NodeCounters,
        deliver: Callable[[list[Deliver]], None] | None,
    ) -> None:
        self._keys = keys
        self._environment = environment
        self._outbox = outbox
        self._counters = counters
        self._deliver = deliver
        self._connections = 0
        self._processor = PacketProcessor(
            keys,
            counters,
            accepts_forward_hops=deliver is None,
            accepts_final_hops=deliver is not None,
        )

    async def handle(self, stream: ByteStream) -> None:
        """Read one connection to its end."""
        async with stream:
            if self._connections >= CONNECTION_LIMIT:
                return
            self._connections += 1
            decoder = FrameDecoder()
            try:
                while decoder.error is None:
                    self.process(decoder.receive_data(await stream.receive(READ_BYTES)))
                self._counters.event("corrupted_connections")
                logger.warning("a node connection is closed: %s", decoder.error)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass
            finally:
                self._connections -= 1

    def process(self, frames: list[Frame]) -> None:
        """Process a batch of packets."""
        environment = self._environment
        self._keys.update(environment.epochs.schedule, environment.unix_time())
        deliveries: list[Deliver] = []
        for frame in frames:
            outcome = self._processor.process(frame)
            if isinstance(outcome, Forward):
                self._outbox.send(*outcome)
            elif outcome is not None:
                deliveries.append(outcome)
        if deliveries and self._deliver is not None:
            self._deliver(deliveries)


class MixNode(Node):
    """A node of one layer: forward hops only."""

    _outbox: Outbox | None = None

    def disconnect(self, matches: Callable[[str], bool]) -> int:
        return self._outbox.disconnect(matches) if self._outbox is not None else 0

    async def _start_role(self, task_group: TaskGroup, outbox: Outbox) -> None:
        self._outbox = outbox


class GatewayNode(Node):
    """A gateway: final hops, and the websocket server for clients.

    Args:
        name: its name.
        environment: what it shares with the other nodes.
        mix_port: where it takes packets, 0 for any port.
        client_port: where it takes clients, 0 for any port.
        state_file: its store.
    """

    def __init__(
        self,
        name: str,
        environment: NodeEnvironment,
        mix_port: int,
        client_port: int,
        state_file: Path,
    ) -> None:
        super().__init__(name, environment, mix_port)
        self._client_port = Port(client_port)
        self._state_file = state_file
        self._outbox: Outbox | None = None
        self._clients: GatewayClients | None = None
        self._store: GatewayStore | None = None

    @property
    def client_port(self) -> int:
        """The port of the websocket server."""
        return self._client_port.number

    @property
    def connected_clients(self) -> int:
        """How many clients are connected and admitted."""
        return 0 if self._clients is None else self._clients.connected

    async def kill(self) -> None:
        """End the gateway at once: no close frames, nothing flushed."""
        if self._clients is not None:
            self._clients.stop()
        await super().kill()

    async def stop(self) -> None:
        """End the gateway in order: clients read everything sent to them, and see a close frame."""
        if self._clients is not None:
            await self._clients.say_goodbye(GOODBYE_SECONDS)
            self._clients.meter.save()
        await super().stop()

    def close(self) -> None:
        super().close()
        self._client_port.close()

    def disconnect(self, matches: Callable[[str], bool]) -> int:
        count = self._outbox.disconnect(matches) if self._outbox is not None else 0
        if self._clients is not None and matches("client"):
            count += self._clients.disconnect_all()
        return count

    async def _start_role(
        self, task_group: TaskGroup, outbox: Outbox
    ) -> Callable[[list[Deliver]], None]:
        environment = self._environment
        self._outbox = outbox
        self._store = GatewayStore(self._state_file)
        self._clients = GatewayClients(
            self.name,
            self._store,
            outbox,
            environment.gates,
            self.counters,
            unix_time=environment.unix_time,
            random_bytes=environment.random_bytes,
        )
        listener = await self._client_port.listen()
        identity = environment.secret.identity_key(self.name)
        door = GatewayDoor(identity, self._store, self._clients)
        task_group.start_soon(_serve, listener, door.handle)
        task_group.start_soon(self._clients.run)
        task_group.start_soon(self._save_regularly, self._clients, self._store)
        return self._clients.deliver

    async def _save_regularly(self, clients: GatewayClients, store: GatewayStore) -> None:
        next_expiry = anyio.current_time()
        while True:
            if anyio.current_time() >= next_expiry:
                store.expire(self._environment.unix_time())
                next_expiry += EXPIRE_SECONDS
            await anyio.sleep(SAVE_SECONDS)
            clients.meter.save()

    def _after_run(self) -> None:
        super()._after_run()
        self._client_port.reserve()
        self._clients = None
        self._outbox = None
        if self._store is not None:
            self._store.close()
            self._store = None
