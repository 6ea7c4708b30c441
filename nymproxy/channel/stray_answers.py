"""What a client says outside of any channel: refusals, and answers to what comes for channels that
are over.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from nymproxy.channel.link import Stray
from nymproxy.channel.segment import ChannelKey, Segment, SegmentKind
from nymproxy.channel.spent_ids import SpentIds
from nymproxy.channel.tombstones import Tombstones
from nymproxy.errors import ResetCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.limits import TableLimits
    from nymproxy.channel.link import Linker
    from nymproxy.channel.machine import ChannelMachine
    from nymproxy.channel.protocol import ChannelProtocol, PeerTraits
    from nymproxy.mixnet.randomness import RandomBytes

_ANSWERED_KINDS = frozenset({SegmentKind.DATA, SegmentKind.PROBE})
"""What a peer sends only while it takes the channel for alive."""


class StrayAnswers:
    """Says them, within bounds.

    Args:
        protocols: by name of the codec.
        linkers: of the same.
        limits: the bounds.
        random_bytes: for the filter of spent ids.
    """

    def __init__(
        self,
        protocols: Mapping[str, ChannelProtocol],
        linkers: Mapping[str, Linker],
        limits: TableLimits,
        random_bytes: RandomBytes,
    ) -> None:
        self._protocols = protocols
        self._linkers = linkers
        self._limit = limits.stray_messages
        self.tombstones: Tombstones[ChannelKey] = Tombstones(
            lifetime=limits.tombstone_seconds,
            limit=limits.tombstones,
            spent=SpentIds(random_bytes),
            identify=ChannelKey.to_bytes,
        )
        self.waiting: deque[Stray] = deque()
        """What is to be sent."""
        self.counters: Counter[str] = Counter()
        """Messages that were dropped, and channels that were refused, by reason."""

    def refuse(self, key: ChannelKey, segment: Segment, now: float, reason: str) -> None:
        """Refuse what would open a channel."""
        self.drop(f"refused-{reason}")
        assert key.tag is not None
        self.tombstones.add(key, key.tag, now, answers=False)
        answers = self._linkers[key.protocol].refuse(segment, key.tag)
        if answers is None:
            self._send_reset(key, key.tag, segment, ResetCode.REFUSED, "nobody accepts")
        else:
            self._send_all(key.tag, answers)

    def unknown(self, key: ChannelKey, segment: Segment) -> None:
        """Tell who resumes a channel that there is none."""
        self.drop("unknown-channel")
        assert key.tag is not None
        self._send_reset(key, key.tag, segment, ResetCode.UNKNOWN_STREAM, "")

    def _send_all(self, to: NymAddress | SenderTag, payloads: Iterable[bytes]) -> None:
        for payload in payloads:
            self.send(Stray(to, payload))

    def say_farewell(self) -> None:
        """Tell peers of channels that are over here, and may not be there, that we leave."""
        for to, payload in self.tombstones.farewells():
            self.send(Stray(to, payload))

    def drop_unknown(self, key: ChannelKey, segment: Segment, now: float) -> None:
        """Drop what came for no channel, and answer it if its channel is over."""
        stone = self.tombstones.get(key, now)
        if stone is None:
            self.drop("unknown-channel")
            return
        self.drop("after-end")
        if stone.words is not None:
            self._send_all(stone.peer, stone.words.answer(segment, now))
            return
        if segment.kind is SegmentKind.OFFER and key.tag is not None:
            if stone.may_answer_offer(now):
                answers = self._linkers[key.protocol].refuse(segment, key.tag)
                self._send_all(key.tag, answers or ())
            return
        knows_resets = segment.capabilities is not None
        is_asked = self._protocols[key.protocol].asks(segment)
        if segment.kind in _ANSWERED_KINDS and (knows_resets or is_asked) and stone.may_answer(now):
            self._send_reset(key, stone.peer, segment, ResetCode.UNKNOWN_STREAM, "")

    def deny(self, key: ChannelKey, segment: Segment, now: float) -> None:
        """Answer a question about a channel that was never known here."""
        assert key.tag is not None
        self.tombstones.add(key, key.tag, now, answers=True)
        self.drop_unknown(key, segment, now)

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

    def answer_dropped(
        self, key: ChannelKey, peer: NymAddress | SenderTag, machine: ChannelMachine, now: float
    ) -> None:
        """Answer data that came after we had closed: its sender may wait for a window in vain."""
        stone = self.tombstones.get(key, now)
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
        self.send(Stray(to, protocol.codec.encode(traits.stamp(reset))))

    def send(self, stray: Stray) -> None:
        """Let a message wait to be sent, if there is room."""
        if len(self.waiting) >= self._limit:
            self.drop("stray")
        else:
            self.waiting.append(stray)

    def drop(self, reason: str) -> None:
        """Count what is dropped."""
        self.counters[reason] += 1
