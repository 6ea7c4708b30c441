"""Where nodes run: :class:`LocalHost` in this process; another process looks the same from outside.

(:mod:`nymproxy.localnet.workers` is the other one.)
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from nymproxy.errors import UsageError
from nymproxy.localnet.gateway_node import GatewayNode
from nymproxy.localnet.nodes import MixNode, Node, NodeEnvironment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from nymproxy.localnet.config import NodeSpec
    from nymproxy.localnet.epochs import EpochSchedule
    from nymproxy.localnet.faults import FaultAction, FaultPlan
    from nymproxy.localnet.network_state import StateDirectory
    from nymproxy.mixnet.sphinx import NodeAddress


class NodeHost(Protocol):
    """Runs some nodes of a network."""

    async def ports(self) -> dict[str, int]:
        """Return the ports of the nodes: ``NODE`` and, for gateways, ``NODE/clients``."""
        ...

    async def set_names(self, names: dict[NodeAddress, str]) -> None:
        """Tell who listens where, for the fault gates."""
        ...

    async def set_faults(self, plan: FaultPlan) -> None:
        """Replace the fault plan; its times count from now."""
        ...

    async def set_schedule(self, schedule: EpochSchedule) -> None:
        """Replace the epochs."""
        ...

    async def start(self, name: str) -> None:
        """Start a node; nothing happens if it is up."""
        ...

    async def stop(self, name: str, *, orderly: bool) -> None:
        """Stop a node, in order or as if it was killed; nothing happens if it is down."""
        ...

    async def disconnect(self, name: str, peer_pattern: str) -> int:
        """Abort a node's connections to peers; returns how many."""
        ...

    async def disturb_clients(
        self, name: str, action: FaultAction, peer_pattern: str, seconds: float
    ) -> None:
        """Begin to stall or swallow what connections of a gateway's clients carry."""
        ...

    async def clients(self) -> dict[str, list[str]]:
        """Return the identities (base58) of the clients that are connected, by gateway."""
        ...

    async def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return the counters of the nodes by name."""
        ...


class LocalHost:
    """Nodes in this process.

    Args:
        specs: the nodes.
        environment: what they share.
        state: where gateways keep their state; not needed without gateways.
        task_group: runs the nodes.
    """

    def __init__(
        self,
        specs: Sequence[NodeSpec],
        environment: NodeEnvironment,
        state: StateDirectory | None,
        task_group: TaskGroup,
    ) -> None:
        self._environment = environment
        self._task_group = task_group
        self._nodes: dict[str, Node] = {}
        try:
            for spec in specs:
                self._nodes[spec.name] = _make_node(spec, environment, state)
        except BaseException:
            self.close()
            raise

    def node(self, name: str) -> Node:
        """Return a node.

        Raises:
            UsageError: it is not here.
        """
        node = self._nodes.get(name)
        if node is None:
            raise UsageError(f"no node is called {name!r}")
        return node

    def close(self) -> None:
        """Give up the ports of nodes that are down."""
        for node in self._nodes.values():
            node.close()

    async def ports(self) -> dict[str, int]:
        ports: dict[str, int] = {}
        for name, node in self._nodes.items():
            ports[name] = node.mix_address.port
            if isinstance(node, GatewayNode):
                ports[f"{name}/clients"] = node.client_port
        return ports

    async def set_names(self, names: dict[NodeAddress, str]) -> None:
        self._environment.names.update(names)

    async def set_faults(self, plan: FaultPlan) -> None:
        self._environment.gates.install(plan)

    async def set_schedule(self, schedule: EpochSchedule) -> None:
        self._environment.epochs.schedule = schedule

    async def start(self, name: str) -> None:
        node = self.node(name)
        if not node.is_running:
            await self._task_group.start(node.run)

    async def stop(self, name: str, *, orderly: bool) -> None:
        node = self.node(name)
        if orderly:
            await node.stop()
        else:
            await node.kill()

    async def disconnect(self, name: str, peer_pattern: str) -> int:
        return self.node(name).disconnect(lambda peer: fnmatchcase(peer, peer_pattern))

    async def disturb_clients(
        self, name: str, action: FaultAction, peer_pattern: str, seconds: float
    ) -> None:
        node = self.node(name)
        if isinstance(node, GatewayNode):
            node.disturb_clients(action, lambda peer: fnmatchcase(peer, peer_pattern), seconds)

    async def clients(self) -> dict[str, list[str]]:
        return {
            name: node.connected_clients
            for name, node in self._nodes.items()
            if isinstance(node, GatewayNode)
        }

    async def snapshot(self) -> dict[str, dict[str, Any]]:
        return {name: node.counters.snapshot() for name, node in self._nodes.items()}


def _make_node(spec: NodeSpec, environment: NodeEnvironment, state: StateDirectory | None) -> Node:
    if not spec.is_gateway:
        return MixNode(spec.name, environment, spec.mix_port)
    if state is None:
        raise UsageError("gateways need a state directory")
    return GatewayNode(
        spec.name,
        environment,
        spec.mix_port,
        spec.client_port,
        state.gateway_file(spec.name),
    )
