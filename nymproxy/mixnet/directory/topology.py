"""The topology: all that is needed to make routes, from one consistent fetch.

Rules of nym-topology 1.21.6 (src/lib.rs) and nym-client-core 1.21.6
(src/client/topology_control/); vectors: tests/vectors/directory.json, ``topology_default_config``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.errors import (
    DirectoryFormatError,
    TopologyUnavailable,
    UnknownGateway,
)
from nymproxy.mixnet.randomness import uniform_index
from nymproxy.mixnet.sphinx import Hop, KeyRotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    _layers: tuple[tuple[Hop, ...], ...] = field(init=False, repr=False, compare=False)
    _by_identity: dict[bytes, Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        layers = tuple(
            [
                tuple([self.nodes[node_id].hop for node_id in layer if node_id in self.nodes])
                for layer in self.rewarded_set.layers
            ]
        )
        by_identity: dict[bytes, Node] = {}
        for node in self.nodes.values():
            by_identity.setdefault(node.identity.key, node)
        object.__setattr__(self, "_layers", layers)
        object.__setattr__(self, "_by_identity", by_identity)

    @property
    def rotation(self) -> KeyRotation:
        """The marker that goes beside every packet made with this topology."""
        return KeyRotation.from_rotation_id(self.rotation_id)

    @property
    def is_routable(self) -> bool:
        """True when each layer has a known node, and the epoch has gateways."""
        gateways = self.rewarded_set.entry_gateways or self.rewarded_set.exit_gateways
        return bool(gateways) and all(self._layers)

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

        Draw a fresh one for every packet, ack and SURB.

        Args:
            gateway: where the route ends.
            random_bytes: source of the choice.
            mix_hops: ``False`` for the gateway alone, which hides nothing from it.

        Raises:
            UnknownGateway: the gateway is not in the topology.
            TopologyUnavailable: a layer has no known node.
        """
        if not self.is_routable:
            raise TopologyUnavailable(
                "the topology has an empty layer or no gateways: wait for the next refresh"
            )
        last = self.egress(gateway).hop
        if not mix_hops:
            return (last,)
        mixes = [layer[uniform_index(random_bytes, len(layer))] for layer in self._layers]
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


def is_consistent(rewarded_set: RewardedSet, pages: Sequence[NodesPage]) -> bool:
    """Tell whether all parts describe the same moment, so that keys, roles and rotation agree."""
    metadata = pages[0].metadata
    return rewarded_set.epoch_id == metadata.epoch_id and all(
        page.metadata.agrees_with(metadata) for page in pages
    )
