"""The five bodies of the directory, built from one moment's view of the network.

Formats of nym-api-requests 1.21.6 (src/nym_nodes.rs, src/models/mixnet.rs) and
nym-mixnet-contract-common 1.21.6 (src/key_rotation.rs); only JSON, which clients take whatever they
asked for. Vectors of the same shapes: tests/vectors/directory.json, ``endpoints``.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nymproxy import _base58

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NodeIdentity
    from nymproxy.localnet.epochs import EpochSchedule
    from nymproxy.mixnet.sphinx import NodeAddress

LAYERS = (1, 2, 3)

KEY_ROTATION_INFO = "/v1/epoch/key-rotation-info"
REWARDED_SET = "/v1/nym-nodes/rewarded-set"
ACTIVE_MIXNODES = "/v2/unstable/nym-nodes/skimmed/mixnodes/active"
ENTRY_GATEWAYS = "/v2/unstable/nym-nodes/skimmed/entry-gateways"
ALL_NODES = "/v2/unstable/nym-nodes/skimmed"


@dataclass(frozen=True, slots=True)
class ListedNode:
    """A node as the directory lists it.

    Attributes:
        node_id: its number, from 1.
        identity: its Ed25519 key.
        address: where it takes packets.
        sphinx_public_key: its X25519 key of the current rotation, 32 bytes.
        layer: 1 to 3 for a mix node, ``None`` for a gateway.
        client_port: a gateway's websocket port.
        is_exit: a gateway's role in the rewarded set: exit or entry.
    """

    node_id: int
    identity: NodeIdentity
    address: NodeAddress
    sphinx_public_key: bytes
    layer: int | None = None
    client_port: int | None = None
    is_exit: bool = False

    @property
    def is_gateway(self) -> bool:
        """Whether the node is a gateway."""
        return self.layer is None

    def to_body(self) -> dict[str, Any]:
        """Return the JSON form (``SkimmedNodeV1``).

        No host name is announced: clients would prefer it over the IP address.
        """
        entry = {"hostname": None, "ws_port": self.client_port, "wss_port": None}
        return {
            "node_id": self.node_id,
            "ed25519_identity_pubkey": str(self.identity),
            "ip_addresses": [str(self.address.ip)],
            "mix_port": self.address.port,
            "x25519_sphinx_pubkey": _base58.encode(self.sphinx_public_key),
            "role": self._role(),
            "supported_roles": {
                "mixnode": not self.is_gateway,
                "entry": self.is_gateway,
                "exit_nr": self.is_exit,
                "exit_ipr": self.is_exit,
            },
            "entry": entry if self.is_gateway else None,
            "performance": "1",
        }

    def _role(self) -> str | dict[str, Any]:
        if self.layer is not None:
            return {"Mixnode": {"layer": self.layer}}
        return "ExitGateway" if self.is_exit else "EntryGateway"


def build_bodies(
    nodes: Sequence[ListedNode], schedule: EpochSchedule, unix_time: float
) -> dict[str, Any]:
    """Return all bodies by path (below the base path). They agree in epoch and rotation."""
    mixnodes = [node for node in nodes if not node.is_gateway]
    gateways = [node for node in nodes if node.is_gateway]
    return {
        KEY_ROTATION_INFO: key_rotation_info(schedule, unix_time),
        REWARDED_SET: _rewarded_set(nodes, schedule.epoch_at(unix_time)),
        ACTIVE_MIXNODES: _node_list(mixnodes, schedule, unix_time),
        ENTRY_GATEWAYS: _node_list(gateways, schedule, unix_time),
        ALL_NODES: _node_list(nodes, schedule, unix_time),
    }


def key_rotation_info(schedule: EpochSchedule, unix_time: float) -> dict[str, Any]:
    """Return the body of ``key-rotation-info``."""
    epoch = schedule.epoch_at(unix_time)
    rotation_id = schedule.rotation_of(epoch)
    first, last = schedule.rotation_bounds(rotation_id)
    seconds, fraction = divmod(schedule.epoch_seconds, 1)
    return {
        "key_rotation_state": {
            "validity_epochs": schedule.epochs_per_rotation,
            "initial_epoch_id": 0,
        },
        "current_absolute_epoch_id": epoch,
        "current_epoch_start": rfc3339(schedule.epoch_start(epoch)),
        "epoch_duration": {"secs": int(seconds), "nanos": int(fraction * 1_000_000_000)},
        "progress": {
            "current_key_rotation_id": rotation_id,
            "current_rotation_starting_epoch": first,
            "current_rotation_ending_epoch": last,
        },
    }


def _rewarded_set(nodes: Sequence[ListedNode], epoch: int) -> dict[str, Any]:
    return {
        "epoch_id": epoch,
        "entry_gateways": [n.node_id for n in nodes if n.is_gateway and not n.is_exit],
        "exit_gateways": [n.node_id for n in nodes if n.is_gateway and n.is_exit],
        **{
            f"layer{layer}": [node.node_id for node in nodes if node.layer == layer]
            for layer in LAYERS
        },
        "standby": [],
    }


def _node_list(
    nodes: Sequence[ListedNode], schedule: EpochSchedule, unix_time: float
) -> dict[str, Any]:
    epoch = schedule.epoch_at(unix_time)
    return {
        "metadata": {
            "status": None,
            "absolute_epoch_id": epoch,
            "rotation_id": schedule.rotation_of(epoch),
            "refreshed_at": refreshed_at(unix_time),
        },
        "nodes": {
            "pagination": {"total": len(nodes), "page": 0, "size": len(nodes)},
            "data": [node.to_body() for node in nodes],
        },
    }


def rfc3339(unix_time: float) -> str:
    """Return a time as RFC 3339 text in UTC, with microseconds."""
    moment = datetime.datetime.fromtimestamp(unix_time, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def refreshed_at(unix_time: float) -> str:
    """Return a time as nym-api writes ``refreshed_at``, e.g. 2026-01-02 03:04:05.678 +00:00:00."""
    moment = datetime.datetime.fromtimestamp(unix_time, tz=datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f +00:00:00")
