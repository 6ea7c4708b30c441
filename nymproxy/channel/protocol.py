"""What a protocol module supplies to the channels: a codec, and the traits of each peer.

A :class:`ChannelProtocol` is a codec plus two factories of :class:`PeerTraits`: one for channels
that we open, one for channels that a peer opens. Traits belong to one channel, live as long, and
learn from what the peer sends. The base class describes a peer about which nothing is
known and which knows nothing: override what differs.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, Protocol

from nymproxy.channel.quirks import Quirks
from nymproxy.channel.rules import KIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress
    from nymproxy.channel.link import LinkContext, Linker
    from nymproxy.channel.rules import ChannelRules
    from nymproxy.channel.segment import Capability, ChannelId, Segment, SegmentKind
    from nymproxy.mixnet.randomness import RandomBytes


class ChannelCodec(Protocol):
    """Translates between the payload of one mixnet message and one segment. Stateless."""

    @property
    def name(self) -> str:
        """``"stream"`` or ``"legacy"``: part of the key of a channel, and used in logs."""
        ...

    def matches(self, payload: bytes) -> bool:
        """Tell by the first bytes whether a message is of this protocol. Must not raise."""
        ...

    def split(self, payload: bytes) -> list[bytes]:
        """Return the messages that an acceptor has sent as one, or what it is if it is one."""
        ...

    def decode(self, payload: bytes) -> Segment:
        """Read one message.

        Raises:
            ChannelFormatError: for every message that is malformed or of an unknown type.
        """
        ...

    def encode(self, segment: Segment) -> bytes:
        """Write one message. Only called with kinds that the traits allow."""
        ...


class EndSignal(enum.Enum):
    """How the end of our direction is told to the peer."""

    FIN = "fin"
    """A FIN segment with the next sequence number."""
    EMPTY_DATA = "empty-data"
    """An empty DATA segment with the next sequence number (compat EOF)."""
    NONE = "none"
    """Not at all."""


class AbortSignal(enum.Enum):
    """How an abort is told to the peer."""

    RESET = "reset"
    FIN = "fin"
    """An end with the next sequence number: what was not handed over is dropped before it. It is
    a FIN, or a RESET that takes its place where RESET may be sent: a plain peer reads a FIN."""
    NONE = "none"


class Pacing(Protocol):
    """Holds numbered messages of one channel back (legacy servers lose what comes too close)."""

    wake: Callable[[], None]
    """Set by the channel; called when something else than the calls below made it ready."""

    def ready_at(self, now: float, *, is_end: bool) -> float:
        """Return when the next numbered message may be handed to the transport.

        ``is_end``: the next one is the end signal, not DATA. ``now`` or less: at once.
        ``math.inf``: not before one of the calls below.
        """
        ...

    def begun(self, index: int, now: float) -> None:
        """Numbered message number ``index`` (from 0) goes to the transport now."""
        ...

    def handed_over(self, index: int, packet_count: int, now: float) -> None:
        """Numbered message number ``index`` was accepted by the transport."""
        ...

    def sent(self, index: int, now: float) -> None:
        """Its last packet has left."""
        ...

    def acknowledged(self, index: int, now: float) -> None:
        """Every fragment of it was acknowledged."""
        ...


class PeerTraits:
    """What is known of the peer of one channel, and what follows from it.

    The machine calls :meth:`segment_received` with every valid segment, and asks the rest each
    time that it matters; answers may change while the channel lives.
    """

    pacing: Pacing | None = None
    """Set it to hold messages back; may be set to ``None`` later."""

    def __init__(self, rules: ChannelRules) -> None:
        self.rules = rules

    # Learning.

    def segment_received(self, segment: Segment) -> None:
        """Learn from a segment of this channel that passed the peer check."""

    def is_known_without(self, capability: Capability) -> bool:
        """Tell whether the peer is known not to have an ability; False: it may have it."""
        return True

    def withhold(self, capability: Capability) -> None:
        """Do not show the peer of this channel an ability of ours."""

    def negotiation_timed_out(self) -> None:
        """The dialer has heard nothing for ``negotiation_timeout_seconds``."""

    def accepts(self, kind: SegmentKind) -> bool:
        """Tell whether segments of a kind from this peer mean anything to us."""
        return True

    def quirks(self, now: float) -> Quirks:
        """Return what this channel does beyond the protocol's core. Asked once, at the start."""
        return Quirks()

    # Sending.

    @property
    def max_payload_bytes(self) -> int:
        """The largest payload of one DATA segment."""
        return 32 * KIB

    @property
    def max_unsent_messages(self) -> int:
        """Messages in the transport whose last packet has not left; above it, bytes wait here,
        where small writes are still merged."""
        return 4

    @property
    def last_send_index(self) -> int | None:
        """The last message number (from 0) that may be used, reserved for the end signal; a
        channel with more to send is aborted. ``None``: the numbers wrap."""
        return None

    def stamp(self, segment: Segment) -> Segment:
        """Add to an outgoing segment what shows our own abilities (``capabilities``)."""
        return segment

    def surbs(self, segment: Segment, *, first: bool) -> int:
        """Return how many reply SURBs go with a segment towards an address.

        Args:
            segment: what is sent.
            first: True for the first message of the channel.
        """
        return 0

    def may_send(self, kind: SegmentKind) -> bool:
        """Tell whether the peer can be sent segments of a kind other than OPEN and DATA."""
        return False

    def greeting(self) -> tuple[SegmentKind, ...]:
        """Return what an acceptor sends as soon as the channel has a listener: HELLO, OPEN_ACK."""
        return ()

    @property
    def greets_with_data(self) -> bool:
        """True when it sends an empty DATA then."""
        return False

    # The end.

    @property
    def end_signal(self) -> EndSignal:
        """How the end of our direction is told, decided when it is due."""
        return EndSignal.NONE

    def asks_for_end(self, segment: Segment) -> bool:
        """Tell whether a peer sends that, and nothing else, while it waits for our end, which it
        knows by its number if it has it already."""
        return False

    @property
    def repeat_end_after_seconds(self) -> float | None:
        """Send the end signal once more, identical and without SURBs, so long after the first
        copy was handed over. Asked again when it is due."""
        return None

    @property
    def abort_signal(self) -> AbortSignal:
        """How an abort is told."""
        return AbortSignal.NONE

    @property
    def peer_signals_end(self) -> bool:
        """True when this peer is known to tell the end of its direction."""
        return False

    # Flow control.

    @property
    def flow_control(self) -> bool | None:
        """True: both sides keep to windows. False: they do not. ``None``: not known yet."""
        return False


class ChannelProtocol(Protocol):
    """A wire protocol for channels: the codec and the rules of its peers."""

    codec: ClassVar[ChannelCodec]
    opens_explicitly: ClassVar[bool]
    """Only an OPEN makes a channel, which is sent before anything else is."""

    def new_channel_id(self, random_bytes: RandomBytes) -> ChannelId:
        """Draw the id of a channel that we open."""
        ...

    def opens(self, segment: Segment) -> bool:
        """Tell whether a segment makes a channel: the first that a peer sends, and no other."""
        ...

    def asks(self, segment: Segment) -> bool:
        """Tell whether a segment wants an answer if its channel is not known (any more)."""
        ...

    def dial(self, channel_id: ChannelId, to: NymAddress) -> PeerTraits:
        """Return the traits of a channel that we open."""
        ...

    def answer(self, segment: Segment) -> PeerTraits:
        """Return the traits of a channel that a peer opens with ``segment``."""
        ...

    def linker(self, context: LinkContext | None) -> Linker:
        """Return what makes the links of its channels at one client; without a context they are
        plain."""
        ...


class PeerMemory:
    """What was learned about addresses, kept while the process lives (and bounded).

    Share one between the protocols of all clients of a process. The oldest entry is forgotten
    when there are more than ``limit``. Nothing of it is ever written to disk.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._known: dict[NymAddress, Capability] = {}
        self._sealed: dict[NymAddress, None] = {}

    def recall(self, address: NymAddress) -> Capability | None:
        """Return what is known; ``Capability.NONE``: known to have none; ``None``: nothing."""
        return self._known.get(address)

    def remember(self, address: NymAddress, capabilities: Capability) -> None:
        """Record what an address has shown."""
        self._known.pop(address, None)
        self._known[address] = capabilities
        if len(self._known) > self._limit:
            del self._known[next(iter(self._known))]

    def was_sealed(self, address: NymAddress) -> bool:
        """Tell whether a channel to an address was sealed: it is not spoken to unsealed again."""
        return address in self._sealed

    def forget_sealed(self, address: NymAddress) -> None:
        """Forget that again: the address itself says that it takes no channels any more."""
        self._sealed.pop(address, None)

    def remember_sealed(self, address: NymAddress) -> None:
        """Record that an address has shown that it seals channels."""
        self.forget_sealed(address)
        self._sealed[address] = None
        if len(self._sealed) > self._limit:
            del self._sealed[next(iter(self._sealed))]
