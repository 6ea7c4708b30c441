"""The topology: all that is needed to make routes, from one consistent fetch.

Rules of nym-topology 1.21.6 (src/lib.rs) and nym-client-core 1.21.6
(src/client/topology_control/); vectors: tests/vectors/directory.json, ``topology_default_config``
and ``topology_persisted_json_text``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nymproxy.errors import (
    AddressError,
    DirectoryFormatError,
    TopologyUnavailable,
    UnknownGateway,
)
from nymproxy.mixnet.directory.bodies import NodesPage, RewardedSet, rewarded_set_from_fields
from nymproxy.mixnet.directory.fields import (
    expect_integer,
    expect_list,
    expect_object,
    integer,
    optional_integer,
    optional_text,
    parse_json,
    rfc3339_ns,
    text,
    truth,
)
from nymproxy.mixnet.directory.node import (
    EntryDetails,
    Node,
    SupportedRoles,
    host_name,
    make_node,
)
from nymproxy.mixnet.randomness import uniform_index
from nymproxy.mixnet.sphinx import Hop, KeyRotation, NodeAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.randomness import RandomBytes

MINIMUM_PERFORMANCE_PERCENT = 50
UNKNOWN_ROTATION_ID = 0xFFFF_FFFF


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

    def node_by_identity(self, identity: NodeIdentity) -> Node | None:
        """Return the node with this identity, if it is known."""
        return self._by_identity.get(identity.key)

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

    @classmethod
    def from_document(cls, document: bytes | str) -> Topology:
        """Read the JSON document of a fixed topology, as ``NymTopology::new_from_file`` does.

        Its keys are lists of numbers. Without ``metadata`` the key rotation is unknown.

        Raises:
            DirectoryFormatError: it is malformed; a malformed node spoils the whole document.
        """
        body = document.encode(errors="replace") if isinstance(document, str) else document
        fields = expect_object(parse_json(body))
        rewarded_set = rewarded_set_from_fields(expect_object(fields.get("rewarded_set")))
        metadata = fields.get("metadata")
        details = expect_object(fields.get("node_details"))
        nodes = [_node_from_document(expect_object(value)) for value in details.values()]
        if metadata is None:
            epoch_id, rotation_id, refreshed = rewarded_set.epoch_id, UNKNOWN_ROTATION_ID, 0
        else:
            metadata = expect_object(metadata)
            epoch_id = integer(metadata, "absolute_epoch_id", bits=32)
            rotation_id = integer(metadata, "key_rotation_id", bits=32)
            refreshed = rfc3339_ns(text(metadata, "refreshed_at"))
        return cls(
            epoch_id=epoch_id,
            rotation_id=rotation_id,
            rewarded_set=rewarded_set,
            nodes={node.node_id: node for node in nodes},
            refreshed_at_ns=refreshed,
        )


def is_consistent(rewarded_set: RewardedSet, pages: Sequence[NodesPage]) -> bool:
    """Tell whether all parts describe the same moment, so that keys, roles and rotation agree."""
    metadata = pages[0].metadata
    return rewarded_set.epoch_id == metadata.epoch_id and all(
        page.metadata.agrees_with(metadata) for page in pages
    )


def _node_from_document(fields: Mapping[str, object]) -> Node:
    roles = expect_object(fields.get("supported_roles"))
    entry = fields.get("entry")
    return make_node(
        node_id=integer(fields, "node_id", bits=32),
        identity=_key_from_document(fields, "identity_key"),
        sphinx_key=_key_from_document(fields, "sphinx_key"),
        mix_address=_socket_address(text(fields, "mix_host")),
        entry=None if entry is None else _entry_from_document(expect_object(entry)),
        supported_roles=SupportedRoles(
            mixnode=truth(roles, "mixnode"),
            entry=truth(roles, "mixnet_entry"),
            exit=truth(roles, "mixnet_exit"),
        ),
    )


def _entry_from_document(fields: Mapping[str, object]) -> EntryDetails:
    return EntryDetails(
        ip_addresses=tuple(
            [_address(value, 0).ip for value in expect_list(fields.get("ip_addresses"))]
        ),
        hostname=host_name(optional_text(fields, "hostname")),
        ws_port=integer(fields, "clients_ws_port", bits=16),
        wss_port=optional_integer(fields, "clients_wss_port", bits=16),
    )


def _key_from_document(fields: Mapping[str, object], name: str) -> bytes:
    numbers = expect_list(fields.get(name))
    return bytes([expect_integer(number, name, bits=8) for number in numbers[:33]])


def _socket_address(value: str) -> NodeAddress:
    host, _, port = value.rpartition(":")
    if host.startswith("["):
        host = host[1:].removesuffix("]")
    if not port.isascii() or not port.isdigit() or len(port) > 5:
        raise DirectoryFormatError("a socket address without a port")
    return _address(host, int(port))


def _address(host: object, port: int) -> NodeAddress:
    if not isinstance(host, str):
        raise DirectoryFormatError("an IP address that is no text")
    try:
        return NodeAddress.parse(host, port)
    except AddressError as error:
        raise DirectoryFormatError("a text that is no socket address") from error
