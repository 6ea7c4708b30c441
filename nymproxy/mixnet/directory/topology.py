"""The topology: all that is needed to make routes, from one consistent fetch.

Rules of nym-topology 1.21.6 (src/lib.rs) and nym-client-core 1.21.6
(src/client/topology_control/); vectors: tests/vectors/directory.json, ``topology_default_config``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nymproxy.errors import (
    DirectoryFormatError,
    TopologyUnavailable,
    UnknownGateway,
)
from nymproxy.mixnet.randomness import uniform_index
from nymproxy.mixnet.sphinx import Hop, KeyRotation, NodeAddress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.directory.bodies import NodesPage, RewardedSet
    from nymproxy.mixnet.directory.node import Node
    from nymproxy.mixnet.randomness import RandomBytes

MINIMUM_PERFORMANCE_PERCENT = 50


@dataclass(frozen=True, slots=True)
class Topology:
    """The nodes of one epoch and their roles. Two are equal when they make the same routes.

    Attributes:
        epoch_id: the absolute epoch id.
        rotation_id: the key rotation that the nodes' Sphinx keys belong to.
        rewarded_set: who has which role, ids without node details included.
        nodes: the known nodes by id.
        refreshed_at_ns: when the directory made it, in nanoseconds since the Unix epoch.
        skipped_count: list entries that were malformed.
    """

    epoch_id: int
    rotation_id: int
    rewarded_set: RewardedSet
    nodes: Mapping[int, Node]
    refreshed_at_ns: int = field(default=0, compare=False)
    skipped_count: int = field(default=0, compare=False)
    repeated_count: int = field(init=False, compare=False)
    """Mix nodes that were left out because an earlier one has the same id, key or address."""
    rotation: KeyRotation = field(init=False, repr=False, compare=False)
    """The marker that goes beside every packet made with this topology."""
    is_routable: bool = field(init=False, repr=False, compare=False)
    """True when each layer has a known node, and the epoch has gateways."""
    _layers: tuple[tuple[Hop, ...], ...] = field(init=False, repr=False, compare=False)
    _mixes: frozenset[Hop] = field(init=False, repr=False, compare=False)
    _by_identity: dict[bytes, Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        layers, repeated_count = _distinct_layers(self.rewarded_set, self.nodes)
        by_identity: dict[bytes, Node] = {}
        for node in self.nodes.values():
            by_identity.setdefault(node.identity.key, node)
        gateways = self.rewarded_set.entry_gateways or self.rewarded_set.exit_gateways
        object.__setattr__(self, "repeated_count", repeated_count)
        object.__setattr__(self, "rotation", KeyRotation.from_rotation_id(self.rotation_id))
        object.__setattr__(self, "is_routable", bool(gateways) and all(layers))
        object.__setattr__(self, "_layers", layers)
        object.__setattr__(self, "_mixes", frozenset(hop for layer in layers for hop in layer))
        object.__setattr__(self, "_by_identity", by_identity)

    @property
    def smallest_layer(self) -> int:
        """How many nodes the smallest mix layer has: among so many each packet hides its way."""
        return min(len(layer) for layer in self._layers)

    def without_mix(self, gateway: NodeIdentity) -> Topology:
        """Return the topology in which no packet is mixed by a client's own gateway.

        The gateway sees who its client is, and must not see in the middle what it sends.
        """
        node = self._by_identity.get(gateway.key)
        if node is None:
            return self
        its_ids = {other.node_id for other in self.nodes.values() if _marks(other) & _marks(node)}
        first, second, third = (
            tuple([node_id for node_id in layer if node_id not in its_ids])
            for layer in self.rewarded_set.layers
        )
        if (first, second, third) == self.rewarded_set.layers:
            return self
        return replace(self, rewarded_set=replace(self.rewarded_set, layers=(first, second, third)))

    def has_egress(self, gateway: NodeIdentity) -> bool:
        """Tell whether routes can end at a gateway."""
        return gateway.key in self._by_identity

    @property
    def layers(self) -> tuple[tuple[NodeAddress, ...], ...]:
        """The addresses of the mixes of each layer."""
        return tuple([tuple([hop.address for hop in layer]) for layer in self._layers])

    def without_mixes(self, addresses: Collection[NodeAddress]) -> Topology:
        """Return the topology in which no packet is mixed at these addresses."""
        if not addresses:
            return self
        first, second, third = (
            tuple([node_id for node_id in layer if not self._is_at(node_id, addresses)])
            for layer in self.rewarded_set.layers
        )
        return replace(self, rewarded_set=replace(self.rewarded_set, layers=(first, second, third)))

    def _is_at(self, node_id: int, addresses: Collection[NodeAddress]) -> bool:
        node = self.nodes.get(node_id)
        return node is not None and node.mix_address in addresses

    def egress(self, gateway: NodeIdentity, *, ignore_epoch_role: bool = True) -> Node:
        """Return the node where routes to a gateway's clients end.

        Args:
            gateway: its identity.
            ignore_epoch_role: take it even if it is a mix node in this epoch, which is the
                network's default.

        Raises:
            UnknownGateway: it is not in the topology, or is a mix node and must not be.
        """
        node = self._by_identity.get(gateway.key)
        if node is None:
            raise UnknownGateway(
                "the gateway is not in the topology: it is offline, performs below the limit, or"
                " belongs to another network"
            )
        if not ignore_epoch_role and any(
            node.node_id in layer for layer in self.rewarded_set.layers
        ):
            raise UnknownGateway("the gateway is a mix node in this epoch")
        return node

    def route_to(
        self, gateway: NodeIdentity, random_bytes: RandomBytes, *, mix_hops: bool = True
    ) -> tuple[Hop, ...]:
        """Draw a route: one node of each layer with equal probability, then the gateway.

        Draw a fresh one for every packet, ack and SURB. No node is in it twice.

        Args:
            gateway: where the route ends.
            random_bytes: source of the choice.
            mix_hops: ``False`` for the gateway alone, which hides nothing from it.

        Raises:
            UnknownGateway: the gateway is not in the topology.
            TopologyUnavailable: a layer has no known node, or none but the gateway.
        """
        if not self.is_routable:
            raise TopologyUnavailable(
                "the topology has an empty layer or no gateways: wait for the next refresh"
            )
        last = self.egress(gateway).hop
        if not mix_hops:
            return (last,)
        layers = self._layers
        if last in self._mixes:
            layers = tuple([tuple([hop for hop in layer if hop != last]) for layer in layers])
            if not all(layers):
                raise TopologyUnavailable("the gateway is the only mix node of a layer")
        mixes = [layer[uniform_index(random_bytes, len(layer))] for layer in layers]
        return (*mixes, last)

    @classmethod
    def from_pages(
        cls,
        rewarded_set: RewardedSet,
        pages: Iterable[NodesPage],
        *,
        minimum_performance_percent: int = MINIMUM_PERFORMANCE_PERCENT,
    ) -> Topology:
        """Put a topology together from what the directory answered.

        Args:
            rewarded_set: the roles.
            pages: the pages of the node lists, mix nodes before gateways: of two entries with the
                same id the later one counts.
            minimum_performance_percent: nodes below it are left out.

        Raises:
            DirectoryFormatError: the parts describe different moments; fetch all of them again.
        """
        pages = list(pages)
        if not is_consistent(rewarded_set, pages):
            raise DirectoryFormatError(
                "the roles and the node lists are from different moments: fetch all of them again"
            )
        metadata = pages[0].metadata
        return cls(
            epoch_id=metadata.epoch_id,
            rotation_id=metadata.rotation_id,
            rewarded_set=rewarded_set,
            nodes={
                node.node_id: node
                for page in pages
                for node in page.nodes
                if node.performance_percent >= minimum_performance_percent
            },
            refreshed_at_ns=metadata.refreshed_at_ns,
            skipped_count=sum(page.malformed_count for page in pages),
        )


def _marks(node: Node) -> set[bytes | NodeAddress]:
    """Return what two entries for one node have in common, at least one of it."""
    return {node.identity.key, node.sphinx_key, node.mix_address}


def _distinct_layers(
    rewarded_set: RewardedSet, nodes: Mapping[int, Node]
) -> tuple[tuple[tuple[Hop, ...], ...], int]:
    """Return the layers' hops without repetitions, and how many were left out.

    A node that stands in two layers, or under two ids, would see a packet twice.
    """
    seen: set[bytes | NodeAddress] = set()
    layers: list[tuple[Hop, ...]] = []
    repeated_count = 0
    for layer in rewarded_set.layers:
        hops: list[Hop] = []
        for node in [nodes[node_id] for node_id in layer if node_id in nodes]:
            if _marks(node) & seen:
                repeated_count += 1
            else:
                hops.append(node.hop)
            seen |= _marks(node)
        layers.append(tuple(hops))
    return tuple(layers), repeated_count


def is_consistent(rewarded_set: RewardedSet, pages: Sequence[NodesPage]) -> bool:
    """Tell whether all parts describe the same moment, so that keys, roles and rotation agree."""
    metadata = pages[0].metadata
    return rewarded_set.epoch_id == metadata.epoch_id and all(
        page.metadata.agrees_with(metadata) for page in pages
    )
