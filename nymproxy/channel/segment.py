"""The neutral form of every message on a channel, whichever protocol it travels in.

The codecs translate: LP stream frames in :mod:`nymproxy.stream.codec`, ``ProxiedMessage`` in
:mod:`nymproxy.legacy`. The channel machines know segments only.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NewType

from nymproxy.errors import ResetCode

if TYPE_CHECKING:
    from nymproxy.address import SenderTag

ChannelId = NewType("ChannelId", int)
"""The number of a channel: 64 bits in a stream, the 128 bits of the UUID in a legacy session."""


class SegmentKind(enum.Enum):
    """What a segment says. Only DATA and FIN carry, and use up, a sequence number."""

    OPEN = "open"
    """The dialer announces the channel; a payload comes before the first DATA."""
    DATA = "data"
    FIN = "fin"
    """The sender's direction has ended (FIN of a stream, Close of a legacy session)."""
    RESET = "reset"
    """Both directions end at once, out of order."""
    WINDOW = "window"
    """The receiver allows ``limit`` payload bytes in all."""
    PROBE = "probe"
    """The sender asks for the current WINDOW."""
    HELLO = "hello"
    """The acceptor has the channel, and knows the extension."""
    OPEN_ACK = "open-ack"
    """The acceptor has the channel (newer Rust peers)."""
    PING = "ping"
    """Liveness: ``sequence`` is a nonce."""
    PONG = "pong"
    """Liveness: ``sequence`` echoes the nonce."""
    OFFER = "offer"
    """A stream is opened, and NX2 offered; as the next three, ``payload`` is the whole message."""
    PROTECTED = "protected"
    """Only the link of the channel can read it."""
    RESUME = "resume"
    """A channel goes on under another tag, or at another address of the acceptor."""
    LIVENESS = "liveness"
    """A question to a peer, or its answer, that belongs to no channel."""


NUMBERED_KINDS = frozenset({SegmentKind.DATA, SegmentKind.FIN})
WHOLE_KINDS = frozenset(
    {SegmentKind.OFFER, SegmentKind.PROTECTED, SegmentKind.RESUME, SegmentKind.LIVENESS}
)
"""Messages that the codec does not read: the payload is all of them. They mean nothing to a
machine."""


class Capability(enum.IntFlag):
    """What a peer has shown that it understands."""

    NONE = 0
    END_SIGNALS = 1
    """FIN and RESET of a stream (bit 0 of the NX1 capability byte)."""
    FLOW_CONTROL = 2
    """WINDOW and PROBE of a stream (bit 1 of the NX1 capability byte)."""
    SINGLE_CLOSE = 4
    """A legacy server that honours one Close and needs no pacing (the NYP1 trailer)."""
    NX2 = 8
    """Sealed streams (bit 3 of the capability byte)."""
    STREAMS = 16
    """A legacy server that accepts streams at the same address (the NYP1 trailer)."""
    ASKS = 32
    """A legacy client that asks whether its session is there (the NYP1 trailer)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One message of a channel.

    Attributes:
        kind: what it says.
        channel_id: the channel.
        sequence: the sequence number of DATA and FIN; a nonce in PING and PONG; informative or 0
            otherwise.
        payload: application bytes of DATA and OPEN.
        capabilities: what the message shows of its sender; ``None`` when it shows nothing.
        limit: WINDOW only: payload bytes allowed since the start of the direction.
        reset_code: RESET only.
        reason: RESET only: text for people, at most 200 bytes of UTF-8 on the wire.
    """

    kind: SegmentKind
    channel_id: ChannelId
    sequence: int = 0
    payload: bytes = b""
    capabilities: Capability | None = None
    limit: int = 0
    reset_code: ResetCode = ResetCode.CANCELLED
    reason: str = ""

    @property
    def is_numbered(self) -> bool:
        """True when the segment has a place in the order of its direction."""
        return self.kind in NUMBERED_KINDS

    @property
    def shows_nx2(self) -> bool:
        """True when the segment shows that its sender knows NX2."""
        return bool((self.capabilities or Capability.NONE) & Capability.NX2)


class ChannelKey(NamedTuple):
    """What a message must match to belong to a channel."""

    protocol: str
    tag: SenderTag | None
    channel_id: ChannelId

    def to_bytes(self) -> bytes:
        """Return all of it, unlike its text."""
        tag = b"" if self.tag is None else self.tag.value
        return b"%b/%b/%d" % (self.protocol.encode(), tag, self.channel_id)
