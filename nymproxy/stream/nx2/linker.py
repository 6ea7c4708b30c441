"""NX2 at one client: which link each stream gets, and what its peers share."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from nymproxy.address import NymAddress
from nymproxy.channel.link import (
    Admission,
    ChannelLink,
    LinkContext,
    Linker,
    Resumed,
    Stray,
)
from nymproxy.channel.segment import Capability, Segment, SegmentKind
from nymproxy.errors import ChannelFormatError, ResetCode
from nymproxy.mixnet.randomness import uniform_index
from nymproxy.stream.nx2.accepting import AcceptorLink, PlainAcceptorLink
from nymproxy.stream.nx2.dialing import DialerLink
from nymproxy.stream.nx2.frames import MAX_ALTERNATES, RANDOM_LENGTH, Accept, Offer
from nymproxy.stream.nx2.keys import MAC_LENGTH
from nymproxy.stream.nx2.link import ALL_CAPABILITIES, hello_to
from nymproxy.stream.nx2.moves import Moves
from nymproxy.stream.nx2.moving import Place
from nymproxy.stream.nx2.openings import Openings, Verdict
from nymproxy.stream.nx2.peers import PeerWatch
from nymproxy.stream.nx2.roundtrip import PeerDelay
from nymproxy.stream.nx2.sealer import AcceptorSealer, DialerSealer, read_offer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.address import SenderTag
    from nymproxy.channel.machine import ChannelMachine
    from nymproxy.channel.protocol import ChannelCodec, PeerMemory
    from nymproxy.stream.nx2.peers import Peer

logger = logging.getLogger("nymproxy.stream")

_MAX_ADMITTED = 256


class _Admitted(NamedTuple):
    offer: Offer
    verdict: Verdict


class Nx2Linker(Linker):
    """Makes sealed links where the peer may have NX2, and plain ones where it has not.

    Args:
        codec: the stream codec.
        context: of the client.
        memory: what the process has learned about addresses.
        require_sealed: never speak unsealed to an address that we dial.
    """

    def __init__(
        self,
        codec: ChannelCodec,
        context: LinkContext,
        memory: PeerMemory,
        *,
        require_sealed: bool,
    ) -> None:
        super().__init__(codec)
        self._context = context
        self._memory = memory
        self._require_sealed = require_sealed
        started_at = context.unix_time() if context.is_restored else -math.inf
        self._openings = Openings(started_at)
        self._watch = PeerWatch(context)
        self._admitted: OrderedDict[bytes, Verdict] = OrderedDict()  # by the OFFER's MAC
        self._peers: dict[ChannelLink, NymAddress | SenderTag] = {}
        self._moves = Moves(context, self._watch, self._peers)
        self._delays: WeakValueDictionary[Peer, PeerDelay] = WeakValueDictionary()

    # Dialing.

    def dial(self, machine: ChannelMachine, to: NymAddress, now: float) -> ChannelLink:
        """See :meth:`Linker.dial`."""
        is_known = self._require_sealed or self._memory.was_sealed(to)
        if not is_known and machine.traits.is_known_without(Capability.NX2):
            machine.traits.withhold(Capability.NX2)  # an acceptor would wait for our OFFER
            return super().dial(machine, to, now)
        context = self._context
        tag = context.sender_tag_for(to)
        secret = context.random_bytes(RANDOM_LENGTH)
        sealer = DialerSealer(
            int(machine.channel_id), tag, to, dialer_random=secret, is_known=is_known
        )
        if is_known:
            machine.traits.segment_received(hello_to(machine))
        link = DialerLink(
            machine, self._codec, sealer, minutes=self._minutes(), is_known=is_known, now=now
        )
        self._peers[link] = to
        self._watch.awaits(link, now)
        link.kept.round_trip.peer = self._delay_of(to)
        link.supply.held = partial(self._surbs_held, link)
        link.verified = partial(self._moves.verified, link)
        link.accepted = partial(self._accepted, link, Place(tag, to))
        link.hinted = partial(self._moves.hinted, link)
        return link

    def _delay_of(self, peer: Peer) -> PeerDelay:
        delay = self._delays.get(peer)
        if delay is None:
            delay = self._delays[peer] = PeerDelay()
        return delay

    def _surbs_held(self, link: DialerLink) -> int:
        peer = self._peers.get(link)
        return self._context.surbs_held_by(peer) if isinstance(peer, NymAddress) else 0

    def _minutes(self) -> int:
        """The time for an OFFER: off by up to a minute, so that it does not show our clock."""
        shift = uniform_index(self._context.random_bytes, 3) - 1
        return max(0, int(self._context.unix_time() // 60) + shift)

    def _accepted(self, link: DialerLink, place: Place, accept: Accept, now: float) -> None:
        self._memory.remember_sealed(place.address)
        self._watch.wants(place.address, accept.ask_seconds, now)
        self._moves.accepted(link, place, accept.alternates)

    # Accepting.

    def admit(self, segment: Segment, tag: SenderTag, now: float) -> Admission:
        """See :meth:`Linker.admit`."""
        if segment.kind is not SegmentKind.OFFER:
            # Data of an opening is in the OFFER: an Open with some was made of something else.
            is_odd = segment.shows_nx2 and bool(segment.payload)
            return Admission.DROP if is_odd else Admission.TAKE
        admitted = self._judge(segment.payload, tag)
        if admitted is None or admitted.verdict is Verdict.REPLAYED:
            return Admission.DROP
        self._admitted[segment.payload[-MAC_LENGTH:]] = admitted.verdict
        if len(self._admitted) > _MAX_ADMITTED:
            self._admitted.popitem(last=False)
        return Admission.REFUSE if admitted.verdict is Verdict.STALE else Admission.TAKE

    def _judge(self, frame: bytes, tag: SenderTag) -> _Admitted | None:
        address = self._context.address_for(tag)
        try:
            offer = read_offer(frame, tag, address)
        except ChannelFormatError as error:
            logger.debug("dropped an offer: %s", error)
            return None
        now, connected_seconds = (
            self._context.unix_time(),
            self._context.connected_seconds_at(address),
        )
        return _Admitted(offer, self._openings.judge(offer, now, connected_seconds))

    def _take_admitted(self, frame: bytes, tag: SenderTag) -> _Admitted:
        """Return what was judged of an OFFER; of one that others have pushed out, or that comes for
        a stream that is over, the dialer has to show that it is there.

        Raises:
            ChannelFormatError: it does not verify.
        """
        offer = read_offer(frame, tag, self._context.address_for(tag))
        return _Admitted(offer, self._admitted.pop(frame[-MAC_LENGTH:], Verdict.CONFIRM))

    def accept(
        self, machine: ChannelMachine, segment: Segment, tag: SenderTag, now: float
    ) -> ChannelLink:
        """See :meth:`Linker.accept`."""
        if segment.kind is SegmentKind.OFFER:
            admitted = self._take_admitted(segment.payload, tag)
            opening = Segment(
                SegmentKind.OPEN,
                segment.channel_id,
                payload=admitted.offer.data,
                capabilities=ALL_CAPABILITIES,
            )
            machine.opened_by(opening, now)
            link = self._acceptor(machine, tag, now)
            self._offered(link, admitted, tag, now)
            return link
        if not segment.shows_nx2:
            machine.opened_by(segment, now)
            return PlainAcceptorLink(machine, self._codec)
        machine.opened_by(segment, now)
        return self._acceptor(machine, tag, now)

    def _acceptor(self, machine: ChannelMachine, tag: SenderTag, now: float) -> AcceptorLink:
        link = AcceptorLink(machine, self._codec, tag, now)
        self._peers[link] = tag
        link.kept.round_trip.peer = self._delay_of(tag)
        self._watch.awaits(link, now)
        self._moves.add_acceptor(link)
        link.verified = partial(self._moves.verified, link)
        link.offer_received = partial(self._offer_received, link, tag)
        return link

    def _offer_received(self, link: AcceptorLink, tag: SenderTag, frame: bytes, now: float) -> None:
        """Take an OFFER for a stream that is there: the one behind its Open, or a copy."""
        if link.sealer is not None:
            try:
                if link.sealer.is_same(read_offer(frame, tag, self._context.address_for(tag))):
                    link.offered_again()
            except ChannelFormatError as error:
                logger.debug("dropped an offer: %s", error)
            return
        admitted = self._judge(frame, tag)
        if admitted is None:
            return
        if admitted.verdict is Verdict.REPLAYED:
            link.machine.abort(ResetCode.REFUSED, "")
            return
        self._offered(link, admitted, tag, now)
        if admitted.verdict is Verdict.STALE:
            link.machine.abort(ResetCode.REFUSED, "the offer is too old, or a clock is wrong")

    def _offered(self, link: AcceptorLink, admitted: _Admitted, tag: SenderTag, now: float) -> None:
        sealer = self._sealer(int(link.machine.channel_id), tag, admitted)
        confirms = admitted.verdict is Verdict.CONFIRM
        self._moves.verified(link, now)
        link.offered(admitted.offer, sealer, now, confirms=confirms)

    def _sealer(
        self, stream_id: int, tag: SenderTag, admitted: _Admitted, *, is_refused: bool = False
    ) -> AcceptorSealer:
        context = self._context
        address = context.address_for(tag)
        others = tuple(each for each in context.addresses if each != address)
        accept = Accept(
            context.random_bytes(RANDOM_LENGTH),
            alternates=others[:MAX_ALTERNATES],
            confirm=admitted.verdict is Verdict.CONFIRM,
            is_refused=is_refused,
        )
        return AcceptorSealer(stream_id, tag, address, admitted.offer, accept)

    def refuse(self, segment: Segment, tag: SenderTag) -> list[bytes] | None:
        """See :meth:`Linker.refuse`: an ACCEPT that says so. An Open gets nothing where an OFFER
        follows."""
        if segment.kind is not SegmentKind.OFFER:
            return [] if segment.shows_nx2 else None
        try:
            admitted = self._take_admitted(segment.payload, tag)
        except ChannelFormatError:
            return []
        sealer = self._sealer(int(segment.channel_id), tag, admitted, is_refused=True)
        return [sealer.accept()]

    # What peers share.

    def removed(self, link: ChannelLink) -> None:
        """See :meth:`Linker.removed`."""
        peer = self._peers.pop(link, None)
        if peer is not None:
            self._watch.removed(peer, link)
            self._moves.removed(link)
            link.call_nobody()

    def resume(self, segment: Segment, tag: SenderTag, now: float) -> Resumed | None:
        """See :meth:`Linker.resume`."""
        return self._moves.resume(segment, tag, now)

    def client_moved(self, links: Iterable[ChannelLink], now: float) -> None:
        """See :meth:`Linker.client_moved`; streams of peers with NX2 go on."""
        super().client_moved(self._moves.client_moved(links, now), now)

    def peer_segment_received(
        self, segment: Segment, tag: SenderTag | None, given_to: NymAddress | None, now: float
    ) -> None:
        """See :meth:`Linker.peer_segment_received`."""
        try:
            self._watch.frame_received(segment.payload, tag, given_to, now)
        except ChannelFormatError as error:
            logger.debug("dropped a question or an answer: %s", error)

    def take_strays(self, now: float) -> list[Stray]:
        """See :meth:`Linker.take_strays`."""
        return self._watch.take_strays(now)

    def take_changed(self) -> list[ChannelLink]:
        """See :meth:`Linker.take_changed`."""
        return self._watch.take_changed()

    def next_deadline(self, now: float) -> float:
        """See :meth:`Linker.next_deadline`."""
        return self._watch.next_deadline(now)

    def tick(self, now: float) -> None:
        """See :meth:`Linker.tick`."""
        if not self._context.is_connected():
            self._moves.unheard(now)
        self._watch.tick(now)
