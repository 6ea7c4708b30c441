"""Between a channel's machine and its transport: which messages stand for what the machine says.

:class:`ChannelLink` writes and reads segments as they are. A protocol may put another one in its
place (see :class:`Linker`) that seals them, keeps them until the peer itself has acknowledged
them, and has messages of its own: streams between two peers of ours do (docs/wire.md, NX2).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nymproxy.channel.segment import WHOLE_KINDS, SegmentKind
from nymproxy.errors import ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.fate import Fate
    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
    from nymproxy.channel.protocol import ChannelCodec
    from nymproxy.channel.segment import Segment
    from nymproxy.errors import NymError
    from nymproxy.mixnet.randomness import RandomBytes


CANNOT_MOVE = "the client has lost its gateway, and the channel cannot go on at another one"

OPENINGS_SECONDS = 4.0
"""So much longer a lost gateway is waited for where a channel has been opened, and not answered: it
cannot go on elsewhere, and a gateway that was restarted is there again by then."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message for the transport.

    Attributes:
        payload: its bytes.
        surbs: reply SURBs to attach, towards an address.
        outgoing: what of the machine it carries, for the first time; ``None``: nothing.
        sequence: of a numbered message that the link keeps; ``None`` for others.
        any_surb: to a sender tag, it may use the reserve of reply SURBs.
    """

    payload: bytes
    surbs: int = 0
    outgoing: OutgoingSegment | None = None
    sequence: int | None = None
    any_surb: bool = False


class ChannelLink:
    """Writes a channel's segments, and reads those of its peer.

    After every event, call :meth:`next_message` until it returns ``None``, and :meth:`tick` at
    :meth:`next_deadline` at the latest. Each message is reported with :meth:`handed_over`, and its
    fate with :meth:`delivery_changed`.

    Args:
        machine: the channel.
        codec: of its protocol.
    """

    def __init__(self, machine: ChannelMachine, codec: ChannelCodec) -> None:
        self.machine = machine
        self._codec = codec
        self.moves = 0
        """How often messages have gone to another peer from then on."""
        self.moved_to: NymAddress | SenderTag | None = None
        """Where they go after the last move."""
        self.addresses: set[NymAddress] = set()
        """Of a channel that we opened, where they have gone so far: who may answer."""

    @property
    def is_acceptable(self) -> bool:
        """True when a channel that a peer opened may be shown to a listener."""
        return True

    @property
    def can_move(self) -> bool:
        """True when the channel can go on with another client of ours."""
        return False

    def may_lose_client(self, overdue_seconds: float) -> bool:
        """Tell whether the channel would not be broken by another client in the place of ours that
        may outlive a wait for this one. An opening without an answer is waited for a little longer
        than others, and not for ever: it may be that it never left.

        Args:
            overdue_seconds: for so long all that can move has waited longer than it should.
        """
        is_too_long = overdue_seconds >= OPENINGS_SECONDS
        return self.can_move or (is_too_long and not self.machine.is_established)

    @property
    def hears_the_peer(self) -> bool:
        """True when what is acknowledged was acknowledged by the peer itself, whose death would
        be noticed."""
        return False

    @property
    def owes_answer(self) -> bool:
        """True when the peer waits for what only this link can tell it."""
        return False

    @property
    def rides(self) -> bool:
        """True while an acknowledgement waits that may go along with another channel's message."""
        return False

    def bring_along(self, message: Message, others: Iterable[ChannelLink], now: float) -> bytes:
        """Return what is sent for a message: it may bring along what other links to the same peer
        have that rides, where it has room."""
        return message.payload

    @property
    def is_flushed(self) -> bool:
        """True when everything written, and an end that was requested, was acknowledged, and the
        peer needs nothing more to take it for the truth."""
        return self.machine.outbound.is_drained

    @property
    def may_say_farewell(self) -> bool:
        """True when the peer's direction has not ended, and it can be told that nobody reads it any
        more when we leave."""
        return False

    @property
    def is_over(self) -> bool:
        """True when nothing more is sent, or expected."""
        return self.machine.is_over

    @property
    def memory_bytes(self) -> int:
        """About what the channel holds."""
        return self.machine.memory_bytes

    @property
    def kept_bytes(self) -> int:
        """What of it is kept to be sent again, until the peer acknowledges it."""
        return 0

    def segment_received(self, segment: Segment, now: float) -> None:
        """Take what the codec read."""
        if segment.kind in WHOLE_KINDS:
            return
        self.machine.segment_received(segment, now)

    def next_message(self, now: float) -> Message | None:
        """Return the next message that is due."""
        outgoing = self.machine.next_outgoing(now)
        if outgoing is None:
            return None
        is_reset = outgoing.segment.kind is SegmentKind.RESET
        payload = self._codec.encode(outgoing.segment)
        return Message(payload, outgoing.surbs, outgoing, any_surb=is_reset)

    def handed_over(self, message: Message, packet_count: int, now: float) -> None:
        """Note that the transport took a message."""
        if message.outgoing is not None:
            self.machine.handed_over(message.outgoing, packet_count, now)

    def could_not_send(self, message: Message, error: NymError, now: float) -> None:
        """Note that the transport did not take a message: without it the channel fails."""
        self.machine.transport_failed(error)

    def delivery_changed(self, message: Message, fate: Fate, now: float) -> None:
        """Note what became of a message. Idempotent."""
        if message.outgoing is not None:
            self.machine.delivery_changed(message.outgoing, fate, now)

    def next_deadline(self, now: float) -> float:
        """Return when :meth:`tick` is due; ``math.inf``: when the channel is over."""
        return self.machine.next_deadline(now)

    def tick(self, now: float) -> None:
        """Do what is due by time."""
        self.machine.tick(now)

    def doubted(self) -> bool:
        """Note that the peer may have lost the channel; returns whether it is asked."""
        return False

    def call_nobody(self) -> None:
        """Forget whom to call: the channel is over. It would wait for the garbage collector, which
        comes when there is a quarter more of everything."""

    def last_words(self) -> LastWords | None:
        """Return what still answers for the channel when it is over, if anything does."""
        return None


class LastWords(Protocol):
    """Answers a peer that has not heard the end of a channel."""

    def answer(self, segment: Segment, now: float) -> Iterable[bytes]:
        """Return messages that answer what came for the channel after its end."""
        ...

    def farewell(self) -> bytes | None:
        """Return what tells the peer that nobody will answer any more, if it may wait for that."""
        ...


@dataclass(frozen=True, slots=True)
class LinkContext:
    """What links need of the client below them.

    Attributes:
        addresses: all of ours.
        address_for: which of them a sender writes to.
        sender_tag_for: under which tag the client at an address knows us.
        surbs_held_by: how many reply SURBs of ours the client at an address surely holds.
        random_bytes: for secrets.
        unix_time: the time of day in seconds.
        is_connected: whether the client has its gateway.
        connected_seconds_at: for how long it has had it without a break, at one of our addresses.
        is_restored: the address was made by an earlier process.
    """

    addresses: tuple[NymAddress, ...]
    address_for: Callable[[SenderTag], NymAddress]
    sender_tag_for: Callable[[NymAddress], SenderTag]
    surbs_held_by: Callable[[NymAddress], int]
    random_bytes: RandomBytes
    unix_time: Callable[[], float]
    is_connected: Callable[[], bool]
    connected_seconds_at: Callable[[NymAddress], float]
    is_restored: bool


@dataclass(frozen=True, slots=True)
class Stray:
    """A message that belongs to no channel: a refusal, the answer to data for a dead one, or
    something between peers.

    Attributes:
        to: whom.
        payload: its bytes.
        surbs: reply SURBs to attach, towards an address.
    """

    to: NymAddress | SenderTag
    payload: bytes
    surbs: int = 0


@dataclass(frozen=True, slots=True)
class Resumed:
    """A channel that a peer has resumed.

    Attributes:
        opened_by: the tag under which it was opened.
        is_new: it goes on under the tag that the RESUME came under.
        answer: tells the peer that it is over, if it is.
        words: answer what else it says then.
    """

    opened_by: SenderTag
    is_new: bool
    answer: bytes | None = None
    words: LastWords | None = None


class Admission(enum.Enum):
    """What becomes of a segment that would open a channel."""

    TAKE = "take"
    REFUSE = "refuse"
    DROP = "drop"


class Linker:
    """Makes the links of one protocol at one client, and cares for what its peers share.

    This one makes plain links.

    Args:
        codec: of the protocol.
    """

    def __init__(self, codec: ChannelCodec) -> None:
        self._codec = codec

    def dial(self, machine: ChannelMachine, to: NymAddress, now: float) -> ChannelLink:
        """Return the link of a channel that we open."""
        return ChannelLink(machine, self._codec)

    def admit(self, segment: Segment, tag: SenderTag, now: float) -> Admission:
        """Decide about a segment that would open a channel."""
        return Admission.DROP if segment.kind is SegmentKind.OFFER else Admission.TAKE

    def accept(
        self, machine: ChannelMachine, segment: Segment, tag: SenderTag, now: float
    ) -> ChannelLink:
        """Return the link of a channel that a peer opens, with that segment in it."""
        machine.opened_by(segment, now)
        return ChannelLink(machine, self._codec)

    def refuse(self, segment: Segment, tag: SenderTag) -> list[bytes] | None:
        """Return what tells a peer that its opening was refused; ``None``: a plain RESET does."""
        return None

    def removed(self, link: ChannelLink) -> None:
        """Note that a channel is over."""

    def resume(self, segment: Segment, tag: SenderTag, now: float) -> Resumed | None:
        """Take a RESUME that came under a tag; ``None``: no channel's keys verify it."""
        return None

    def client_moved(self, links: Iterable[ChannelLink], now: float) -> None:
        """Note that our client is another one now: these channels go on with it, or fail."""
        for link in links:
            link.machine.transport_failed(ClientDisconnected(CANNOT_MOVE))

    def peer_segment_received(
        self, segment: Segment, tag: SenderTag | None, given_to: NymAddress | None, now: float
    ) -> None:
        """Take a segment that belongs to a peer, not to a channel; a reply came through SURBs that
        ``given_to`` has."""

    def take_strays(self, now: float) -> list[Stray]:
        """Return messages that belong to no channel and are due."""
        return []

    def take_changed(self) -> list[ChannelLink]:
        """Return the links that changed by what concerns their peer."""
        return []

    def next_deadline(self, now: float) -> float:
        """Return when :meth:`tick` is due."""
        return math.inf

    def tick(self, now: float) -> None:
        """Do what is due by time."""
