"""The bodies that a directory answers with.

Formats of nym-api-requests 1.21.6 (src/nym_nodes.rs, src/models/mixnet.rs, src/pagination.rs);
vectors: tests/vectors/directory.json, ``endpoints``.
"""

from __future__ import annotations

from dataclasses import dataclass

from nymproxy._strict_json import U32, U64, Fields, JsonReader
from nymproxy.errors import DirectoryFormatError
from nymproxy.mixnet.directory.node import Node, parse_node
from nymproxy.mixnet.directory.rotation import KeyRotationInfo
from nymproxy.mixnet.directory.times import duration_ns, refreshed_at_ns, rfc3339_ns

KEY_ROTATION_PATH = "/v1/epoch/key-rotation-info"
REWARDED_SET_PATH = "/v1/nym-nodes/rewarded-set"
ACTIVE_MIXNODES_PATH = "/v2/unstable/nym-nodes/skimmed/mixnodes/active"
ENTRY_GATEWAYS_PATH = "/v2/unstable/nym-nodes/skimmed/entry-gateways"
ALL_NODES_PATH = "/v2/unstable/nym-nodes/skimmed"

MAX_NODES = 10_000
"""More than ten times of what the network has."""

MAX_VALUES = 30 * MAX_NODES
"""Values of one body; an entry of a node list has about 20."""

READER = JsonReader(DirectoryFormatError, max_values=MAX_VALUES)


@dataclass(frozen=True, slots=True)
class RewardedSet:
    """Which nodes have which role in an epoch, by node id.

    Attributes:
        epoch_id: the absolute epoch id.
        layers: the ids of mix layers 1, 2 and 3.
    """

    epoch_id: int
    entry_gateways: tuple[int, ...]
    exit_gateways: tuple[int, ...]
    layers: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    standby: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NodesMetadata:
    """What a node list says about itself.

    Attributes:
        status: a JSON value; only compared.
        epoch_id: the absolute epoch id.
        rotation_id: the key rotation that the nodes' Sphinx keys belong to.
        refreshed_at_ns: when the directory made the list, in nanoseconds since the Unix epoch.
    """

    status: object
    epoch_id: int
    rotation_id: int
    refreshed_at_ns: int

    def agrees_with(self, other: NodesMetadata) -> bool:
        """Tell whether two lists describe the same moment."""
        return (self.status, self.epoch_id, self.rotation_id) == (
            other.status,
            other.epoch_id,
            other.rotation_id,
        )


@dataclass(frozen=True, slots=True)
class NodesPage:
    """One page of a node list.

    Attributes:
        metadata: what the list says about itself.
        nodes: the well-formed nodes.
        malformed_count: how many entries were left out.
        total: how many entries all pages have together, malformed ones included.
    """

    metadata: NodesMetadata
    nodes: tuple[Node, ...]
    malformed_count: int
    total: int

    @property
    def entry_count(self) -> int:
        """The number of entries of this page, malformed ones included."""
        return len(self.nodes) + self.malformed_count


def parse_nodes_page(body: bytes) -> NodesPage:
    """Read a page of a node list.

    The Rust clients refuse a whole list for one malformed node; here the node is left out.

    Raises:
        DirectoryFormatError: the page itself is malformed.
    """
    fields = READER.read_object(body)
    nodes = fields.nested("nodes")
    entries = nodes.array("data")
    total = nodes.nested("pagination").integer("total", U64)
    if max(total, len(entries)) > MAX_NODES:
        raise DirectoryFormatError(f"a list of more than {MAX_NODES} nodes")
    parsed = [node for entry in entries if (node := _node_or_none(entry)) is not None]
    return NodesPage(
        metadata=_parse_metadata(fields.nested("metadata")),
        nodes=tuple(parsed),
        malformed_count=len(entries) - len(parsed),
        total=total,
    )


def parse_rewarded_set(body: bytes) -> RewardedSet:
    """Read the role assignment of an epoch.

    Raises:
        DirectoryFormatError: it is malformed, or names more nodes than there may be.
    """
    fields = READER.read_object(body)
    found = RewardedSet(
        epoch_id=fields.integer("epoch_id", U32, 0),
        entry_gateways=fields.integers("entry_gateways", U32),
        exit_gateways=fields.integers("exit_gateways", U32),
        layers=(
            fields.integers("layer1", U32),
            fields.integers("layer2", U32),
            fields.integers("layer3", U32),
        ),
        standby=fields.integers("standby", U32),
    )
    others = (found.entry_gateways, found.exit_gateways, found.standby)
    if sum(map(len, (*found.layers, *others))) > MAX_NODES:
        raise DirectoryFormatError(f"a rewarded set of more than {MAX_NODES} nodes")
    return found


def parse_key_rotation(body: bytes) -> KeyRotationInfo:
    """Read the key rotation info. ``progress``, which follows from the rest, is not read.

    Raises:
        DirectoryFormatError: it is malformed.
    """
    fields = READER.read_object(body)
    state = fields.nested("key_rotation_state")
    info = KeyRotationInfo(
        validity_epochs=state.integer("validity_epochs", U32),
        initial_epoch_id=state.integer("initial_epoch_id", U32),
        epoch_id=fields.integer("current_absolute_epoch_id", U32),
        epoch_start_ns=rfc3339_ns(fields.text("current_epoch_start")),
        epoch_duration_ns=duration_ns(fields.nested("epoch_duration")),
    )
    if not info.validity_epochs or not info.epoch_duration_ns:
        raise DirectoryFormatError("a key rotation or an epoch that lasts no time")
    return info


def _parse_metadata(fields: Fields) -> NodesMetadata:
    return NodesMetadata(
        status=fields.any("status") if "status" in fields else None,
        epoch_id=fields.integer("absolute_epoch_id", U32),
        rotation_id=fields.integer("rotation_id", U32),
        refreshed_at_ns=refreshed_at_ns(fields.text("refreshed_at")),
    )


def _node_or_none(entry: object) -> Node | None:
    try:
        return parse_node(READER.as_object(entry))
    except DirectoryFormatError:
        return None
