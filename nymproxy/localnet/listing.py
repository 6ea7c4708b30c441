"""What the directory says of a network, from one moment to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy.address import NodeIdentity
from nymproxy.errors import UsageError
from nymproxy.localnet.directory_bodies import ListedNode, build_bodies
from nymproxy.localnet.directory_server import BASE_PATH
from nymproxy.localnet.faults import DeadNodes
from nymproxy.localnet.ports import HOST
from nymproxy.mixnet.sphinx import NodeAddress
from nymproxy.mixnet.sphinx.primitives import x25519_base

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nymproxy.localnet.config import NodeSpec
    from nymproxy.localnet.nodes import NodeEnvironment


class NetworkListing:
    """The bodies of the directory.

    Args:
        specs: all nodes.
        environment: keys, epochs and clock.
        ports: of the nodes, by ``NODE`` and ``NODE/clients``.

    Attributes:
        dead_nodes: whether nodes that are down are listed.
    """

    def __init__(
        self, specs: Sequence[NodeSpec], environment: NodeEnvironment, ports: Mapping[str, int]
    ) -> None:
        self._specs = specs
        self._environment = environment
        self._ports = ports
        self._public_keys: dict[tuple[str, int], bytes] = {}
        self._down_since: dict[str, int] = {}
        self._removed: set[str] = set()
        self.dead_nodes = DeadNodes.STAY

    def body(self, path: str) -> object | None:
        """Return the JSON-ready body of a path of the directory, ``None`` where nothing is."""
        if not path.startswith(f"{BASE_PATH}/"):
            return None
        unix_time = self._environment.unix_time()
        schedule = self._environment.epochs.schedule
        epoch = self._environment.epochs.epoch_at(unix_time)
        rotation_id = schedule.rotation_of(epoch)
        nodes = [
            self._listed(spec, rotation_id)
            for spec in self._specs
            if self._is_listed(spec.name, epoch)
        ]
        return build_bodies(nodes, schedule, unix_time).get(path.removeprefix(BASE_PATH))

    def set_up(self, name: str) -> None:
        """Take note that a node is up.

        Raises:
            UsageError: it was removed for good.
        """
        if name in self._removed:
            raise UsageError(f"{name} was removed for good: it cannot be started again")
        self._down_since.pop(name, None)

    def set_down(self, name: str) -> None:
        """Take note that a node is down."""
        environment = self._environment
        epoch = environment.epochs.epoch_at(environment.unix_time())
        self._down_since.setdefault(name, epoch)

    def remove(self, name: str) -> None:
        """List a node no more, for good."""
        self._removed.add(name)

    def _is_listed(self, name: str, epoch: int) -> bool:
        if name in self._removed:
            return False
        leaves = self.dead_nodes is DeadNodes.LEAVE
        return not leaves or self._down_since.get(name, epoch) == epoch

    def identity(self, name: str) -> NodeIdentity:
        """Return a node's identity."""
        return NodeIdentity(self._environment.secret.identity_key(name).public_key)

    def _listed(self, spec: NodeSpec, rotation_id: int) -> ListedNode:
        public_key = self._public_keys.get((spec.name, rotation_id))
        if public_key is None:
            secret = self._environment.secret
            public_key = x25519_base(secret.sphinx_key(spec.name, rotation_id))
            self._public_keys[spec.name, rotation_id] = public_key
        return ListedNode(
            spec.node_id,
            self.identity(spec.name),
            NodeAddress.parse(HOST, self._ports[spec.name]),
            public_key,
            spec.layer,
            self._ports.get(f"{spec.name}/clients"),
            # Every second gateway is an exit, so that both roles occur.
            is_exit=spec.is_gateway and int(spec.name.rpartition("-")[2]) % 2 == 1,
        )
