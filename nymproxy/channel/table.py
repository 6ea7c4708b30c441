"""All channels of one client without I/O: which message belongs where, and what opens a channel.

A channel that a peer opened is known by (protocol, sender tag, id), one that we opened by
(protocol, id) and the absence of a tag: nobody can speak for another peer, and two dialers may use
the same id. Rust 1.21.6 looks at the id alone, in both directions.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

from nymproxy.channel.limits import TableLimits
from nymproxy.channel.link import Admission, ChannelLink, LinkContext, Stray
from nymproxy.channel.machine import ChannelMachine
from nymproxy.channel.orphans import Orphans
from nymproxy.channel.segment import NUMBERED_KINDS, ChannelId, Segment, SegmentKind
from nymproxy.channel.spent_ids import SpentIds
from nymproxy.channel.tombstones import Tombstones
from nymproxy.errors import ChannelFormatError, ListenerAlreadyTaken, ResetCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.protocol import ChannelProtocol, PeerTraits
    from nymproxy.mixnet.randomness import RandomBytes

logger = logging.getLogger("nymproxy.channel")

_OPENING_KINDS = frozenset({SegmentKind.OPEN, SegmentKind.OFFER})
_ANSWERED_KINDS = frozenset({SegmentKind.DATA, SegmentKind.PROBE})
"""What a peer sends only while it takes the channel for alive."""


class ChannelKey(NamedTuple):
    """What a message must match to belong to a channel."""

    protocol: str
    tag: SenderTag | None
    channel_id: ChannelId

    def to_bytes(self) -> bytes:
        """Return all of it, unlike its text."""
        tag = b"" if self.tag is None else self.tag.value
        return b"%b/%b/%d" % (self.protocol.encode(), tag, self.channel_id)


class ChannelFault(Exception):
    """A machine failed in a way that it should not.

    Attributes:
        key: of the channel.
    """

    def __init__(self, key: ChannelKey) -> None:
        super().__init__("a channel's machine failed")
        self.key = key


class Listener:
    """Channels of one protocol that wait to be accepted."""

    def __init__(self, protocol: ChannelProtocol, backlog: int) -> None:
        self.protocol = protocol
        self.backlog = backlog
        self.waiting: deque[ChannelKey] = deque()
        self.is_closed = False


class ChannelTable:
    """Routes messages to channel machines, and makes machines for those that peers open.

    Args:
        protocols: one for each codec, in the order in which they are asked.
        limits: the bounds.
        random_bytes: for the ids of channels that we open.
        context: what links need of the client; without it all are plain.
    """

    def __init__(
        self,
        protocols: Sequence[ChannelProtocol],
        *,
        random_bytes: RandomBytes,
        limits: TableLimits | None = None,
        context: LinkContext | None = None,
    ) -> None:
        self._protocols = {protocol.codec.name: protocol for protocol in protocols}
        self._linkers = {protocol.codec.name: protocol.linker(context) for protocol in protocols}
        self._limits = limits or TableLimits()
        self._random_bytes = random_bytes
        self._listeners: dict[str, Listener] = {}
        self._unclaimed: OrderedDict[ChannelKey, tuple[Segment, float]] = OrderedDict()
        self.orphans: Orphans[ChannelKey] = Orphans(self._limits.orphans)
        self._tombstones: Tombstones[ChannelKey] = Tombstones(
            lifetime=self._limits.tombstone_seconds,
            limit=self._limits.tombstones,
            spent=SpentIds(random_bytes),
            identify=ChannelKey.to_bytes,
        )
        self.channels: dict[ChannelKey, ChannelMachine] = {}
        self.links: dict[ChannelKey, ChannelLink] = {}
        self._unconfirmed: set[ChannelKey] = set()  # not acceptable yet
        self.strays: deque[Stray] = deque()
        self.counters: Counter[str] = Counter()
        """Messages that were dropped, and channels that were refused, by reason."""

    # Opening and accepting.

    def open(
        self, protocol: ChannelProtocol, to: NymAddress, now: float
    ) -> tuple[ChannelKey, ChannelMachine]:
        """Make a channel to an address."""
        while True:
            channel_id = protocol.new_channel_id(self._random_bytes)
            key = ChannelKey(protocol.codec.name, None, channel_id)
            if key not in self.channels and self._tombstones.get(key, now) is None:
                break
        traits = protocol.dial(channel_id, to)
        machine = ChannelMachine(channel_id, traits, is_dialer=True, now=now)
        self.channels[key] = machine
        self.links[key] = self._linkers[key.protocol].dial(machine, to, now)
        return key, machine

    def listen(self, protocol: ChannelProtocol, backlog: int, now: float) -> Listener:
        """Accept channels of a protocol from now on, and those that are unclaimed.

        Raises:
            ListenerAlreadyTaken: there is, or was, a listener for it.
        """
        name = protocol.codec.name
        if name in self._listeners:
            raise ListenerAlreadyTaken(f"there is a listener for {name} channels already")
        listener = self._listeners[name] = Listener(protocol, backlog)
        for key in [key for key in self._unclaimed if key.protocol == name]:
            segment, since = self._unclaimed.pop(key)
            if now - since < self._limits.unclaimed_seconds:
                self._opened_by_peer(key, segment, now)
            else:
                self._refuse(key, segment, now, "unclaimed")
        return listener

    def close_listener(self, listener: Listener, now: float) -> list[ChannelKey]:
        """Refuse from now on; returns the waiting channels, which were aborted."""
        listener.is_closed = True
        refused = [key for key in listener.waiting if key in self.channels]
        listener.waiting.clear()
        for key in refused:
            self.channels[key].abort(ResetCode.REFUSED, "nobody accepts")
        return refused

    def accept(self, listener: Listener) -> ChannelKey | None:
        """Return the next waiting channel; those that the peer took back are passed over."""
        while listener.waiting:
            key = listener.waiting.popleft()
            machine = self.channels.get(key)
            if machine is not None and not machine.was_reset_by_peer:
                return key
            self.counters["reset-before-accept"] += 1
        return None

    def remove(
        self, key: ChannelKey, peer: NymAddress | SenderTag, now: float, *, is_held: bool = False
    ) -> None:
        """Forget a channel that is over, but for its tombstone; ``is_held``: an application has it
        still, until :meth:`release`."""
        machine = self.channels.pop(key, None)
        if machine is not None:
            link = self.links.pop(key)
            self._unconfirmed.discard(key)
            self._linkers[key.protocol].removed(link)
            answers = not (machine.inbound.has_ended or machine.was_reset_by_peer)
            self._tombstones.add(
                key, peer, now, answers=answers, words=link.last_words(), is_held=is_held
            )
            if machine.error is None and machine.inbound.has_dropped_payload:
                self._answer_dropped(key, peer, machine, now)

    def release(self, key: ChannelKey, now: float) -> None:
        """Note that the application has let go of a channel that was over before."""
        self._tombstones.release(key, now)

    # Receiving.

    def message_received(
        self, payload: bytes, tag: SenderTag | None, now: float
    ) -> ChannelKey | None:
        """Route one message; returns the channel that it changed, or made."""
        protocol = next(
            (each for each in self._protocols.values() if each.codec.matches(payload)), None
        )
        if protocol is None:
            self._drop("other-protocol")
            return None
        try:
            segment = protocol.codec.decode(payload)
        except ChannelFormatError as error:
            logger.debug("dropped a malformed %s message: %s", protocol.codec.name, error)
            self._drop("malformed")
            return None
        return self._segment_received(protocol, segment, tag, now)

    def _segment_received(
        self, protocol: ChannelProtocol, segment: Segment, tag: SenderTag | None, now: float
    ) -> ChannelKey | None:
        key = ChannelKey(protocol.codec.name, tag, segment.channel_id)
        link = self.links.get(key)
        if segment.kind is SegmentKind.LIVENESS:
            self._linkers[key.protocol].peer_segment_received(segment, tag, now)
            self._collect(now)
            return None
        if link is not None:
            if segment.kind is SegmentKind.OPEN:
                self._drop("duplicate-open")
            else:
                try:
                    link.segment_received(segment, now)
                except Exception as error:
                    raise ChannelFault(key) from error
                self._confirm(key)
                self._check_backlog(key, link.machine)
            return key
        if tag is None:
            self._drop_unknown(key, protocol, segment, now)
            return None
        if self._tombstones.covers(key, now):
            self._drop_unknown(key, protocol, segment, now)
            return None
        if segment.kind in _OPENING_KINDS or (
            not protocol.opens_explicitly and segment.kind in NUMBERED_KINDS
        ):
            return self._admit(key, segment, tag, now)
        if segment.kind in NUMBERED_KINDS or segment.kind is SegmentKind.PROTECTED:
            if not self.orphans.add(key, segment, now):
                self._drop("orphan")
        else:
            self._drop("control-without-channel")
            if segment.kind is SegmentKind.RESET:  # it has overtaken what would open the channel
                self.orphans.remove(key)
                self._tombstones.add(key, tag, now, answers=False)
        return None

    def _admit(
        self, key: ChannelKey, segment: Segment, tag: SenderTag, now: float
    ) -> ChannelKey | None:
        admission = self._linkers[key.protocol].admit(segment, tag, now)
        if admission is Admission.TAKE:
            return self._open_or_hold(key, segment, now)
        if admission is Admission.REFUSE:
            self._refuse(key, segment, now, "stale")
        else:
            self._drop("unverified")
        return None

    def _open_or_hold(self, key: ChannelKey, segment: Segment, now: float) -> ChannelKey | None:
        listener = self._listeners.get(key.protocol)
        if listener is not None:
            return self._opened_by_peer(key, segment, now)
        is_large = len(segment.payload) > self._limits.unclaimed_payload_bytes
        if key in self._unclaimed:
            waiting, since = self._unclaimed[key]
            kinds = (waiting.kind, segment.kind)
            if kinds == (SegmentKind.OPEN, SegmentKind.OFFER) and not is_large:
                self._unclaimed[key] = (segment, since)  # it opens by itself, and says more
            elif not segment.is_numbered:
                self._drop("duplicate-open")
            elif not self.orphans.add(key, segment, now):
                self._drop("orphan")
        elif len(self._unclaimed) >= self._limits.unclaimed or is_large:
            self._refuse(key, segment, now, "unclaimed")
        else:
            self._unclaimed[key] = (segment, now)
        return None

    def _opened_by_peer(self, key: ChannelKey, segment: Segment, now: float) -> ChannelKey | None:
        listener = self._listeners[key.protocol]
        refusal = self._reason_to_refuse(listener)
        if refusal is not None:
            self._refuse(key, segment, now, refusal)
            return None
        traits = listener.protocol.answer(segment)
        assert key.tag is not None
        machine = ChannelMachine(key.channel_id, traits, is_dialer=False, now=now)
        try:
            machine.attach_listener()
            link = self._linkers[key.protocol].accept(machine, segment, key.tag, now)
            for orphan in self.orphans.take(key, now):
                link.segment_received(orphan, now)
        except Exception as error:
            raise ChannelFault(key) from error
        self.channels[key] = machine
        self.links[key] = link
        self._unconfirmed.add(key)
        self._confirm(key)
        return key

    def _confirm(self, key: ChannelKey) -> None:
        """Show a channel to its listener as soon as it may be shown."""
        if key not in self._unconfirmed or not self.links[key].is_acceptable:
            return
        self._unconfirmed.discard(key)
        listener = self._listeners[key.protocol]
        if listener.is_closed:
            self.channels[key].abort(ResetCode.REFUSED, "nobody accepts")
        else:
            listener.waiting.append(key)

    def _reason_to_refuse(self, listener: Listener) -> str | None:
        if listener.is_closed:
            return "closed"
        if len(listener.waiting) + len(self._unconfirmed) >= listener.backlog:
            return "backlog-full"
        if len(self.channels) >= self._limits.channels:
            return "too-many-channels"
        return None

    def _check_backlog(self, key: ChannelKey, machine: ChannelMachine) -> None:
        """Abort an unaccepted channel when all of them together hold too much."""
        listener = self._listeners.get(key.protocol)
        if listener is None or not listener.waiting or key not in listener.waiting:
            return
        held = sum(
            self.channels[waiting].inbound.buffered_bytes
            for waiting in listener.waiting
            if waiting in self.channels
        )
        if held > self._limits.backlog_bytes:
            self._drop("backlog-bytes")
            machine.abort(ResetCode.REFUSED, "too much data before the channel was accepted")

    # Refusing and dropping.

    def _refuse(self, key: ChannelKey, segment: Segment, now: float, reason: str) -> None:
        self._drop(f"refused-{reason}")
        self.orphans.remove(key)
        assert key.tag is not None
        self._tombstones.add(key, key.tag, now, answers=False)
        answers = self._linkers[key.protocol].refuse(segment, key.tag)
        if answers is None:
            self._send_reset(key, key.tag, segment, ResetCode.REFUSED, "nobody accepts")
        else:
            self._send_all(key.tag, answers)

    def _send_all(self, to: NymAddress | SenderTag, payloads: Iterable[bytes]) -> None:
        for payload in payloads:
            self._send_stray(Stray(to, payload))

    def _drop_unknown(
        self, key: ChannelKey, protocol: ChannelProtocol, segment: Segment, now: float
    ) -> None:
        stone = self._tombstones.get(key, now)
        if stone is None:
            self._drop("unknown-channel")
            return
        self._drop("after-end")
        if stone.words is not None:
            self._send_all(stone.peer, stone.words.answer(segment, now))
            return
        if segment.kind is SegmentKind.OFFER and key.tag is not None:
            if stone.may_answer_offer(now):
                answers = self._linkers[key.protocol].refuse(segment, key.tag)
                self._send_all(key.tag, answers or ())
            return
        if (
            segment.kind in _ANSWERED_KINDS
            and segment.capabilities is not None
            and stone.may_answer(now)
        ):
            self._send_reset(key, stone.peer, segment, ResetCode.UNKNOWN_STREAM, "")

    def _send_reset(
        self,
        key: ChannelKey,
        to: NymAddress | SenderTag,
        cause: Segment,
        code: ResetCode,
        reason: str,
    ) -> None:
        """Send a RESET outside of any channel, if the sender of ``cause`` knows it."""
        traits = self._protocols[key.protocol].answer(cause)
        traits.segment_received(cause)
        self._send_stray_reset(key, to, traits, code, reason)

    def _answer_dropped(
        self, key: ChannelKey, peer: NymAddress | SenderTag, machine: ChannelMachine, now: float
    ) -> None:
        """Answer data that came after we had closed: its sender may wait for a window in vain."""
        stone = self._tombstones.get(key, now)
        if stone is not None and stone.may_answer(now):
            self._send_stray_reset(key, peer, machine.traits, ResetCode.UNKNOWN_STREAM, "")

    def _send_stray_reset(
        self,
        key: ChannelKey,
        to: NymAddress | SenderTag,
        traits: PeerTraits,
        code: ResetCode,
        reason: str,
    ) -> None:
        protocol = self._protocols[key.protocol]
        if not traits.may_send(SegmentKind.RESET):
            return
        reset = Segment(SegmentKind.RESET, key.channel_id, reset_code=code, reason=reason)
        self._send_stray(Stray(to, protocol.codec.encode(traits.stamp(reset))))

    def _send_stray(self, stray: Stray) -> None:
        if len(self.strays) >= self._limits.stray_messages:
            self._drop("stray")
        else:
            self.strays.append(stray)

    def _drop(self, reason: str) -> None:
        self.counters[reason] += 1

    # Time.

    def next_deadline(self, now: float) -> float:
        """Return when :meth:`tick` is due."""
        due = min(linker.next_deadline(now) for linker in self._linkers.values())
        return min(due, self._next_unclaimed_at)

    @property
    def _next_unclaimed_at(self) -> float:
        if not self._unclaimed:
            return math.inf
        _, since = next(iter(self._unclaimed.values()))
        return since + self._limits.unclaimed_seconds

    def tick(self, now: float) -> None:
        """Refuse what nobody has claimed in time; ask peers, and end the channels of dead ones."""
        while self._next_unclaimed_at <= now:
            key, (segment, _) = self._unclaimed.popitem(last=False)
            self._refuse(key, segment, now, "unclaimed")
        self.orphans.expire(now)
        for linker in self._linkers.values():
            linker.tick(now)
        self._collect(now)

    def _collect(self, now: float) -> None:
        for linker in self._linkers.values():
            for stray in linker.take_strays(now):
                self._send_stray(stray)

    def take_changed(self) -> list[ChannelLink]:
        """Return the links that changed by what concerns their peer, not by a message of theirs."""
        return [link for linker in self._linkers.values() for link in linker.take_changed()]
