"""Who is there: the peers of all sealed streams of one client, asked and answered.

Its times are of the client's clock; inside, the machines of :mod:`nymproxy.stream.nx2.liveness`
count connected time.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, TypeAlias

from nymproxy._timers import TimerQueue
from nymproxy.address import NymAddress
from nymproxy.channel.link import ChannelLink, LinkContext, Stray
from nymproxy.errors import ChannelFormatError, ResetCode, StreamPeerLost
from nymproxy.stream.codec import TYPE_OFFSET, MessageType
from nymproxy.stream.nx2.after_end import EndedStream
from nymproxy.stream.nx2.ended import EndedStreams
from nymproxy.stream.nx2.link import OPENING_SECONDS
from nymproxy.stream.nx2.liveness import (
    Answerer,
    Asker,
    ConnectedClock,
    Missing,
    read_ask,
    write_alive,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import SenderTag
    from nymproxy.stream.nx2.link import SealedLink

ASK_SURBS = 3
MAX_STRAYS = 256
MAX_RETIRED = 256
"""Acceptors with which there is no stream now, whose ASKs go on to be numbered from the last."""
WAITED_SECONDS = tuple(5.0 * count for count in range(1, int(OPENING_SECONDS / 5) + 1))
"""More than matter: a process that is stopped between two of them has waited no longer."""
LOOK_SECONDS = 10.0
"""While there are streams: whether there is a gateway is seen when it is looked at."""
_GRAIN_SECONDS = 0.001
_OFFLINE_GRAIN_SECONDS = 1.0

Peer: TypeAlias = "NymAddress | SenderTag"
Found: TypeAlias = "Callable[[NymAddress, float], None]"


class _Waiting:
    """Tells a link that has begun how long ago that is."""

    def __init__(self, tell: Callable[[float, float], bool], begun_at: float) -> None:
        self._tell = tell
        self._begun_at = begun_at
        self._left = deque(WAITED_SECONDS)

    @property
    def due_at(self) -> float:
        return self._begun_at + self._left[0] if self._left else math.inf

    def tell(self, connected: float, now: float) -> None:
        while self.due_at <= connected:
            if not self._tell(self._left.popleft(), now):
                self._left.clear()


class PeerWatch:
    """Asks acceptors and answers dialers, and ends the streams of those that are gone.

    Args:
        context: of the client.
    """

    def __init__(self, context: LinkContext) -> None:
        self._context = context
        self._clock: ConnectedClock | None = None
        self._askers: dict[NymAddress, Asker] = {}
        self._retired: OrderedDict[NymAddress, Asker] = OrderedDict()
        self._answerers: dict[SenderTag, Answerer] = {}
        self._links: defaultdict[Peer, dict[int, ChannelLink]] = defaultdict(dict)
        self._ended = EndedStreams()
        self._strays: deque[Stray] = deque()
        self._changed: list[ChannelLink] = []
        self._waiting: dict[ChannelLink, _Waiting] = {}
        self.unanswered: Callable[[ChannelLink, float], None] = lambda link, now: None
        """Called for each stream of an acceptor that answers no question."""
        self._seekers: defaultdict[NymAddress, dict[ChannelLink, Found]] = defaultdict(dict)
        self._sought: defaultdict[ChannelLink, set[NymAddress]] = defaultdict(set)
        # In connected time. What is heard only moves a deadline away: it is looked at then.
        self._asks: TimerQueue[NymAddress] = TimerQueue()
        self._deaths: TimerQueue[Peer] = TimerQueue()
        self._waits: TimerQueue[ChannelLink] = TimerQueue()

    # Streams.

    def verified(self, peer: Peer, link: ChannelLink, now: float) -> None:
        """Note a frame of a stream that verified, and was new."""
        connected = self._connected(now)
        stream_id = int(link.machine.channel_id)
        is_first = stream_id not in self._links[peer]
        self._links[peer][stream_id] = link
        link.machine.peer_is_alive(now)
        if isinstance(peer, NymAddress):
            asker = self._asker(peer, connected)
            asker.heard(connected)
            if is_first:
                asker.add_stream(stream_id, connected)
                self._schedule(peer, asker)
            return
        if peer not in self._answerers:
            self._answerers[peer] = Answerer(connected)
        answerer = self._answerers[peer]
        answerer.heard(connected, stream_id)
        if is_first:  # of a peer that was taken for dead a moment ago, too
            self._deaths.schedule(peer, answerer.dead_at)

    def awaits(self, link: SealedLink, now: float) -> None:
        """Tell a link how long it has waited for its peer, until it is over."""
        waiting = self._waiting[link] = _Waiting(link.waited, self._connected(now))
        self._waits.schedule(link, waiting.due_at)

    def wants(self, peer: NymAddress, ask_seconds: int, now: float) -> None:
        """Note how often an acceptor wants to be asked."""
        self._asker(peer, self._connected(now)).wants(ask_seconds)

    def hinted(self, peer: NymAddress, now: float) -> None:
        """Note that an acceptor may have lost a stream."""
        asker = self._askers.get(peer)
        if asker is not None:
            asker.ask_now(self._connected(now))
            self._schedule(peer, asker)

    def removed(self, peer: Peer, link: ChannelLink) -> None:
        """Note that a stream is over."""
        self._waiting.pop(link, None)
        self._waits.cancel(link)
        self._sought_no_more(link)
        was_there = self.left(peer, link)
        if isinstance(peer, NymAddress):
            self._retire(peer)  # one that only refused had no stream to be left
        elif was_there and not link.machine.error:
            words = link.last_words()
            assert isinstance(words, EndedStream)  # frames of it have verified
            self._ended.add(words, peer, self._clock_at(0.0).seconds)

    def ended(self, stream_id: int, now: float) -> list[EndedStream]:
        """Return what is left of streams with an id that a dialer had opened, and that have ended
        in order."""
        self._ended.expire(self._connected(now))
        return self._ended.of(stream_id)

    def left(self, peer: Peer, link: ChannelLink) -> bool:
        """Note that a stream is not with a peer any more; False: it was not."""
        stream_id = int(link.machine.channel_id)
        links = self._links.get(peer)
        if links is None or links.pop(stream_id, None) is None:
            return False
        if isinstance(peer, NymAddress):
            asker = self._askers[peer]
            asker.remove_stream(stream_id)
            if not links and peer in self._seekers:  # whose questions ended with the streams'
                asker.search(self._clock_at(0.0).seconds)
                self._asks.schedule(peer, asker.ask_at)
        if not links:
            del self._links[peer]
            self._deaths.cancel(peer)
            if isinstance(peer, NymAddress):
                self._retire(peer)
            else:
                self._answerers.pop(peer, None)
        return True

    def seek(self, peer: NymAddress, link: ChannelLink, found: Found, now: float) -> None:
        """Ask whether an acceptor is there, for a stream that may go on with it.

        Args:
            peer: one of the acceptor's addresses.
            link: the stream's.
            found: called with the address if it answers; then nobody is asked any more.
            now: the time.
        """
        connected = self._connected(now)
        self._seekers[peer][link] = found
        self._sought[link].add(peer)
        asker = self._asker(peer, connected)
        asker.search(connected)
        self._schedule(peer, asker)

    def _sought_no_more(self, link: ChannelLink) -> None:
        for peer in self._sought.pop(link, ()):
            seekers = self._seekers.get(peer, {})
            seekers.pop(link, None)
            if not seekers:
                self._seekers.pop(peer, None)
                self._retire(peer)

    def client_moved(self) -> None:
        """Note that acceptors know us by other tags from now on."""
        self._retired.clear()
        for peer, asker in self._askers.items():
            asker.moved(self._context.sender_tag_for(peer))

    def _asker(self, peer: NymAddress, connected: float) -> Asker:
        asker = self._askers.get(peer)
        if asker is None:
            asker = self._retired.pop(peer, None) or Asker(
                self._context.sender_tag_for(peer), peer, self._context.random_bytes, connected
            )
            self._askers[peer] = asker
        return asker

    def _schedule(self, peer: NymAddress, asker: Asker) -> None:
        self._asks.schedule(peer, asker.ask_at)
        self._deaths.schedule(peer, asker.dead_at)

    def _retire(self, peer: NymAddress) -> None:
        """Forget whom nobody needs any more: an acceptor names addresses as it likes. An acceptor
        that may still have a stream of ours would take ASKs with low numbers for copies."""
        if peer in self._links or peer in self._seekers:
            return
        self._asks.cancel(peer)
        asker = self._askers.pop(peer, None)
        if asker is not None and asker.has_had_streams:
            self._retired[peer] = asker
            if len(self._retired) > MAX_RETIRED:
                self._retired.popitem(last=False)

    # Frames.

    def frame_received(
        self, frame: bytes, tag: SenderTag | None, given_to: NymAddress | None, now: float
    ) -> None:
        """Take an ASK or ALIVE; it came through reply SURBs that ``given_to`` has.

        Raises:
            ChannelFormatError: it is not to be taken.
        """
        if tag is not None and frame[TYPE_OFFSET] == MessageType.ASK:
            self._asked(frame, tag, now)
        elif tag is None and frame[TYPE_OFFSET] == MessageType.ALIVE:
            self._answered(frame, given_to, now)
        else:
            raise ChannelFormatError("a question or an answer from the wrong side")

    def _asked(self, frame: bytes, tag: SenderTag, now: float) -> None:
        address = self._context.address_for(tag)
        ask = read_ask(frame, tag, address)
        connected = self._connected(now)
        answerer = self._answerers.get(tag) or Answerer(connected)
        if not answerer.take_ask(ask, connected) or len(self._strays) >= MAX_STRAYS:
            return
        links = self._links.get(tag, {})
        missing = answerer.take_missing(ask, links, connected)
        for stream_id, link in links.items():
            if stream_id not in missing:
                link.machine.peer_is_alive(now)
            elif missing[stream_id] is Missing.GONE:
                self._end(link, "the peer has lost the stream")
            elif link.doubted():
                self._changed.append(link)
        self._ended.expire(connected)
        has = tuple(
            stream_id in links or self._ended.has(tag, stream_id) for stream_id in ask.stream_ids
        )
        self._strays.append(Stray(tag, write_alive(ask, has, tag, address)))

    def _answered(self, frame: bytes, given_to: NymAddress | None, now: float) -> None:
        connected = self._connected(now)
        for peer, asker in self._askers.items():
            if given_to not in (None, peer):
                continue
            try:
                lost = asker.take_alive(frame, connected)
            except ChannelFormatError:
                continue
            links = self._links.get(peer, {})
            for stream_id, link in links.items():
                if stream_id in lost:
                    self._end(link, "the peer has lost the stream: it was restarted")
                else:
                    link.machine.peer_is_alive(now)
            for link, found in list(self._seekers.get(peer, {}).items()):
                self._sought_no_more(link)
                found(peer, now)
            return
        raise ChannelFormatError("an ALIVE that answers no question of ours")

    def _end(self, link: ChannelLink, why: str) -> None:
        link.machine.fail(StreamPeerLost(why), ResetCode.IDLE_TIMEOUT)
        self._changed.append(link)

    # Out.

    def take_strays(self, now: float) -> list[Stray]:
        """Return questions and answers that are due."""
        connected = self._connected(now)
        strays = list(self._strays)
        self._strays.clear()
        silent: list[ChannelLink] = []
        for peer in self._asks.pop_due(connected):
            asker = self._askers[peer]
            ask = asker.take_due(connected)
            if ask is not None:
                strays.append(Stray(peer, ask, ASK_SURBS))
                silent += self._links.get(peer, {}).values() if asker.is_unanswered else ()
            self._asks.schedule(peer, asker.ask_at)
        for link in silent:
            self.unanswered(link, now)
        return strays

    def note_changed(self, link: ChannelLink) -> None:
        """Have a link looked at: it has changed by what concerns its peer."""
        self._changed.append(link)

    def take_changed(self) -> list[ChannelLink]:
        """Return the links that were ended."""
        changed, self._changed = self._changed, []
        return changed

    # Time.

    def next_deadline(self, now: float) -> float:
        """Return when :meth:`tick` is due."""
        connected = self._connected(now)
        # A little later than due, so that rounding cannot make it due and yet not reached.
        grain = _GRAIN_SECONDS if self._context.is_connected() else _OFFLINE_GRAIN_SECONDS
        queues = (self._asks, self._deaths, self._waits)
        due_at = min(each.next_deadline for each in queues)
        if self._links:
            due_at = min(due_at, connected + LOOK_SECONDS)
        wakes_at = now + max(0.0, due_at - connected) + grain
        self._clock_at(now).announce(wakes_at)
        return wakes_at

    def tick(self, now: float) -> None:
        """End the streams of peers that are dead, and of those that never answered."""
        connected = self._connected(now)
        for link in self._waits.pop_due(connected):
            waiting = self._waiting[link]
            waiting.tell(connected, now)
            self._changed.append(link)
            self._waits.schedule(link, waiting.due_at)
        for peer in self._deaths.pop_due(connected):
            other = self._askers[peer] if isinstance(peer, NymAddress) else self._answerers[peer]
            if other.dead_at > connected:
                self._deaths.schedule(peer, other.dead_at)
                continue
            for link in self._links[peer].values():
                if link.machine.error is None:
                    self._end(link, "the peer does not answer any more")

    def _connected(self, now: float) -> float:
        clock = self._clock_at(now)
        clock.connection_changed(now, is_connected=self._context.is_connected())
        return clock.seconds

    def _clock_at(self, now: float) -> ConnectedClock:
        if self._clock is None:
            self._clock = ConnectedClock(now)
        return self._clock
