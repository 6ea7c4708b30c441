"""The bodies that a directory answers with.

Formats of nym-api-requests 1.21.6 (src/nym_nodes.rs, src/models/mixnet.rs, src/pagination.rs);
vectors: tests/vectors/directory.json, ``endpoints``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy.errors import DirectoryFormatError
from nymproxy.mixnet.directory.fields import (
    duration_ns,
    expect_integer,
    expect_list,
    expect_object,
    integer,
    parse_json,
    refreshed_at_ns,
    rfc3339_ns,
    text,
)
from nymproxy.mixnet.directory.node import Node, parse_node
from nymproxy.mixnet.directory.rotation import KeyRotationInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_ROTATION_PATH = "/v1/epoch/key-rotation-info"
REWARDED_SET_PATH = "/v1/nym-nodes/rewarded-set"
ACTIVE_MIXNODES_PATH = "/v2/unstable/nym-nodes/skimmed/mixnodes/active"
ENTRY_GATEWAYS_PATH = "/v2/unstable/nym-nodes/skimmed/entry-gateways"
ALL_NODES_PATH = "/v2/unstable/nym-nodes/skimmed"

_MAX_NODES = 100_000


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
    fields = expect_object(parse_json(body))
    nodes = expect_object(fields.get("nodes"))
    pagination = expect_object(nodes.get("pagination"))
    entries = expect_list(nodes.get("data"))
    total = integer(pagination, "total", bits=64)
    if max(total, len(entries)) > _MAX_NODES:
        raise DirectoryFormatError(f"a list of more than {_MAX_NODES} nodes")
    parsed = [node for entry in entries if (node := _node_or_none(entry)) is not None]
    return NodesPage(
        metadata=_parse_metadata(expect_object(fields.get("metadata"))),
        nodes=tuple(parsed),
        malformed_count=len(entries) - len(parsed),
        total=total,
    )


def parse_rewarded_set(body: bytes) -> RewardedSet:
    """Read the role assignment of an epoch.

    Raises:
        DirectoryFormatError: it is malformed.
    """
    fields = expect_object(parse_json(body))
    return RewardedSet(
        epoch_id=expect_integer(fields.get("epoch_id", 0), "epoch_id", bits=32),
        entry_gateways=_node_ids(fields, "entry_gateways"),
        exit_gateways=_node_ids(fields, "exit_gateways"),
        layers=(
            _node_ids(fields, "layer1"),
            _node_ids(fields, "layer2"),
            _node_ids(fields, "layer3"),
        ),
        standby=_node_ids(fields, "standby"),
    )


def parse_key_rotation(body: bytes) -> KeyRotationInfo:
    """Read the key rotation info. ``progress``, which follows from the rest, is not read.

    Raises:
        DirectoryFormatError: it is malformed.
    """
    fields = expect_object(parse_json(body))
    state = expect_object(fields.get("key_rotation_state"))
    info = KeyRotationInfo(
        validity_epochs=integer(state, "validity_epochs", bits=32),
        initial_epoch_id=integer(state, "initial_epoch_id", bits=32),
        epoch_id=integer(fields, "current_absolute_epoch_id", bits=32),
        epoch_start_ns=rfc3339_ns(text(fields, "current_epoch_start")),
        epoch_duration_ns=duration_ns(fields.get("epoch_duration")),
    )
    if not info.validity_epochs or not info.epoch_duration_ns:
        raise DirectoryFormatError("a key rotation or an epoch that lasts no time")
    return info


def _parse_metadata(fields: Mapping[str, object]) -> NodesMetadata:
    return NodesMetadata(
        status=fields.get("status"),
        epoch_id=integer(fields, "absolute_epoch_id", bits=32),
        rotation_id=integer(fields, "rotation_id", bits=32),
        refreshed_at_ns=refreshed_at_ns(text(fields, "refreshed_at")),
    )


def _node_or_none(entry: object) -> Node | None:
    try:
        return parse_node(entry)
    except DirectoryFormatError:
        return None


def _node_ids(fields: Mapping[str, object], name: str) -> tuple[int, ...]:
    ids = expect_list(fields.get(name))
    if len(ids) > _MAX_NODES:
        raise DirectoryFormatError(f"the list {name} is longer than any network")
    return tuple([expect_integer(value, name, bits=32) for value in ids])
