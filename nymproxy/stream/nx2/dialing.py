"""A dialer's link: from a peer of which nothing is known, or of which NX2 is known, to the keys.

::

               a frame without NX2, or nothing for 20 s behind what has arrived
      UNKNOWN -----------------------------------------> PLAIN
         |  Open, OFFER, 64 KiB unsealed
         +------- ACCEPT ----> SEALED (a SEAL covers what was sent before)
      EARLY ----- ACCEPT ----> SEALED
            OFFER, everything sealed with the early key
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from nymproxy.channel.link import Message
from nymproxy.channel.segment import Segment, SegmentKind
from nymproxy.errors import (
    ChannelFormatError,
    ResetCode,
    StreamAltered,
    StreamNotSealed,
)
from nymproxy.stream.codec import TYPE_OFFSET, MessageType
from nymproxy.stream.nx2.link import OPENING_SECONDS, hello_to
from nymproxy.stream.nx2.patience import VERDICT_SECONDS, Patience
from nymproxy.stream.nx2.prefix import MAX_PREFIX_BYTES
from nymproxy.stream.nx2.repeated import Repeated
from nymproxy.stream.nx2.seals import VouchingLink
from nymproxy.stream.nx2.supply import CONTROL_SURBS, MAX_OPENING_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.channel.fate import Fate
    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
    from nymproxy.channel.protocol import ChannelCodec
    from nymproxy.errors import NymError
    from nymproxy.stream.nx2.frames import Accept
    from nymproxy.stream.nx2.sealer import DialerSealer

_NOT_SEALED = (
    "no sealed answer of the peer came: most likely it is not running. If it is, it was replaced "
    "by a version that does not seal, or somebody hides that it does (it did before, or has to: "
    "require_sealed)"
)
_SEALS_LATE = (
    "the peer shows only now, after {:.0f} s, that it seals, and was taken for one that does not: "
    "it was slow, or somebody held its first frames back. The next stream to it is sealed"
)
_DROPPED_UNSEALED = frozenset(
    {
        SegmentKind.DATA,
        SegmentKind.FIN,
        SegmentKind.RESET,
        SegmentKind.WINDOW,
        SegmentKind.PROBE,
    }
)


class Dialing(enum.Enum):
    """What a dialer knows of its peer."""

    UNKNOWN = "unknown"
    EARLY = "early"
    SEALED = "sealed"
    PLAIN = "plain"


class DialerLink(VouchingLink):
    """The dialer's end of a stream.

    Args:
        machine: the channel.
        codec: the stream codec.
        sealer: its keys.
        minutes: unix time in minutes, for the OFFER.
        is_known: the peer is known to have NX2.
        now: time of creation.
    """

    def __init__(
        self,
        machine: ChannelMachine,
        codec: ChannelCodec,
        sealer: DialerSealer,
        *,
        minutes: int,
        is_known: bool,
        now: float,
    ) -> None:
        super().__init__(machine, codec, sealer, now)
        self.state = Dialing.EARLY if is_known else Dialing.UNKNOWN
        self.accepted: Callable[[Accept, float], None] = lambda accept, now: None
        """Called with the ACCEPT."""
        self.hinted: Callable[[float], None] = lambda now: None
        """Called when an unsealed frame says that the acceptor has lost the stream."""
        self._minutes = minutes
        self._offer = sealer.offer(minutes)
        self._offers = Repeated()
        self._opened_at = now
        self._patience = Patience()
        self._was_silent = False
        self._has_shown = False
        self._given_up: list[tuple[Message, Fate]] = []
        if is_known:
            machine.if_unanswered = StreamNotSealed(_NOT_SEALED)
            machine.outbound.max_opening_bytes = MAX_OPENING_BYTES
        else:
            machine.outbound.window.ceiling = MAX_PREFIX_BYTES

    def call_nobody(self) -> None:
        """See :meth:`ChannelLink.call_nobody`."""
        super().call_nobody()
        self.accepted = lambda accept, now: None
        self.hinted = lambda now: None

    @property
    def is_over(self) -> bool:
        """As of every sealed link; an unknown peer is waited for, since its SEAL is due."""
        if self.machine.error is not None or self.is_plain:
            return self.machine.is_over
        return super().is_over and self._is_settled

    @property
    def is_flushed(self) -> bool:
        """As of every link; but an acceptor takes the end of what is not sealed from a SEAL alone,
        and a silent peer may be one, until it is known as plain."""
        return super().is_flushed and (self.is_plain or self._is_settled)

    @property
    def _is_settled(self) -> bool:
        """True when there are keys, and the acceptor knows what was sent before."""
        return self.state is Dialing.SEALED and not self._awaits_seal

    @property
    def _is_owed_an_accept(self) -> bool:
        """True when the peer is known to have NX2, here or from before."""
        return self.state is Dialing.EARLY or (self.state is Dialing.UNKNOWN and self._has_shown)

    # From the peer.

    def segment_received(self, segment: Segment, now: float) -> None:
        """See :meth:`ChannelLink.segment_received`."""
        if self.is_plain:
            self._plain(segment, now)
        elif segment.kind is SegmentKind.PROTECTED:
            self._frame_received(segment.payload, now)
        elif self.state is Dialing.UNKNOWN:
            self._unsealed(segment, now)
        else:
            self._drop("unsealed")
            self._hint(segment, now)

    def _plain(self, segment: Segment, now: float) -> None:
        """A peer without NX2 neither shows nor accepts it: one that does was made to look plain."""
        if segment.kind is not SegmentKind.PROTECTED:
            if segment.shows_nx2:
                self._was_hidden(now)
            else:
                self.machine.segment_received(segment, now)
            return
        try:
            accept = self._sealer.open_accept(segment.payload)
        except ChannelFormatError:
            return
        self._was_hidden(now)
        self.accepted(accept, now)

    def _was_hidden(self, now: float) -> None:
        """Fail, and say so sealed: it takes nothing else."""
        self._offers.stop()
        self.is_plain = False
        self.machine.traits.segment_received(hello_to(self.machine))
        error: NymError = StreamAltered(
            "the peer knows sealed streams, and a frame of it said that it does not"
        )
        if self._was_silent:
            error = StreamNotSealed(_SEALS_LATE.format(now - self._opened_at))
        self.machine.fail(error, ResetCode.DATA_LOST)
        self.machine.inbound.discard()

    def _unsealed(self, segment: Segment, now: float) -> None:
        self._has_shown = self._has_shown or segment.shows_nx2
        if not self._has_shown:
            self._is_plain_now(now)
            self.machine.segment_received(segment, now)
        elif segment.kind in _DROPPED_UNSEALED:
            self._drop("unsealed")
        else:
            self.machine.segment_received(segment, now)

    def _hint(self, segment: Segment, now: float) -> None:
        if segment.kind is SegmentKind.RESET and segment.reset_code is ResetCode.UNKNOWN_STREAM:
            self.hinted(now)

    def _open(self, frame: bytes, now: float) -> None:
        if frame[TYPE_OFFSET] != MessageType.ACCEPT:
            super()._open(frame, now)
            return
        accept = self._sealer.open_accept(frame)
        if self.state is not Dialing.SEALED:
            self._take_accept(accept, now)
        self._open_first(accept.first, frame, now)

    def _take_accept(self, accept: Accept, now: float) -> None:
        is_prefix_sent = self.state is Dialing.UNKNOWN
        self.state = Dialing.SEALED
        self._offers.answered(now, self.kept.round_trip.peer)
        self._become_sealed()
        self.machine.outbound.open_acknowledged(now, is_refused=accept.is_refused)
        if is_prefix_sent:
            self._begin_seals(now)
        elif accept.confirm:
            self.receipts.asked(0)
        if not accept.is_refused:
            self.machine.segment_received(hello_to(self.machine), now)
        self.accepted(accept, now)
        if accept.is_refused:
            refusal = Segment(
                SegmentKind.RESET, self.machine.channel_id, reset_code=ResetCode.REFUSED
            )
            self.machine.segment_received(refusal, now)
            return
        self.verified(now)
        self._open_early(now)

    # What to send.

    def next_message(self, now: float) -> Message | None:
        """See :meth:`ChannelLink.next_message`.

        A peer that looks plain is offered on for a while: one that only was made to look so
        answers, and the stream fails.
        """
        self._judge_silence(now)
        if self.is_plain and self._offer_is_due(now) and self.machine.error is None:
            return self._write_offer(now)
        message = super().next_message(now)
        is_new = message is not None and message.sequence is not None and message.outgoing
        return self._seal(now, message) if is_new and self._awaits_first_seal else message

    def _offer_is_due(self, now: float) -> bool:
        return self._offers.is_due(now, self.kept.round_trip.question_seconds)

    def _write_offer(self, now: float) -> Message:
        # The first one brings no SURBs: it overtakes the Open, and the acceptor would ask for more.
        # A copy brings few: those of an Open take many packets, of which one may be lost again.
        surbs = CONTROL_SURBS if self._offers.has_begun else 0
        self._offers.queued(now, self.kept.round_trip.question_seconds)
        if self.is_plain and self._offers.at > self._opened_at + VERDICT_SECONDS:
            self._offers.stop()
        return Message(self._offer, surbs)

    def _next_own(self, now: float) -> Message | None:
        if self._offer_is_due(now):
            return self._write_offer(now)
        if self.resume_is_due(now):
            return self.resume(now)
        if self._seal_is_due(now):
            return self._seal(now)
        return super()._next_own(now)

    def _write(self, outgoing: OutgoingSegment, now: float) -> Message | None:
        segment = outgoing.segment
        if segment.kind is SegmentKind.OPEN:
            return self._write_opening(outgoing, now)
        if self._sealer.can_seal:
            return super()._write(outgoing, now)
        if segment.kind is SegmentKind.RESET:
            frame = self._sealer.seal_early(self._codec.encode(segment), 0)
            return Message(frame, outgoing.surbs, outgoing)
        if not segment.is_numbered:
            return None  # only a peer that has shown NX2 gets such, and it takes them sealed alone
        return self._write_unsealed(outgoing, now)

    def _write_opening(self, outgoing: OutgoingSegment, now: float) -> Message:
        if self.state is Dialing.UNKNOWN:
            self._offers.begin(now)
            surbs = self.supply.for_stranger(outgoing.surbs)
            return Message(self._codec.encode(outgoing.segment), surbs, outgoing)
        data = outgoing.segment.payload
        if data:
            self._offer = self._sealer.offer(self._minutes, data)
        self._offers.queued(now, self.kept.round_trip.question_seconds)
        surbs = self.supply.for_opening(outgoing.surbs, len(data))
        return Message(self._offer, surbs, outgoing)

    def delivery_changed(self, message: Message, fate: Fate, now: float) -> None:
        """See :meth:`ChannelLink.delivery_changed`; what an unknown peer may get again is not lost
        before it is known as plain."""
        if message.payload is self._offer and (fate.is_sent or fate.error is not None):
            self._offers.left(now)
        if self.state is Dialing.UNKNOWN and fate.error is not None:
            if message.outgoing is not None:
                self._given_up.append((message, fate))
            if message.sequence is not None:
                self.kept.given_up(message.sequence, now)
            return
        super().delivery_changed(message, fate, now)

    def _is_plain_now(self, now: float) -> None:
        self.state = Dialing.PLAIN
        self._become_plain(now)
        for message, fate in self._given_up:
            self.delivery_changed(message, fate, now)

    def _packets_count(self, message: Message) -> bool:
        if self.state is Dialing.UNKNOWN:
            return True
        is_offer = message.outgoing is not None and message.payload is self._offer
        return super()._packets_count(message) and not is_offer

    # Time.

    def next_deadline(self, now: float) -> float:
        """See :meth:`ChannelLink.next_deadline`."""
        due = super().next_deadline(now)
        return min(due, self._offers.at) if now < self._offers.at else due

    def _own_times(self) -> tuple[float, ...]:
        return (self._offers.at, *super()._own_times())

    def _judge_silence(self, now: float) -> None:
        """Take a silent peer for plain if it keeps the application waiting."""
        is_silent = self.state is Dialing.UNKNOWN and not self._has_shown
        is_enough = self._patience.has_ended(is_on_its_way=self._is_on_its_way)
        if is_silent and is_enough and self._is_waited_for:
            self._was_silent = True
            self._is_plain_now(now)

    @property
    def _is_waited_for(self) -> bool:
        """True when nothing can go on, or fail, before it is known what the peer is."""
        outbound = self.machine.outbound
        is_full = outbound.is_at_ceiling or (outbound.has_more and not self.kept.has_room)
        return self.machine.is_over or is_full or bool(self._given_up)

    @property
    def _is_on_its_way(self) -> bool:
        return self.machine.outbound.is_on_its_way and not self._given_up

    def waited(self, seconds: float, now: float) -> bool:
        """See :meth:`SealedLink.waited`."""
        self._patience.waited(seconds, is_on_its_way=self._is_on_its_way)
        self._judge_silence(now)
        if self._is_owed_an_accept and seconds >= OPENING_SECONDS:
            self.machine.fail(StreamNotSealed(_NOT_SEALED), ResetCode.CANCELLED)
        return self.state is Dialing.UNKNOWN or self.state is Dialing.EARLY
