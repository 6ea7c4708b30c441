"""What distinguishes the stream protocol from others on a channel: peers with and without NX1.

Rust peers (nym-sdk 1.21.6 src/mixnet/stream) know Open and Data only: there, the end of a
direction is an empty Data frame, and nothing aborts. A peer that shows the capability byte gets
FIN, RESET and flow control.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nymproxy.channel.protocol import (
    AbortSignal,
    EndSignal,
    PeerMemory,
    PeerTraits,
)
from nymproxy.channel.rules import KIB, ChannelRules, OrderRules
from nymproxy.channel.segment import Capability, Segment, SegmentKind

if TYPE_CHECKING:
    from nymproxy.address import NymAddress

FULL_SUPPORT = Capability.END_SIGNALS | Capability.FLOW_CONTROL
STREAM_RULES = ChannelRules(order=OrderRules(empty_data_is_end=True, data_after_fin_is_error=True))

OPEN_SURBS = 20
"""Ten of them are kept by a Rust replier for its own requests: with 10, no reply byte could be
sent before another round trip."""
MAX_DATA_SURBS = 10
_PACKET_BYTES = 1500  # about what one reply packet carries, in whole packets

_NEEDS = {
    SegmentKind.FIN: Capability.END_SIGNALS,
    SegmentKind.RESET: Capability.END_SIGNALS,
    SegmentKind.WINDOW: Capability.FLOW_CONTROL,
    SegmentKind.PROBE: Capability.FLOW_CONTROL,
}
_SHOWS_LIVENESS = frozenset({SegmentKind.OPEN_ACK, SegmentKind.PING, SegmentKind.PONG})


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Settings of a client's streams.

    Attributes:
        rules: limits and times.
        extensions: show NX1 in every frame, and use it with peers that show it too. Off, our
            frames cannot be told from those of a Rust client.
        seals: use NX2 with peers that have it: streams are sealed and acknowledged end to end, and
            the peer is known to be there (docs/wire.md). Needs ``extensions``.
        require_sealed: dial nobody without NX2, also where nothing is known of the address.
        compat_eof: end a direction with an empty Data frame towards peers without NX1.
        announce_liveness: answer the Open of a peer without NX1 with OpenAck (costs a reply SURB).
            Clients of nym-sdk 1.21.6, the latest that is published, drop it unread; it is for
            those after it, which may wait for an answer to their Open.
        max_frame_bytes: largest payload of one frame.
        open_surbs: reply SURBs with an Open.
        max_data_surbs: at most so many with a Data frame; what the peer has used is replaced.
    """

    rules: ChannelRules = STREAM_RULES
    extensions: bool = True
    seals: bool = True
    require_sealed: bool = False
    compat_eof: bool = True
    announce_liveness: bool = True
    max_frame_bytes: int = 32 * KIB
    open_surbs: int = OPEN_SURBS
    max_data_surbs: int = MAX_DATA_SURBS


class StreamTraits(PeerTraits):
    """What one stream knows of its peer.

    Args:
        options: our settings.
        peer: the address that we dialed; ``None`` on the accepting side.
        memory: where verdicts about addresses are kept.
    """

    def __init__(self, options: StreamOptions, peer: NymAddress | None, memory: PeerMemory) -> None:
        super().__init__(options.rules)
        self._options = options
        self._own = FULL_SUPPORT if options.extensions else None
        if self._own is not None and options.seals:
            self._own |= Capability.NX2
        self._peer = peer
        self._memory = memory
        self._shown: Capability | None = None
        self.is_negotiated = False
        """True once the peer has shown the extension on this stream."""
        self.capabilities = Capability.NONE
        """What both sides understand, as far as shown."""
        self._assumed_plain = self._own is None or (
            peer is not None and memory.recall(peer) == Capability.NONE
        )
        self._liveness = False
        self._surbs_used = 0

    # Learning.

    def segment_received(self, segment: Segment) -> None:
        """Learn the peer's capabilities, and what its answer cost in SURBs."""
        self._surbs_used += 1 + math.ceil(len(segment.payload) / _PACKET_BYTES)
        if segment.kind in _SHOWS_LIVENESS:
            self._liveness = True
        if segment.capabilities is not None:
            if segment.capabilities != self._shown:
                self._show(segment.capabilities)
        elif self._shown is None and segment.kind is SegmentKind.DATA:
            self._assume_plain()

    def _show(self, capabilities: Capability) -> None:
        self._shown = capabilities
        self._remember(capabilities)
        if self._own is not None:
            self.is_negotiated = True
            self.capabilities = self._own & capabilities

    def is_known_without(self, capability: Capability) -> bool:
        """What was shown here, or by the address before."""
        known = self._shown
        if known is None and self._peer is not None:
            known = self._memory.recall(self._peer)
        return self._own is None or (known is not None and not known & capability)

    def withhold(self, capability: Capability) -> None:
        """Do not show it, and do not count on it."""
        if self._own is not None:
            self._own &= ~capability
            self.capabilities &= ~capability

    def negotiation_timed_out(self) -> None:
        """Take a silent peer for one without the extension, until it shows otherwise."""
        self._assume_plain()

    def _assume_plain(self) -> None:
        self._assumed_plain = True
        self._remember(Capability.NONE)

    def _remember(self, capabilities: Capability) -> None:
        if self._peer is not None and self._own is not None:
            self._memory.remember(self._peer, capabilities)

    def accepts(self, kind: SegmentKind) -> bool:
        """Without the extension its frames mean nothing, as to a Rust peer."""
        return self._own is not None or (kind not in _NEEDS and kind is not SegmentKind.HELLO)

    # Sending.

    @property
    def max_payload_bytes(self) -> int:
        """Split at the frame size of the options."""
        return self._options.max_frame_bytes

    def stamp(self, segment: Segment) -> Segment:
        """Show our capabilities in every frame but the liveness ones, which are upstream's."""
        if self._own is None or segment.kind in _SHOWS_LIVENESS:
            return segment
        return replace(segment, capabilities=self._own)

    def surbs(self, segment: Segment, *, first: bool) -> int:
        """With Open what its first answer takes; with Data what the peer has used since."""
        if first:
            return self._options.open_surbs
        if segment.kind is not SegmentKind.DATA:
            return 0
        count = min(self._surbs_used, self._options.max_data_surbs)
        self._surbs_used -= count
        return count

    def may_send(self, kind: SegmentKind) -> bool:
        """Control frames only to peers that have shown that they know them."""
        if kind in _NEEDS:
            return bool(self.capabilities & _NEEDS[kind])
        if kind is SegmentKind.HELLO:
            return self._peer is None and self.is_negotiated
        if kind is SegmentKind.PING:
            return self._liveness
        return True  # Open, Data, OpenAck if announced, Pong as answer

    def greeting(self) -> tuple[SegmentKind, ...]:
        """HELLO to a dialer that has shown the extension, OpenAck to any other."""
        if self.is_negotiated:
            return (SegmentKind.HELLO,)
        return (SegmentKind.OPEN_ACK,) if self._options.announce_liveness else ()

    # The end.

    @property
    def end_signal(self) -> EndSignal:
        """FIN if the peer knows it, else an empty Data frame."""
        if self.capabilities & Capability.END_SIGNALS:
            return EndSignal.FIN
        return EndSignal.EMPTY_DATA if self._options.compat_eof else EndSignal.NONE

    @property
    def abort_signal(self) -> AbortSignal:
        """RESET if the peer knows it, or may know it: a Rust peer drops it, and for ours there is
        nothing else that ends a session whose dialer has gone before the first answer."""
        is_known = self.capabilities & Capability.END_SIGNALS
        is_dialer = self._peer is not None and self._own is not None
        may_know = is_dialer and (
            (self._shown is None and not self._assumed_plain)
            or (
                bool((self._own or Capability.NONE) & Capability.NX2)
                and not self.is_known_without(Capability.NX2)
            )
        )
        return AbortSignal.RESET if is_known or may_know else AbortSignal.NONE

    @property
    def peer_signals_end(self) -> bool:
        """True for peers with FIN."""
        return bool(self.capabilities & Capability.END_SIGNALS)

    # Flow control.

    @property
    def flow_control(self) -> bool | None:
        """As negotiated; unknown to a dialer before the first answer."""
        if self.is_negotiated:
            return bool(self.capabilities & Capability.FLOW_CONTROL)
        if self._assumed_plain or self._peer is None:
            return False
        return None
