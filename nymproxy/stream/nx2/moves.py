"""Moving at one client: its streams go on when it, or the acceptor, is at another gateway."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from nymproxy.address import SenderTag, ToldAddress
from nymproxy.channel.link import Resumed
from nymproxy.errors import ChannelFormatError
from nymproxy.stream.nx2.accepting import AcceptorLink
from nymproxy.stream.nx2.dialing import DialerLink
from nymproxy.stream.nx2.moving import Alternates, Bound, Mover, Place
from nymproxy.stream.nx2.sealer import AcceptorSealer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy.address import NymAddress
    from nymproxy.channel.link import ChannelLink, LinkContext
    from nymproxy.channel.segment import Segment
    from nymproxy.stream.nx2.frames import Resume
    from nymproxy.stream.nx2.peers import PeerWatch
    from nymproxy.stream.nx2.sealer import Sealer

MAX_TRIED = 8
"""Streams with one id whose keys are tried on a RESUME."""


class Moves:
    """Moves dialers' streams, and follows the dialers of others.

    Args:
        context: of the client.
        watch: of its peers.
        peers: of all sealed links, kept up to date here; the owner adds and removes.
    """

    def __init__(
        self,
        context: LinkContext,
        watch: PeerWatch,
        peers: dict[ChannelLink, NymAddress | SenderTag],
    ) -> None:
        self._context = context
        self._watch = watch
        self._peers = peers
        self._alternates: dict[DialerLink, Alternates] = {}
        self._acceptors: defaultdict[int, list[AcceptorLink]] = defaultdict(list)
        watch.unanswered = self._unanswered

    def verified(self, link: DialerLink | AcceptorLink, now: float) -> None:
        """Note a frame of a stream that verified, and was new."""
        if isinstance(link, DialerLink) and link.is_moving:
            link.machine.peer_is_alive(now)  # on the old way: where it goes nobody knows it yet
        else:
            self._watch.verified(self._peers[link], link, now)

    def hinted(self, link: DialerLink, now: float) -> None:
        """Note that an acceptor may have lost a stream: ask there, also about one that moves."""
        peer = self._address_of(link)
        if link.is_moving:
            self._watch.verified(peer, link, now)
        self._watch.hinted(peer, now)

    def removed(self, link: ChannelLink) -> None:
        """Note that a stream is over."""
        if isinstance(link, DialerLink):
            self._alternates.pop(link, None)
            return
        assert isinstance(link, AcceptorLink)
        stream_id = int(link.machine.channel_id)
        self._acceptors[stream_id].remove(link)
        if not self._acceptors[stream_id]:
            del self._acceptors[stream_id]

    def unheard(self, now: float) -> None:
        """Note that the client has no gateway now."""
        for link in self._peers:
            if isinstance(link, DialerLink) and link.mover is not None:
                link.mover.unheard(now)
                link.silence.broken(now)

    # The dialer's side.

    def _address_of(self, link: DialerLink) -> NymAddress:
        peer = self._peers[link]
        assert not isinstance(peer, SenderTag)
        return peer

    def accepted(self, link: DialerLink, place: Place, others: tuple[NymAddress, ...]) -> None:
        """Note that a stream has its keys: it can move from now on.

        Args:
            link: the stream's.
            place: where it was opened.
            others: the acceptor's other addresses.
        """
        link.mover = Mover(place, link.kept.round_trip)
        link.arrived = partial(self.verified, link)
        told = [ToldAddress.told(each, place.address) for each in others if each != place.address]
        if told:
            self._alternates[link] = Alternates([place.address, *told])
            link.unanswered = partial(self._unanswered, link)

    def _unanswered(self, link: ChannelLink, now: float) -> None:
        if isinstance(link, DialerLink) and link in self._alternates:
            for address in self._alternates[link].take_askable(now):
                self._watch.seek(address, link, partial(self._go, link), now)

    def _go(self, link: DialerLink, address: NymAddress, now: float) -> None:
        mover, before = link.mover, self._address_of(link)
        assert mover is not None
        place = Place(self._context.sender_tag_for(address), address)
        if place == mover.place:
            return
        mover.go(place, now)
        link.addresses.add(address)
        self._watch.left(before, link)
        self._peers[link] = address
        if address != before:
            link.moves += 1
            link.moved_to = address
        self._watch.note_changed(link)

    def client_moved(self, links: Iterable[ChannelLink], now: float) -> list[ChannelLink]:
        """Resume all streams that can be under the client's new tags; returns the others."""
        self._watch.client_moved()
        rest: list[ChannelLink] = []
        for link in links:
            if isinstance(link, DialerLink) and link.can_move:
                self._go(link, self._address_of(link), now)
            else:
                rest.append(link)
        return rest

    # The acceptor's side.

    def add_acceptor(self, link: AcceptorLink) -> None:
        """Note a stream that a peer has opened."""
        self._acceptors[int(link.machine.channel_id)].append(link)

    def resume(self, segment: Segment, tag: SenderTag, now: float) -> Resumed | None:
        """Take a RESUME that came under a tag; ``None``: no stream's keys verify it."""
        stream_id, frame = int(segment.channel_id), segment.payload
        links = self._acceptors.get(stream_id, [])[:MAX_TRIED]
        for link in links:
            resume = self._open(link.sealer, frame, tag)
            if resume is not None:
                is_new = link.resumed(resume, tag, now) is Bound.MOVED
                if is_new:
                    self._watch.left(self._peers[link], link)
                    self._peers[link] = tag
                    self.verified(link, now)
                return Resumed(link.opened_by, is_new)
        for words in self._watch.ended(stream_id, now)[: MAX_TRIED - len(links)]:
            sealer = words.sealer()
            resume = self._open(sealer, frame, tag)
            if resume is not None:
                answer = words.resumed(sealer, resume.ack.counter)
                return Resumed(words.tag, False, answer, words)
        return None

    def _open(self, sealer: Sealer | None, frame: bytes, tag: SenderTag) -> Resume | None:
        if not isinstance(sealer, AcceptorSealer):
            return None
        try:
            return sealer.open_resume(frame, tag, self._context.address_for(tag))
        except ChannelFormatError:
            return None
