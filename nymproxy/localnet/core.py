"""What a node does with one packet, from the frame that came to the frame that goes. Sans-IO.

Rules of nym-node 1.31.0 (src/node/mixnet/handler.rs) and nym-sphinx-framing 1.21.6
(src/processing.rs); vectors: tests/vectors/nodes.json, ``hops``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from nymproxy.errors import SphinxError
from nymproxy.localnet.counters import Direction, DropReason, NodeCounters
from nymproxy.localnet.framing import Frame
from nymproxy.localnet.replay import ReplayFilter
from nymproxy.mixnet.sphinx import (
    FinalHop,
    ForwardHop,
    KeyRotation,
    NodeAddress,
    PacketSize,
    PartialUnwrap,
    partially_unwrap,
    recover_plaintext,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.localnet.epochs import EpochSchedule

MAX_FORWARD_DELAY_NS = 10_000_000_000
"""Longer delays are cut to this, not refused (``maximum_forward_packet_delay``)."""

_ACK_ADDRESS_BYTES = 19
_PACKED_LENGTHS = {4: 7, 6: 19}
SURB_ACK_BYTES = _ACK_ADDRESS_BYTES + PacketSize.ACK.packet_length


class Forward(NamedTuple):
    """A packet for the next node.

    The address (:meth:`NodeAddress.pack`) stays as it came: to read it costs as much as to queue
    the packet, and few nodes have many neighbours.
    """

    next_hop: bytes
    frame: Frame
    delay_seconds: float


class Deliver(NamedTuple):
    """A message at the end of its route, with the acknowledgement to release once it is safe."""

    destination: bytes
    message: bytes
    size: PacketSize
    ack: Forward | None


@dataclass(slots=True)
class _NodeKey:
    rotation_id: int
    private_key: bytes = field(repr=False)
    replays: ReplayFilter


class KeyRing:
    """The Sphinx keys of a node that are alive, each with the replay filter of its rotation."""

    def __init__(self, derive: Callable[[int], bytes]) -> None:
        """``derive(rotation_id)`` returns the private key of a rotation, 32 bytes."""
        self._derive = derive
        self._keys: dict[int, _NodeKey] = {}
        self._by_marker: dict[KeyRotation, tuple[_NodeKey, ...]] = {}
        self._alive: tuple[int, ...] = ()

    @property
    def alive(self) -> tuple[int, ...]:
        """The rotation ids whose packets are accepted, the current one first."""
        return self._alive

    def update(self, schedule: EpochSchedule, unix_time: float) -> None:
        """Make the keys alive that the schedule says; purge the others with their filters."""
        alive = schedule.alive_rotations(schedule.epoch_at(unix_time))
        if alive == self._alive:
            return
        self._alive = alive
        self._keys = {
            rotation_id: self._keys.get(rotation_id)
            or _NodeKey(rotation_id, self._derive(rotation_id), ReplayFilter())
            for rotation_id in alive
        }
        keys = tuple(self._keys.values())
        self._by_marker = {KeyRotation.UNKNOWN: keys}
        for marker in (KeyRotation.ODD, KeyRotation.EVEN):
            parity = marker is KeyRotation.ODD
            self._by_marker[marker] = tuple(key for key in keys if key.rotation_id % 2 == parity)

    def candidates(self, marker: KeyRotation) -> tuple[_NodeKey, ...]:
        """Return the keys to try for a frame's marker, the current rotation's first."""
        return self._by_marker.get(marker, ())


class PacketProcessor:
    """Processes the packets of one node."""

    def __init__(
        self,
        keys: KeyRing,
        counters: NodeCounters,
        *,
        accepts_forward_hops: bool,
        accepts_final_hops: bool,
    ) -> None:
        self._keys = keys
        self._counters = counters
        self._accepts_forward_hops = accepts_forward_hops
        self._accepts_final_hops = accepts_final_hops

    def process(self, frame: Frame) -> Forward | Deliver | None:
        """Take one layer off. ``None``: the packet was dropped, and counted with its reason."""
        self._counters.add(Direction.RECEIVED, frame.size)
        try:
            partial = self._open(frame)
            if partial is None:
                return None
            hop = partial.finish()
            if isinstance(hop, ForwardHop):
                return self._forward(hop, frame)
            return self._deliver(hop, frame)
        except SphinxError:
            self._drop(DropReason.MALFORMED)
            return None

    def _open(self, frame: Frame) -> PartialUnwrap | None:
        """Find the key whose header this is, and see that the packet is new.

        The check comes before the payload is looked at, so a packet with a damaged payload uses
        its tag up.
        """
        candidates = self._keys.candidates(frame.rotation)
        if not candidates:
            self._drop(DropReason.EXPIRED_KEY)
            return None
        for key in candidates:
            try:
                partial = partially_unwrap(frame.packet, key.private_key)
            except SphinxError:
                if key is candidates[-1]:
                    raise
                continue
            if not key.replays.check_and_set(partial.replay_tag):
                self._drop(DropReason.REPLAYED)
                return None
            return partial
        return None

    def _forward(self, hop: ForwardHop, frame: Frame) -> Forward | None:
        if not self._accepts_forward_hops:
            self._drop(DropReason.FORWARD_DISABLED)
            return None
        delay_ns = hop.delay_ns
        if delay_ns > MAX_FORWARD_DELAY_NS:
            self._counters.event("clamped_delays")
            delay_ns = MAX_FORWARD_DELAY_NS
        sent_on = Frame(frame.size, frame.rotation, hop.packet)
        return Forward(_packed_address(hop.next_hop), sent_on, delay_ns / 1_000_000_000)

    def _deliver(self, hop: FinalHop, frame: Frame) -> Deliver | None:
        if not self._accepts_final_hops:
            self._drop(DropReason.FINAL_HOP_DISABLED)
            return None
        plaintext = recover_plaintext(hop.payload)
        ack: Forward | None = None
        if frame.size is not PacketSize.ACK:
            if len(plaintext) < SURB_ACK_BYTES:
                self._drop(DropReason.MALFORMED)
                return None
            ack = _surb_ack(plaintext[:SURB_ACK_BYTES], frame.rotation)
            plaintext = plaintext[SURB_ACK_BYTES:]
        self._counters.add(Direction.FINAL, frame.size)
        return Deliver(hop.destination, plaintext, frame.size, ack)

    def _drop(self, reason: DropReason) -> None:
        self._counters.drop(reason)


def _surb_ack(block: bytes, rotation: KeyRotation) -> Forward:
    """Read first hop (19 bytes, padded) || ack packet; the ack has the marker of its packet.

    Raises:
        SphinxError: the first hop is no address.
    """
    next_hop = _packed_address(block[:_ACK_ADDRESS_BYTES])
    return Forward(next_hop, Frame(PacketSize.ACK, rotation, block[_ACK_ADDRESS_BYTES:]), 0.0)


def _packed_address(field: bytes) -> bytes:
    """Return a padded address field without its padding.

    Raises:
        SphinxError: the field is no address.
    """
    length = _PACKED_LENGTHS.get(field[0])
    return field[: NodeAddress.unpack(field)[1]] if length is None else field[:length]
