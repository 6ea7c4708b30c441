"""All channels of one client without I/O: which message belongs where, and what opens a channel.

A channel that a peer opened is known by (protocol, sender tag, id), one that we opened by
(protocol, id) and the absence of a tag: nobody can speak for another peer, and two dialers may use
the same id. Rust 1.21.6 looks at the id alone, in both directions.
"""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING

from nymproxy.channel.aliases import Aliases
from nymproxy.channel.failures import ChannelFault
from nymproxy.channel.limits import TableLimits
from nymproxy.channel.link import Admission, ChannelLink, LinkContext, Stray
from nymproxy.channel.listening import Listener, Unclaimed
from nymproxy.channel.machine import ChannelMachine
from nymproxy.channel.orphans import Orphans
from nymproxy.channel.segment import NUMBERED_KINDS, ChannelKey, Segment, SegmentKind
from nymproxy.channel.stray_answers import StrayAnswers
from nymproxy.errors import ChannelFormatError, ListenerAlreadyTaken, ResetCode

if TYPE_CHECKING:
    from collections import Counter, deque
    from collections.abc import Sequence

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.mixnet.randomness import RandomBytes

logger = logging.getLogger("nymproxy.channel")


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
        self._unclaimed = Unclaimed(self._limits)
        self.orphans: Orphans[ChannelKey] = Orphans(self._limits.orphans)
        self._answers = StrayAnswers(self._protocols, self._linkers, self._limits, random_bytes)
        self.channels: dict[ChannelKey, ChannelMachine] = {}
        self.links: dict[ChannelKey, ChannelLink] = {}
        self._given_up: list[ChannelLink] = []
        self._aliases = Aliases()

    @property
    def counters(self) -> Counter[str]:
        """Messages that were dropped, and channels that were refused, by reason."""
        return self._answers.counters

    @property
    def strays(self) -> deque[Stray]:
        """What is to be sent outside of any channel."""
        return self._answers.waiting

    @property
    def early_bytes(self) -> int:
        """Payload bytes that are kept for channels which are not open yet."""
        return self.orphans.total_bytes + self._unclaimed.total_bytes

    def drop_early(self) -> None:
        """Forget them: there is no memory for them."""
        self.orphans.clear()
        self._unclaimed.clear()

    # Opening and accepting.

    def open(
        self, protocol: ChannelProtocol, to: NymAddress, now: float
    ) -> tuple[ChannelKey, ChannelMachine]:
        """Make a channel to an address."""
        while True:
            channel_id = protocol.new_channel_id(self._random_bytes)
            key = ChannelKey(protocol.codec.name, None, channel_id)
            if key not in self.channels and self._answers.tombstones.get(key, now) is None:
                break
        traits = protocol.dial(channel_id, to)
        machine = ChannelMachine(channel_id, traits, is_dialer=True, now=now)
        self.channels[key] = machine
        link = self.links[key] = self._linkers[key.protocol].dial(machine, to, now)
        link.addresses.add(to)
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
        for key, segment in self._unclaimed.take_late(now):
            self._refuse(key, segment, now, "unclaimed")
        for key, segment in self._unclaimed.take(name):
            try:
                self._opened_by_peer(key, segment, now)
            except Exception as error:  # as in message_received: it is not the listener's fault
                logger.warning("An opening that waited made nymproxy fail", exc_info=error)
                self._refuse(key, segment, now, "fault")
        return listener

    def close_listener(self, listener: Listener, now: float) -> list[ChannelKey]:
        """Refuse from now on; returns the waiting channels, which were aborted."""
        refused = [key for key in listener.close() if key in self.channels]
        for key in refused:
            self.channels[key].abort(ResetCode.REFUSED, "nobody accepts")
        return refused

    def accept(self, listener: Listener) -> ChannelKey | None:
        """Return the next waiting channel; those that the peer took back are passed over."""
        while listener.waiting:
            key = listener.waiting.popleft()
            machine = self.channels.get(key)
            if machine is not None and not machine.was_reset_by_peer:
                machine.accepted()
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
            if (listener := self._listeners.get(key.protocol)) is not None:
                listener.unconfirmed.pop(key, None)
            self._linkers[key.protocol].removed(link)
            answers = not (machine.inbound.has_ended or machine.was_reset_by_peer)
            words = link.last_words()
            for each in (key, *self._aliases.remove(key)):
                self._answers.tombstones.add(
                    each, peer, now, answers=answers, words=words, is_held=is_held and each == key
                )
            if machine.error is None and machine.inbound.has_dropped_payload:
                self._answers.answer_dropped(key, peer, machine, now)

    def say_farewell(self) -> None:
        """Tell peers that may wait for an answer that there will be none: the client leaves."""
        self._answers.say_farewell()

    def release(self, key: ChannelKey, now: float) -> None:
        """Note that the application has let go of a channel that was over before."""
        self._answers.tombstones.release(key, now)

    # Receiving.

    def message_received(
        self,
        payload: bytes,
        tag: SenderTag | None,
        now: float,
        *,
        given_to: NymAddress | None = None,
    ) -> ChannelKey | None:
        """Route one message; returns the channel that it changed, or made. A reply came through
        SURBs that were ``given_to`` somebody, and is for channels with him alone: two peers that
        work together could learn else, from what we do, that they know the same client.

        Raises:
            ChannelFault: it made something fail that should not; all other channels are as before.
        """
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
        key = ChannelKey(protocol.codec.name, tag, segment.channel_id)
        known = self.links.get(key) or self._answers.tombstones.get(key, now)
        if given_to is not None and known is not None and given_to not in known.addresses:
            self._drop("another-peers-surb")
            return None
        try:
            return self._segment_received(key, protocol, segment, now, given_to)
        except Exception as error:  # whatever a stranger finds: it must end his channel alone
            raise ChannelFault(key) from error

    def _segment_received(
        self,
        key: ChannelKey,
        protocol: ChannelProtocol,
        segment: Segment,
        now: float,
        given_to: NymAddress | None = None,
    ) -> ChannelKey | None:
        tag = key.tag
        if segment.kind is SegmentKind.LIVENESS:
            self._linkers[key.protocol].peer_segment_received(segment, tag, given_to, now)
            self._collect(now)
            return None
        if segment.kind is SegmentKind.RESUME:
            return self._resume(key, segment, now)
        key = self._aliases.key_of(key)
        link = self.links.get(key)
        if link is not None:
            if segment.kind is SegmentKind.OPEN:
                self._drop("duplicate-open")
            else:
                link.segment_received(segment, now)
                self._confirm(key)
                self._check_backlog(key, link.machine)
            return key
        if tag is None or self._answers.tombstones.covers(key, now):
            self._answers.drop_unknown(key, segment, now)
            return None
        if protocol.opens(segment):
            return self._admit(key, segment, tag, now)
        if protocol.asks(segment):
            self._answers.deny(key, segment, now)
            return None
        if segment.kind in NUMBERED_KINDS or segment.kind is SegmentKind.PROTECTED:
            if not self.orphans.add(key, segment, now):
                self._drop("orphan")
        else:
            self._drop("control-without-channel")
            if segment.kind is SegmentKind.RESET:  # it has overtaken what would open the channel
                self.orphans.remove(key)
                self._answers.tombstones.add(key, tag, now, answers=False)
        return None

    def _resume(self, key: ChannelKey, segment: Segment, now: float) -> ChannelKey | None:
        """Take a RESUME: from then on messages under its tag are the channel's."""
        if key.tag is None:
            self._drop("unverified")
            return None
        resumed = self._linkers[key.protocol].resume(segment, key.tag, now)
        if resumed is None:
            self._answers.unknown(key, segment)
            return None
        if resumed.answer is not None:
            words = resumed.words
            self._answers.tombstones.add(key, key.tag, now, answers=False, words=words)
            self._answers.send(Stray(key.tag, resumed.answer))
            return None
        original = key._replace(tag=resumed.opened_by)
        if resumed.is_new and key not in self.links:
            self._aliases.add(key, original)
            for orphan in self.orphans.take(key, now):
                self.links[original].segment_received(orphan, now)
        self._confirm(original)  # nobody but a dialer that is there now can make a RESUME
        return original

    def may_move(self, overdue_seconds: float) -> bool:
        """Tell whether another client may be in the place of ours; see
        :meth:`ChannelLink.may_lose_client`."""
        return all(link.may_lose_client(overdue_seconds) for link in self.links.values())

    def client_moved(self, now: float) -> None:
        """Note that our client is another one now, with other tags."""
        for name, linker in self._linkers.items():
            links = [link for key, link in self.links.items() if key.protocol == name]
            linker.client_moved(links, now)

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
        if key not in self._unclaimed:
            if not self._unclaimed.hold(key, segment, now):
                self._refuse(key, segment, now, "unclaimed")
        elif not self._unclaimed.supersede(key, segment):
            if not segment.is_numbered:
                self._drop("duplicate-open")
            elif not self.orphans.add(key, segment, now):
                self._drop("orphan")
        return None

    def _opened_by_peer(self, key: ChannelKey, segment: Segment, now: float) -> ChannelKey | None:
        listener = self._listeners[key.protocol]
        refusal = listener.reason_to_refuse
        if refusal is None and len(self.channels) >= self._limits.channels:
            refusal = "too-many-channels"
        if refusal is not None:
            self._refuse(key, segment, now, refusal)
            return None
        traits = listener.protocol.answer(segment)
        assert key.tag is not None
        machine = ChannelMachine(key.channel_id, traits, is_dialer=False, now=now)
        machine.attach_listener()
        machine.awaits_accept = True
        link = self._linkers[key.protocol].accept(machine, segment, key.tag, now)
        for orphan in self.orphans.take(key, now):
            link.segment_received(orphan, now)
        self.channels[key] = machine
        self.links[key] = link
        listener.unconfirmed[key] = None
        self._confirm(key)
        if len(listener.unconfirmed) > self._limits.unconfirmed:
            self._give_up(next(iter(listener.unconfirmed)))
        return key

    def _give_up(self, key: ChannelKey) -> None:
        """Make room for another channel whose dialer is about to show that it is there."""
        del self._listeners[key.protocol].unconfirmed[key]
        self._drop("unconfirmed")
        self.channels[key].abort(ResetCode.REFUSED, "the dialer has not shown that it is there")
        self._given_up.append(self.links[key])

    def _confirm(self, key: ChannelKey) -> None:
        """Show a channel to its listener as soon as it may be shown."""
        listener = self._listeners.get(key.protocol)
        if listener is None or key not in listener.unconfirmed or not self.links[key].is_acceptable:
            return
        if not listener.show(key):
            self.channels[key].abort(ResetCode.REFUSED, "nobody accepts")

    def _check_backlog(self, key: ChannelKey, machine: ChannelMachine) -> None:
        """Abort an unaccepted channel when all of them together hold too much."""
        listener = self._listeners.get(key.protocol)
        if listener is None or not listener.waiting or key not in listener.waiting:
            return
        if listener.waiting_bytes(self.channels) > self._limits.backlog_bytes:
            self._drop("backlog-bytes")
            machine.abort(ResetCode.REFUSED, "too much data before the channel was accepted")

    def _refuse(self, key: ChannelKey, segment: Segment, now: float, reason: str) -> None:
        self.orphans.remove(key)
        self._answers.refuse(key, segment, now, reason)

    def _drop(self, reason: str) -> None:
        self._answers.drop(reason)

    # Time.

    def next_deadline(self, now: float) -> float:
        """Return when :meth:`tick` is due."""
        due = min(linker.next_deadline(now) for linker in self._linkers.values())
        return min(due, self._unclaimed.next_deadline)

    def tick(self, now: float) -> None:
        """Refuse what nobody has claimed in time; ask peers, and end the channels of dead ones."""
        for key, segment in self._unclaimed.take_late(now):
            self._refuse(key, segment, now, "unclaimed")
        self.orphans.expire(now)
        for linker in self._linkers.values():
            linker.tick(now)
        self._collect(now)

    def _collect(self, now: float) -> None:
        for linker in self._linkers.values():
            for stray in linker.take_strays(now):
                self._answers.send(stray)

    def take_changed(self) -> list[ChannelLink]:
        """Return the links that changed, but not by a message of theirs."""
        given_up, self._given_up = self._given_up, []
        changed = (linker.take_changed() for linker in self._linkers.values())
        return [*given_up, *chain.from_iterable(changed)]
