"""A gateway as a running node: final hops, and the websocket server for clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from nymproxy.errors import ConfigurationError
from nymproxy.localnet.gateway_clients import GatewayClients
from nymproxy.localnet.gateway_door import GatewayDoor
from nymproxy.localnet.gateway_store import GatewayStore
from nymproxy.localnet.nodes import Node, NodeEnvironment
from nymproxy.localnet.ports import Port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import TaskGroup

    from nymproxy.localnet.core import Deliver
    from nymproxy.localnet.faults import FaultAction
    from nymproxy.localnet.links import Outbox

SAVE_SECONDS = 1.0
EXPIRE_SECONDS = 3600.0
GOODBYE_SECONDS = 2.0


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
        try:
            self._client_port = Port(client_port)
        except ConfigurationError:
            super().close()
            raise
        self._state_file = state_file
        self._outbox: Outbox | None = None
        self._clients: GatewayClients | None = None
        self._store: GatewayStore | None = None
        self._tasks: TaskGroup | None = None

    @property
    def client_port(self) -> int:
        """The port of the websocket server."""
        return self._client_port.number

    @property
    def connected_clients(self) -> list[str]:
        """The identities (base58) of the clients that are connected and admitted."""
        return [] if self._clients is None else self._clients.connected

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
        if self._clients is not None:
            count += self._clients.links.cut(matches)
        return count

    def disturb_clients(
        self, action: FaultAction, matches: Callable[[str], bool], seconds: float
    ) -> None:
        """Begin to stall or swallow what connections of clients carry, for a time."""
        if self._clients is not None and self._tasks is not None:
            self._tasks.start_soon(self._clients.links.disturb, action, matches, seconds)

    async def _start_role(
        self, task_group: TaskGroup, outbox: Outbox
    ) -> Callable[[list[Deliver]], None]:
        environment = self._environment
        self._outbox, self._tasks = outbox, task_group
        self._store = GatewayStore(self._state_file)
        self._clients = GatewayClients(
            self.name,
            self._store,
            outbox,
            environment.gates,
            self.counters,
            unix_time=environment.unix_time,
            random_bytes=environment.random_bytes,
            acks_after_writing=environment.acks_after_writing,
        )
        identity = environment.secret.identity_key(self.name)
        door = GatewayDoor(identity, self._store, self._clients)
        await task_group.start(self._client_port.serve, door.handle)
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

    def _forget_run(self) -> None:
        self._clients = None
        self._outbox = None
        self._tasks = None
        if self._store is not None:
            self._store.close()
            self._store = None
