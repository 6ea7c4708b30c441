"""What is in the packets that leave: fragments, copies of them, and cover."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

from nymproxy.errors import AddressError, NetworkError, SphinxError
from nymproxy.mixnet.traffic import MixTrials, PacketKind, ReturnedCover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy.address import NymAddress
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.machine.pacing import Departures
    from nymproxy.mixnet.machine.ports import BuiltPacket, PacketMaker
    from nymproxy.mixnet.machine.status import Tally
    from nymproxy.mixnet.messages import FragmentId, MixPacket
    from nymproxy.mixnet.traffic import Mix, Outbox, OutgoingFragment, TrafficProfile

_logger = logging.getLogger("nymproxy.client")

_OPENING_SECONDS: Final = 1.0
"""So long after its first packets a client prepares nothing for later ones: it would compete with
what the nodes and the peer do for its first answer, and many a client has no use for more."""


class PacketBatch:
    """Packets that are written together."""

    __slots__ = ("copies", "fragments", "kinds", "packets", "started_at")

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.packets: list[MixPacket] = []
        self.kinds: list[PacketKind] = []
        self.fragments: list[OutgoingFragment] = []
        self.copies: list[tuple[OutgoingFragment, BuiltPacket]] = []


class BatchBuilder:
    """Builds what leaves from what waits, and learns which mixes to avoid from what becomes of it.

    Args:
        profile: whether cover is returned.
        maker: makes the packets.
        outbox: what waits, and is told what has left.
        tally: counts.
    """

    __slots__ = ("_maker", "_outbox", "_prepares_from", "_returned", "_tally", "_trials")

    def __init__(
        self, profile: TrafficProfile, maker: PacketMaker, outbox: Outbox, tally: Tally
    ) -> None:
        self._maker = maker
        self._outbox = outbox
        self._tally = tally
        self._prepares_from = math.inf
        self._returned = ReturnedCover() if profile.returns_cover else None
        self._trials = MixTrials()
        self._trials.use_layers(maker.topology.layers)

    def reply_came(self, peer: NymAddress, now: float) -> None:
        """Take note of a packet of a peer whose address we know."""
        if self._returned is not None:
            self._returned.came(peer, now)

    def build(self, due: Departures, now: float) -> PacketBatch:
        """Return the packets that leave now, perhaps none."""
        batch = PacketBatch(now)
        for _ in range(due.packets):
            fragment = self._outbox.next_fragment()
            if fragment is not None:
                self._add(batch, fragment, now)
            elif due.covered and not self._add_copy(batch, now):
                self._add_cover(batch, now)
            elif not due.covered:
                break
        for _ in range(due.loop_covers):
            self._add_loop(batch, PacketKind.LOOP_COVER)
        return batch

    def left(self, batch: PacketBatch, now: float) -> None:
        """Record that a batch was handed to the gateway."""
        if batch.packets and self._prepares_from == math.inf:
            self._prepares_from = now + _OPENING_SECONDS
        for fragment in batch.fragments:
            self._outbox.left(fragment, now)
            self._await(fragment, fragment.mixes, now + fragment.expected_seconds)
        for fragment, built in batch.copies:
            due = now + built.expected_seconds
            self._outbox.copy_left(fragment, due)
            self._await(fragment, built.mixes, due)
        self._look_at_mixes(now)
        if self._returned is not None:
            self._returned.left(len(batch.fragments) + len(batch.copies))
        sent = self._tally.sent
        for kind in batch.kinds:
            sent[kind.value] += 1

    def may_prepare(self, now: float) -> bool:
        """Tell whether some of later packets is to be made ahead, if there is time."""
        return now >= self._prepares_from and self._maker.wants_headers

    def acknowledged(self, fragment_id: FragmentId, now: float) -> None:
        """Take an ack."""
        self._outbox.acknowledged(fragment_id, now)
        self._trials.acknowledged(fragment_id, now)

    def interrupted(self) -> None:
        """Take note that acks could not come or be read: missing ones prove nothing."""
        self._trials.interrupted()

    def use_topology(self, topology: Topology | None) -> None:
        """Build from another topology."""
        self._maker.use_topology(topology)
        if topology is not None:
            self._trials.use_layers(topology.layers)
            self._maker.avoid(self._trials.left_out)

    def _await(self, fragment: OutgoingFragment, mixes: Sequence[Mix], due: float) -> None:
        patience = self._outbox.ack_patience_seconds(fragment)
        self._trials.left(fragment.fragment_id, mixes, due, due + patience)

    def _look_at_mixes(self, now: float) -> None:
        if self._trials.look(now):
            left_out = self._trials.left_out
            _logger.info("mixes left out of routes, since they lose packets: %d", len(left_out))
            self._maker.avoid(left_out)

    def _add(self, batch: PacketBatch, fragment: OutgoingFragment, now: float) -> None:
        try:
            packet, fragment.expected_seconds, fragment.mixes = self._maker.build(fragment)
        except NetworkError as error:
            # No route now. The timer brings the fragment back when there may be one again.
            self._tally.unbuilt[error.code] += 1
            self._outbox.start_timer(fragment, now)
        except (AddressError, SphinxError) as error:
            self._tally.unbuilt[error.code] += 1
            _logger.warning("a packet cannot be built: %s", error)
            self._outbox.give_up(fragment.message, error)
        else:
            batch.packets.append(packet)
            batch.kinds.append(fragment.kind)
            batch.fragments.append(fragment)

    def _add_copy(self, batch: PacketBatch, now: float) -> bool:
        """Add a second packet of something small in flight, if there is any."""
        fragment = self._outbox.next_copy(now)
        if fragment is None:
            return False
        try:
            built = self._maker.build(fragment)
        except (NetworkError, AddressError, SphinxError) as error:
            self._tally.unbuilt[error.code] += 1
            return False
        finally:
            fragment.surb = None  # its timer runs: the next one may be that of a retransmission
        batch.packets.append(built.packet)
        batch.kinds.append(PacketKind.COPY)
        batch.copies.append((fragment, built))
        return True

    def _add_cover(self, batch: PacketBatch, now: float) -> None:
        """Add a cover to a peer that is owed one, or to ourselves."""
        peer = None if self._returned is None else self._returned.take(now)
        if peer is not None:
            try:
                batch.packets.append(self._maker.build_cover(peer))
            except (NetworkError, AddressError, SphinxError) as error:
                self._tally.unbuilt[error.code] += 1
            else:
                batch.kinds.append(PacketKind.RETURNED_COVER)
                return
        self._add_loop(batch, PacketKind.COVER)

    def _add_loop(self, batch: PacketBatch, kind: PacketKind) -> None:
        try:
            batch.packets.append(self._maker.build_cover())
        except (NetworkError, SphinxError) as error:
            self._tally.unbuilt[error.code] += 1
        else:
            batch.kinds.append(kind)
