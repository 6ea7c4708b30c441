"""From what the application wants to send to fragments: wrapping, reply SURBs, splitting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.lowlevel

from nymproxy.mixnet.messages import (
    PlainMessage,
    RepliableKind,
    RepliableMessage,
    ReplyMessage,
    encode_message,
    fragment_length,
    fragments_needed,
    split_message,
)
from nymproxy.mixnet.traffic import (
    ControlLane,
    OutgoingFragment,
    OutgoingMessage,
    PacketKind,
)
from nymproxy.mixnet.transport import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.mixnet.messages import NymMessage, ReplyKeyStore, ReplySurb
    from nymproxy.mixnet.pipeline import PacketBuilder
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.sphinx import PacketSize
    from nymproxy.mixnet.traffic import Lane, SenderTags, TrafficProfile

_SURBS_AT_ONCE = 8


class Composer:
    """Makes messages. Reply keys are remembered before anything can leave.

    Args:
        builder: makes the SURBs.
        tags: our tag for each recipient.
        reply_keys: where the keys of the SURBs go.
        profile: packet sizes and limits.
        clock: monotonic seconds.
        random_bytes: source of the set ids.
    """

    def __init__(
        self,
        builder: PacketBuilder,
        tags: SenderTags,
        reply_keys: ReplyKeyStore,
        profile: TrafficProfile,
        *,
        clock: Callable[[], float],
        random_bytes: RandomBytes,
    ) -> None:
        self._builder = builder
        self._tags = tags
        self._reply_keys = reply_keys
        self._profile = profile
        self._clock = clock
        self._random = random_bytes

    async def data(
        self, to: NymAddress, payload: bytes, surbs: int, lane: Lane
    ) -> tuple[OutgoingMessage, list[OutgoingFragment]]:
        """Compose a message to an address, with our sender tag and some SURBs.

        Raises:
            TopologyUnavailable, UnknownGateway, SphinxError: no SURBs can be made now.
        """
        message = RepliableMessage(
            self._tags.tag_for(to), RepliableKind.DATA, await self._make_surbs(surbs), payload
        )
        return self._fragments(message, PacketKind.DATA, to, lane, surbs)

    async def additional_surbs(
        self, to: NymAddress, tag: SenderTag, surbs: int
    ) -> tuple[OutgoingMessage, list[OutgoingFragment]]:
        """Compose an answer to a request for SURBs. Raises as :meth:`data`."""
        message = RepliableMessage(
            tag, RepliableKind.ADDITIONAL_SURBS, await self._make_surbs(surbs)
        )
        lane = ControlLane.ADDITIONAL_SURBS
        return self._fragments(message, PacketKind.ADDITIONAL_SURBS, to, lane, surbs)

    def plain(
        self, to: NymAddress, payload: bytes, lane: Lane
    ) -> tuple[OutgoingMessage, list[OutgoingFragment]]:
        """Compose a message that says nothing about its sender."""
        return self._fragments(PlainMessage(payload), PacketKind.DATA, to, lane, 0)

    def reply(
        self, to: SenderTag, payload: bytes, lane: Lane
    ) -> tuple[OutgoingMessage, list[OutgoingFragment]]:
        """Compose a reply: at least one byte."""
        return self._fragments(ReplyMessage(payload), PacketKind.REPLY, to, lane, 0)

    async def _make_surbs(self, amount: int) -> tuple[ReplySurb, ...]:
        if not amount:
            return ()
        # One topology for all SURBs of a message: they share one rotation marker on the wire.
        topology = self._builder.topology
        surbs: list[ReplySurb] = []
        while len(surbs) < amount:
            if surbs:
                await anyio.lowlevel.checkpoint()
            count = min(_SURBS_AT_ONCE, amount - len(surbs))
            surbs += [self._builder.create_surb(topology) for _ in range(count)]
        self._reply_keys.add((surb.encryption_key for surb in surbs), self._clock())
        return tuple(surbs)

    def _fragments(
        self,
        message: NymMessage,
        kind: PacketKind,
        to: NymAddress | SenderTag,
        lane: Lane,
        surbs: int,
    ) -> tuple[OutgoingMessage, list[OutgoingFragment]]:
        encoded = encode_message(message)
        size = self._packet_size(len(encoded))
        pieces = split_message(encoded, size, self._random)
        outgoing = OutgoingMessage(
            Delivery(len(pieces)),
            kind,
            to,
            lane,
            self._profile.maximum_retransmissions,
            surbs=surbs,
        )
        return outgoing, [
            OutgoingFragment(outgoing, piece.id, piece.to_bytes(), size) for piece in pieces
        ]

    def _packet_size(self, length: int) -> PacketSize:
        """Return the secondary size if a message takes fewer packets of it."""
        primary, secondary = self._profile.primary_packet_size, self._profile.secondary_packet_size
        if secondary is None:
            return primary
        counts = [
            fragments_needed(length, fragment_length(size) - 1)[0] for size in (primary, secondary)
        ]
        return secondary if counts[1] < counts[0] else primary
