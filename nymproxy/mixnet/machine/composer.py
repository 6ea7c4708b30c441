"""From what the application wants to send to fragments: wrapping, reply SURBs, splitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from nymproxy.mixnet.messages import (
    REPLY_SURB_LENGTH,
    PlainMessage,
    RepliableKind,
    RepliableMessage,
    ReplyMessage,
    SurbRequest,
    encode_message,
    fragment_length,
    fragments_needed,
    split_message,
)
from nymproxy.mixnet.records import DeliveryRecord
from nymproxy.mixnet.sphinx import PacketSize
from nymproxy.mixnet.traffic import (
    ControlLane,
    OutgoingFragment,
    OutgoingMessage,
    PacketKind,
)

if TYPE_CHECKING:
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.machine.ports import PacketMaker
    from nymproxy.mixnet.messages import NymMessage, ReplyKeyStore, ReplySurb
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.traffic import Lane, SurbRequestPlan, TrafficProfile

_SURBS_AT_ONCE: Final = 8
"""SURBs made in one step: about 2 ms, in which nothing else runs."""

_SPARES_BELOW: Final = 40
"""SURBs in the recipient's hands above which none are given for copies: four times the reserve."""

_REPLIABLE_BYTES: Final = 22
"""Of a message with a sender tag, without SURBs and payload."""

_SURB_REQUEST_RETRANSMISSIONS: Final = 10


class Composed(NamedTuple):
    """A message cut into the fragments that it takes."""

    message: OutgoingMessage
    fragments: list[OutgoingFragment]


class SurbDraft:
    """The reply SURBs of one message while they are being made, a few at a time."""

    __slots__ = ("_amount", "_composer", "_to", "_topology", "surbs")

    def __init__(
        self, composer: Composer, to: NymAddress, amount: int, topology: Topology | None
    ) -> None:
        self._composer = composer
        self._to = to
        self._amount = amount
        self._topology = topology
        self.surbs: list[ReplySurb] = []

    def advance(self, now: float) -> bool:
        """Make some more, and remember their keys; True when all are made.

        Raises:
            TopologyUnavailable, UnknownGateway, SphinxError: no SURBs can be made now.
        """
        count = min(_SURBS_AT_ONCE, self._amount - len(self.surbs))
        if count > 0 and self._topology is not None:
            self.surbs += self._composer.make_surbs(self._topology, self._to, count, now)
        return len(self.surbs) >= self._amount


class Composer:
    """Makes messages. Reply keys are remembered before anything can leave.

    Args:
        address: our own, which requests for SURBs carry.
        maker: makes the SURBs.
        reply_keys: where the keys of the SURBs go.
        profile: packet sizes and limits.
        random_bytes: source of the set ids.
    """

    def __init__(
        self,
        address: NymAddress,
        maker: PacketMaker,
        reply_keys: ReplyKeyStore,
        profile: TrafficProfile,
        random_bytes: RandomBytes,
    ) -> None:
        self._address = address
        self._maker = maker
        self._reply_keys = reply_keys
        self._profile = profile
        self._random = random_bytes

    def with_spare(self, to: NymAddress, payload_bytes: int, surbs: int) -> int:
        """Return how many SURBs to attach to a message that should have ``surbs``: one more for a
        copy of its answer, where that takes no packet more and the recipient holds few."""
        wants_spare = self._profile.copies and self._profile.sending_delay_seconds is not None
        if not (wants_spare and surbs) or self._reply_keys.held_by(to) + surbs >= _SPARES_BELOW:
            return surbs
        length = _REPLIABLE_BYTES + (surbs + 1) * REPLY_SURB_LENGTH + payload_bytes
        whole = fragment_length(self._profile.primary_packet_size) - 1
        return surbs + (fragments_needed(length, whole)[0] == 1)

    def draft_surbs(self, to: NymAddress, amount: int) -> SurbDraft:
        """Begin to make SURBs for a recipient: all from one topology, since they share one rotation
        marker.

        Raises:
            TopologyUnavailable: there is none now.
        """
        return SurbDraft(self, to, amount, self._maker.topology if amount else None)

    def make_surbs(
        self, topology: Topology, to: NymAddress, count: int, now: float
    ) -> list[ReplySurb]:
        """Make SURBs in one go, and remember their keys. Raises as :meth:`SurbDraft.advance`."""
        surbs = [self._maker.create_surb(topology) for _ in range(count)]
        keys = (surb.encryption_key for surb in surbs)
        self._reply_keys.add(keys, now, to, topology.rotation_id)
        return surbs

    def data(
        self, to: NymAddress, tag: SenderTag, payload: bytes, surbs: list[ReplySurb], lane: Lane
    ) -> Composed:
        """Compose a message to an address, with our sender tag and some SURBs."""
        message = RepliableMessage(tag, RepliableKind.DATA, tuple(surbs), payload)
        return self._giving(self._compose(message, PacketKind.DATA, to, lane, surbs=len(surbs)), to)

    def additional_surbs(self, to: NymAddress, tag: SenderTag, surbs: list[ReplySurb]) -> Composed:
        """Compose an answer to a request for SURBs."""
        message = RepliableMessage(tag, RepliableKind.ADDITIONAL_SURBS, tuple(surbs))
        lane = ControlLane.ADDITIONAL_SURBS
        kind = PacketKind.ADDITIONAL_SURBS
        return self._giving(self._compose(message, kind, to, lane, surbs=len(surbs)), to)

    def _giving(self, composed: Composed, to: NymAddress) -> Composed:
        """Have noted when the SURBs of a message have arrived."""
        count = composed.message.surbs
        if count:
            rotation_id = self._reply_keys.rotation_id

            def changed(delivery: DeliveryRecord) -> None:
                if delivery.is_acknowledged:
                    self._reply_keys.arrived(to, count, rotation_id)

            composed.message.delivery.subscribe(changed)
        return composed

    def plain(self, to: NymAddress, payload: bytes, lane: Lane) -> Composed:
        """Compose a message that says nothing about its sender."""
        return self._compose(PlainMessage(payload), PacketKind.DATA, to, lane)

    def reply(
        self, to: SenderTag, payload: bytes, lane: Lane, *, any_surb: bool = False
    ) -> Composed:
        """Compose a reply: at least one byte; ``any_surb``: it may use the reserve."""
        return self._compose(ReplyMessage(payload), PacketKind.REPLY, to, lane, any_surb=any_surb)

    def surb_request(self, plan: SurbRequestPlan) -> Composed:
        """Compose a request for SURBs, one packet, with the SURB that carries it."""
        composed = self._compose(
            SurbRequest(self._address, plan.amount),
            PacketKind.SURB_REQUEST,
            plan.tag,
            ControlLane.SURB_REQUEST,
            surbs=plan.amount,
            size=PacketSize.REGULAR,
            maximum_retransmissions=_SURB_REQUEST_RETRANSMISSIONS,
        )
        [fragment] = composed.fragments
        fragment.surb = plan.surb
        return composed

    def _compose(
        self,
        message: NymMessage,
        kind: PacketKind,
        to: NymAddress | SenderTag,
        lane: Lane,
        *,
        surbs: int = 0,
        any_surb: bool = False,
        size: PacketSize | None = None,
        maximum_retransmissions: int | None = None,
    ) -> Composed:
        encoded = encode_message(message)
        size = size or self._packet_size(len(encoded))
        if maximum_retransmissions is None:
            maximum_retransmissions = self._profile.maximum_retransmissions
        pieces = split_message(encoded, size, self._random)
        record = DeliveryRecord(len(pieces))
        outgoing = OutgoingMessage(
            record, kind, to, lane, maximum_retransmissions, surbs=surbs, any_surb=any_surb
        )
        return Composed(
            outgoing,
            [OutgoingFragment(outgoing, piece.id, piece.to_bytes(), size) for piece in pieces],
        )

    def _packet_size(self, length: int) -> PacketSize:
        """Return the secondary size if a message takes fewer packets of it."""
        primary, secondary = self._profile.primary_packet_size, self._profile.secondary_packet_size
        if secondary is None:
            return primary
        counts = [
            fragments_needed(length, fragment_length(size) - 1)[0] for size in (primary, secondary)
        ]
        return secondary if counts[1] < counts[0] else primary
