"""An acceptor's link: from an Open or an OFFER to the keys.

::

      Open that shows NX2 --> WAITING --- OFFER ---> SEALED
      OFFER ---------------------------------------> SEALED

In WAITING nothing numbered is sent: a dialer with NX2 takes it sealed alone. Its own first frames
may be unsealed; they pass a :class:`~nymproxy.stream.nx2.prefix.PrefixGate`, and everything that is
sealed waits until the SEAL has confirmed them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy.channel.link import ChannelLink, Message
from nymproxy.channel.segment import Segment, SegmentKind
from nymproxy.errors import ResetCode, StreamAltered, StreamPeerLost
from nymproxy.stream.codec import (
    HEADER_LENGTH,
    MAX_ALONG,
    TYPE_OFFSET,
    MessageType,
    StreamFrame,
    along_bytes,
    write_along,
)
from nymproxy.stream.nx2.early import MAX_EARLY_BYTES
from nymproxy.stream.nx2.keys import MAC_LENGTH
from nymproxy.stream.nx2.link import OPENING_SECONDS, SealedLink, hello_to
from nymproxy.stream.nx2.moving import Binding, Bound
from nymproxy.stream.nx2.prefix import PrefixGate, PrefixState
from nymproxy.stream.nx2.supply import has_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy.address import SenderTag
    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
    from nymproxy.channel.protocol import ChannelCodec
    from nymproxy.stream.nx2.after_end import EndedStream
    from nymproxy.stream.nx2.envelopes import Opened
    from nymproxy.stream.nx2.frames import Offer, Resume
    from nymproxy.stream.nx2.sealer import AcceptorSealer

HELLO_SECONDS = 1.0
ACCEPT_PAUSE_SECONDS = 1.0
HOLD_SECONDS = 0.02
ANSWER_HOLD_SECONDS = 0.25
"""Where the opening brought a question: its dialer waits for the answer, and not for the ACCEPT."""
END_ACK_BYTES = HEADER_LENGTH + 17 + MAC_LENGTH
SEALED_BYTES = HEADER_LENGTH + 4 + MAC_LENGTH
MAX_HELD_FRAMES = 512
_UNSEALED_KINDS = {SegmentKind.DATA: MessageType.DATA, SegmentKind.FIN: MessageType.FIN}


class PlainAcceptorLink(ChannelLink):
    """The acceptor's end of a stream whose Open did not show NX2.

    Its dialer does not show it later: one that does had its Open altered on the way, and then the
    rest may be altered, too.
    """

    def segment_received(self, segment: Segment, now: float) -> None:
        """See :meth:`ChannelLink.segment_received`."""
        if not segment.shows_nx2:
            super().segment_received(segment, now)
        elif self.machine.error is None:
            error = StreamAltered("the stream's first frame was altered: it hid that streams seal")
            self.machine.fail(error, ResetCode.DATA_LOST)
            self.machine.inbound.discard()


class AcceptorLink(SealedLink):
    """The acceptor's end of a stream.

    Args:
        machine: the channel.
        codec: the stream codec.
        tag: of the dialer.
        now: time of creation.
    """

    def __init__(
        self, machine: ChannelMachine, codec: ChannelCodec, tag: SenderTag, now: float
    ) -> None:
        super().__init__(machine, codec, now)
        self.offer_received: Callable[[bytes, float], None] = lambda frame, now: None
        """Called with an OFFER for this stream, to have it checked."""
        self.opened_by = tag
        """The tag that the stream was opened under."""
        self._binding = Binding(tag)
        self._sealer: AcceptorSealer | None = None
        self._confirms = False
        self._takes_along = False
        self._gate: PrefixGate | None = PrefixGate()
        self._held: list[Opened] = []
        self._held_bytes = 0
        self._opened_at = now
        self._accept_is_due = False
        self._accepted_at = -math.inf
        self._held_until = -math.inf
        self._accept_in_hand: Message | None = None  # until it is handed over: an abort takes it
        self._has_greeted = False

    @property
    def sealer(self) -> AcceptorSealer | None:
        """The keys, once an OFFER has come."""
        return self._sealer

    @property
    def is_acceptable(self) -> bool:
        """False before an OFFER has come, and been found new; and while the dialer has to show
        that it is there now. What comes without one may be a replay."""
        if self._sealer is None:
            return False
        return not self._confirms or self._sealer.is_confirmed

    @property
    def is_over(self) -> bool:
        """As of every sealed link; an ACCEPT goes before a refusal."""
        return super().is_over and not self._accept_is_due

    def offered(self, offer: Offer, sealer: AcceptorSealer, now: float, *, confirms: bool) -> None:
        """Take the OFFER that opened the stream, or followed its Open. Once.

        Args:
            offer: which has verified.
            sealer: made from it.
            now: the time.
            confirms: the dialer is to show first that it is there now.
        """
        self._sealer = sealer
        self._confirms = confirms
        self._takes_along = offer.takes_along
        self._accept_is_due = True
        if not confirms:
            self._held_until = now + (ANSWER_HOLD_SECONDS if offer.data else HOLD_SECONDS)
        self._become_sealed()
        is_started = self._gate is not None and self._gate.next_sequence > 0
        if not offer.seal_follows:
            self._gate = None
            if is_started:
                self._altered()
        self.machine.segment_received(hello_to(self.machine), now)
        self._open_early(now)

    def offered_again(self) -> None:
        """Note a copy of the OFFER: its answer may be lost."""
        self._accept_is_due = True

    def _altered(self) -> None:
        error = StreamAltered(
            "what came before the keys is not what the dialer sent, or it had no answer from us for"
            " 20 s, and does not seal"
        )
        self.machine.fail(error, ResetCode.DATA_LOST)
        self.machine.inbound.discard()

    def resumed(self, resume: Resume, tag: SenderTag, now: float) -> Bound:
        """Take a RESUME that has verified, and came under a tag."""
        bound = self._binding.resume(resume.move, tag)
        if bound is Bound.OLD:
            return bound
        self._take_ack(resume.ack, now)
        self.receipts.asked(resume.ack.counter)
        if bound is Bound.MOVED:
            self.kept.moved(now)
            self.moves += 1
            self.moved_to = tag
        return bound

    # From the peer.

    def doubted(self) -> bool:
        """See :meth:`ChannelLink.doubted`. What is left of a stream at its dialer answers, too."""
        is_there = self._sealer is not None and self._sealer.is_confirmed
        return is_there and self.machine.error is None and self.kept.doubted()

    def segment_received(self, segment: Segment, now: float) -> None:
        """See :meth:`ChannelLink.segment_received`."""
        if segment.kind is SegmentKind.PROTECTED:
            self._frame_received(segment.payload, now)
            return
        if segment.kind is SegmentKind.OFFER:
            self.offer_received(segment.payload, now)
            return
        message_type = _UNSEALED_KINDS.get(segment.kind)
        if self._gate is None or message_type is None:
            self._drop("unsealed")
            return
        frame = StreamFrame(
            int(segment.channel_id), message_type, segment.sequence, segment.payload
        )
        self._hand_out(self._gate.receive(frame), now)

    def _open(self, frame: bytes, now: float) -> None:
        if frame[TYPE_OFFSET] != MessageType.SEAL or self._sealer is None:
            super()._open(frame, now)
            return
        first_sealed, seal, is_news = self._sealer.open_seal(frame)
        self.verified(now)
        self.receipts.asked(seal.ack.counter)
        if is_news:
            self._take_ack(seal.ack, now)
        if self._gate is not None:
            self._hand_out(self._gate.seal(first_sealed, seal.digest), now)
        self._open_first(seal.first, frame, now)

    def _hand_out(self, frames: list[StreamFrame], now: float) -> None:
        gate = self._gate
        assert gate is not None
        for frame in frames:
            is_end = frame.message_type is MessageType.FIN
            self.receipts.numbered(frame.sequence, len(frame.payload), now, is_end=is_end)
            self.machine.segment_received(self._codec.decode(frame.encode()), now)
        if gate.state is PrefixState.ALTERED:
            self._altered()
        elif gate.state is PrefixState.SEALED:
            self._gate = None
            held, self._held, self._held_bytes = self._held, [], 0
            for opened in held:
                self._opened(opened, now)

    def _numbered(self, opened: Opened, now: float) -> None:
        if self._gate is None:
            super()._numbered(opened, now)
        elif len(self._held) < MAX_HELD_FRAMES and self._held_bytes < MAX_EARLY_BYTES:
            self._held.append(opened)
            self._held_bytes += len(opened.frame)

    @property
    def memory_bytes(self) -> int:
        """See :meth:`SealedLink.memory_bytes`; with what waits for the SEAL."""
        waiting = 0 if self._gate is None else self._gate.kept_bytes
        return super().memory_bytes + waiting + self._held_bytes

    def call_nobody(self) -> None:
        """See :meth:`ChannelLink.call_nobody`."""
        super().call_nobody()
        self.offer_received = lambda frame, now: None

    def last_words(self) -> EndedStream | None:
        """See :meth:`SealedLink.last_words`."""
        self._held.clear()
        self._held_bytes = 0
        return super().last_words()

    @property
    def _awaits_prefix(self) -> bool:
        return self._gate is not None

    # What to send.

    def next_message(self, now: float) -> Message | None:
        """See :meth:`ChannelLink.next_message`; the ACCEPT goes first, and with what follows it
        soon. The first numbered frame brings it along until the dialer is known to have it, so
        that neither waits for the other on its way."""
        if self._sealer is None:
            return super().next_message(now)
        is_due = self._accept_is_due and now >= self._accepted_at + ACCEPT_PAUSE_SECONDS
        was_taken_back = self._accept_in_hand is not None and self.machine.error is not None
        if not (is_due or was_taken_back):
            message = super().next_message(now)
            return message if message is None else self._with_accept(message, self._sealer)
        return self._next_accept(self._sealer, now)

    def _next_accept(self, sealer: AcceptorSealer, now: float) -> Message | None:
        is_first = self._accepted_at == -math.inf and has_room(
            self.machine.outbound.queued_bytes + SEALED_BYTES, sealer.accept_bytes
        )
        follows = None
        if is_first or self.machine.error is not None:
            follows = super().next_message(now)
            if follows is None and now < self._held_until and self.machine.error is None:
                return None
        accept = Message(sealer.accept(), any_surb=True)
        if follows is not None:
            accept = replace(follows, payload=sealer.accept(follows.payload), any_surb=True)
        self._accept_in_hand = accept if self._accept_is_due else None
        self._accept_is_due = False
        self._accepted_at = now
        return accept

    def _with_accept(self, message: Message, sealer: AcceptorSealer) -> Message:
        """Return the first numbered frame with the ACCEPT, as long as the dialer may lack it."""
        is_first = message.sequence == 0 and message.outgoing is not None
        if (
            not is_first
            or sealer.is_confirmed
            or not has_room(len(message.payload), sealer.accept_bytes)
        ):
            return message
        return replace(message, payload=sealer.accept(message.payload), any_surb=True)

    @property
    def rides(self) -> bool:
        """See :meth:`ChannelLink.rides`: the ACK of an end, to a dialer that has the keys."""
        is_ready = self._takes_along and not self._accept_is_due and self.machine.error is None
        return is_ready and self.receipts.end_waits

    def bring_along(self, message: Message, others: Iterable[ChannelLink], now: float) -> bytes:
        """See :meth:`ChannelLink.bring_along`: with what may take any reply SURB alone, since
        nothing else is sure to go at once."""
        frames: list[bytes] = []
        more = along_bytes(END_ACK_BYTES)
        is_able = self._takes_along and message.any_surb and self.machine.error is None
        for other in others if is_able else ():
            if len(frames) == MAX_ALONG or not has_room(len(message.payload), more):
                break
            if isinstance(other, AcceptorLink) and other.rides:
                other.receipts.ack_sent(now)
                frames.append(other.write_ack())
                more += 1 + END_ACK_BYTES
        return write_along(frames, message.payload) if frames else message.payload

    def handed_over(self, message: Message, packet_count: int, now: float) -> None:
        """See :meth:`ChannelLink.handed_over`."""
        super().handed_over(message, packet_count, now)
        if message is self._accept_in_hand:
            self._accept_in_hand = None

    @property
    def _echoes(self) -> bool:
        # So that an echo tells the dialer that its SEAL has come, or that nobody waits for it.
        is_open = self._gate is not None and self._gate.state is PrefixState.OPEN
        return self.machine.is_over or not is_open

    def _is_holding(self) -> bool:
        return self._sealer is None or super()._is_holding()

    def _next_own(self, now: float) -> Message | None:
        if (
            self._sealer is None
            and not self._has_greeted
            and now >= self._opened_at + HELLO_SECONDS
        ):
            self._has_greeted = True
            return Message(self._frame(MessageType.HELLO, 0))
        return super()._next_own(now)

    def _write(self, outgoing: OutgoingSegment, now: float) -> Message | None:
        # Without the keys nothing that the machine says would be taken: an OFFER that comes later
        # is answered by what is left of the stream.
        return super()._write(outgoing, now) if self._sealer is not None else None

    # Time.

    def _own_times(self) -> tuple[float, ...]:
        if self._sealer is None:
            return (self._opened_at + HELLO_SECONDS,)
        accept_at = max(self._accepted_at + ACCEPT_PAUSE_SECONDS, self._held_until)
        if not self._accept_is_due:
            accept_at = math.inf
        return (accept_at, *super()._own_times())

    def waited(self, seconds: float, now: float) -> bool:
        """See :meth:`SealedLink.waited`."""
        if not self.is_acceptable and seconds >= OPENING_SECONDS:
            lost = StreamPeerLost("the dialer's offer, or its confirmation, did not come")
            self.machine.fail(lost, ResetCode.CANCELLED)
        return not self.is_acceptable
