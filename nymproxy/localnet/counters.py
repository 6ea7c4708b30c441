"""What the nodes count: packets and bytes per node and kind, drops by reason, injected faults.

Counting must cost nothing next to the packets, so a counter is an integer in a dictionary; bytes
of Sphinx packets follow from their number, since each size class has one length.
"""

from __future__ import annotations

import enum
import logging
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nymproxy.mixnet.sphinx import PacketSize


logger = logging.getLogger("nymproxy.localnet")


class DropReason(enum.StrEnum):
    """Why a node dropped a packet. Nobody is told: the sender only misses an acknowledgement."""

    MALFORMED = "malformed"
    """The header's MAC, the routing information or the payload is wrong."""
    EXPIRED_KEY = "expired_key"
    """No key of the frame's rotation is alive."""
    REPLAYED = "replayed"
    FORWARD_DISABLED = "forward_disabled"
    """A forward hop at a node that is no mix node."""
    FINAL_HOP_DISABLED = "final_hop_disabled"
    """A final hop at a node that is no gateway."""
    NOT_LOOPBACK = "not_loopback"
    """The next hop is not on this machine, where alone a localnet may send."""
    QUEUE_FULL = "queue_full"
    """The bounded queue towards a peer was full; the newest packet is dropped."""
    CONNECTION_LOST = "connection_lost"
    """Queued for a peer that could not be reached, or went away."""
    CLIENT_QUEUE_FULL = "client_queue_full"
    """A connected client does not read; its packets are dropped without an acknowledgement."""
    CLIENT_GONE = "client_gone"
    """Acknowledged, and queued for a client whose connection ended before it was written."""
    DELAY_QUEUE_FULL = "delay_queue_full"
    NODE_STOPPED = "node_stopped"
    """Waited in the node when it was stopped."""


class Direction(enum.StrEnum):
    """What happened to a packet that was not dropped."""

    RECEIVED = "received"
    """Came in from a node."""
    FORWARDED = "forwarded"
    """Written to the socket of the next node."""
    FROM_CLIENT = "from_client"
    """Handed in by a client, over its websocket."""
    FINAL = "final"
    """Unwrapped as a final hop."""
    PUSHED = "pushed"
    """Written to the websocket of its client."""
    STORED = "stored"
    """Written to the store, its client being away."""
    ACKS_RELEASED = "acks_released"
    """SURB-acks sent on their way."""


_OVERLOADED = {DropReason.QUEUE_FULL, DropReason.CLIENT_QUEUE_FULL, DropReason.DELAY_QUEUE_FULL}


def _digits(number: int) -> int:
    """Return how many digits a count has; none for zero. With each more it is said again."""
    return len(str(number)) if number else 0


class NodeCounters:
    """The counters of one node since it was first started."""

    def __init__(self) -> None:
        self._packets: defaultdict[tuple[Direction, PacketSize], int] = defaultdict(int)
        self._drops: Counter[DropReason] = Counter()
        self._injected: Counter[str] = Counter()
        self._events: Counter[str] = Counter()

    def add(self, direction: Direction, size: PacketSize, count: int = 1) -> None:
        """Count packets of one size class."""
        self._packets[direction, size] += count

    def drop(self, reason: DropReason, count: int = 1) -> None:
        """Count packets that end here. A machine that is too slow for its network says so."""
        before = self._drops[reason]
        self._drops[reason] += count
        if reason in _OVERLOADED and _digits(before) < _digits(before + count):
            logger.warning(
                "%s: a node has dropped %d packets so far, as this machine does not keep up with "
                "the network that it runs",
                reason.value,
                before + count,
            )

    def inject(self, kind: str) -> None:
        """Count one fault of the fault plan."""
        self._injected[kind] += 1

    def event(self, name: str, amount: int = 1) -> None:
        """Count something else: connections, clamped delays, bytes of websockets."""
        self._events[name] += amount

    def packets(self, direction: Direction) -> int:
        """Return the packets of all sizes that went this way."""
        return sum(count for (way, _), count in self._packets.items() if way is direction)

    def dropped(self, reason: DropReason) -> int:
        """Return the packets dropped for one reason."""
        return self._drops[reason]

    def injected(self, kind: str) -> int:
        """Return how often one kind of fault was injected."""
        return self._injected[kind]

    def snapshot(self) -> dict[str, Any]:
        """Return everything as JSON-ready data; bytes are those of the Sphinx packets."""
        result: dict[str, Any] = {}
        for (direction, size), count in sorted(
            self._packets.items(), key=lambda item: (item[0][0], item[0][1].name)
        ):
            result.setdefault(direction.value, {})[size.name.lower()] = {
                "packets": count,
                "bytes": count * size.packet_length,
            }
        result["dropped"] = {reason.value: count for reason, count in sorted(self._drops.items())}
        result["injected"] = dict(sorted(self._injected.items()))
        result["events"] = dict(sorted(self._events.items()))
        return result


def total(snapshots: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Add up the snapshots of several nodes, key by key."""
    result: dict[str, Any] = {}
    for snapshot in snapshots.values():
        _add_into(result, snapshot)
    return result


def _add_into(target: dict[str, Any], source: dict[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, dict):
            _add_into(target.setdefault(key, {}), value)
        else:
            target[key] = target.get(key, 0) + value
