"""One stream's NX2, between its channel machine and its transport: what both ends have in common.

The machine sees segments, and takes for acknowledged what the peer itself acknowledged. Here they
are sealed and opened, kept and sent again; the decisions are those of the machines beside this
module. How a stream gets its keys is in :mod:`nymproxy.stream.nx2.dialing` and
:mod:`nymproxy.stream.nx2.accepting`.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING

from nymproxy.channel.fate import ACKNOWLEDGED, Fate
from nymproxy.channel.link import ChannelLink, Message
from nymproxy.channel.segment import NUMBERED_KINDS, Capability, Segment, SegmentKind
from nymproxy.errors import (
    ChannelFormatError,
    ResetCode,
    StreamDataLost,
    StreamError,
)
from nymproxy.stream.codec import (
    HEADER_LENGTH,
    MAX_SEQUENCE,
    TYPE_OFFSET,
    MessageType,
    StreamFrame,
)
from nymproxy.stream.nx2.after_end import EndedStream
from nymproxy.stream.nx2.early import EarlyFrames
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE, NUMBERED_TYPES
from nymproxy.stream.nx2.frames import Ack
from nymproxy.stream.nx2.kept import MAX_FRAMES_AHEAD, Kept
from nymproxy.stream.nx2.receipts import Receipts
from nymproxy.stream.nx2.roundtrip import RoundTrip
from nymproxy.stream.nx2.supply import CONTROL_SURBS, SurbSupply

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
    from nymproxy.channel.protocol import ChannelCodec
    from nymproxy.stream.nx2.envelopes import Opened
    from nymproxy.stream.nx2.sealer import Sealer

logger = logging.getLogger("nymproxy.stream")

MAX_FIRST_BYTES = 1024
"""Payload that an ACCEPT or a SEAL brings along: so much takes no second packet."""
OPENING_SECONDS = 100.0
ALL_CAPABILITIES = Capability(CAPABILITY_BYTE & 0x0F)
_SEALED_KINDS = NUMBERED_KINDS | {SegmentKind.RESET, SegmentKind.WINDOW, SegmentKind.PROBE}


def hello_to(machine: ChannelMachine) -> Segment:
    """Return what shows a machine all that a peer with NX2 can."""
    return Segment(SegmentKind.HELLO, machine.channel_id, capabilities=ALL_CAPABILITIES)


class SealedLink(ChannelLink, ABC):
    """What dialers and acceptors do alike, once :attr:`sealer` has keys.

    Args:
        machine: the channel.
        codec: the stream codec.
        now: time of creation.
    """

    def __init__(self, machine: ChannelMachine, codec: ChannelCodec, now: float) -> None:
        super().__init__(machine, codec)
        round_trip = RoundTrip()
        self.kept = Kept(round_trip, now)
        self.receipts = Receipts(round_trip, is_dialer=machine.is_dialer)
        self.supply = SurbSupply()
        self.counters: Counter[str] = Counter()
        """Frames that were dropped, by reason."""
        self.verified: Callable[[float], None] = lambda now: None
        """Called when a frame of the peer verified that was new."""
        self.is_plain = False
        """The peer has no NX2: segments pass as they are."""
        self._early = EarlyFrames()
        self._ended: EndedStream | None = None
        self._unknown: dict[int, OutgoingSegment] = {}  # numbered, and not acknowledged

    @property
    @abstractmethod
    def sealer(self) -> Sealer | None:
        """The keys, as soon as there are any."""

    @property
    def is_sealed(self) -> bool:
        """True once both ends have, or can have, the keys."""
        return not self.is_plain and self.sealer is not None and self.sealer.has_keys

    @property
    def hears_the_peer(self) -> bool:
        """See :meth:`ChannelLink.hears_the_peer`."""
        return not self.is_plain and self.sealer is not None and self.sealer.can_seal

    @property
    def is_over(self) -> bool:
        """As of the machine; and nothing is left that only this link can tell the peer."""
        if not self.machine.is_over or self.is_plain or self.machine.error is not None:
            return self.machine.is_over
        return self.kept.is_empty and not self.owes_answer

    @property
    def owes_answer(self) -> bool:
        """See :meth:`ChannelLink.owes_answer`: an ACK that was asked for, or of an end."""
        return self.machine.error is None and self.receipts.owes_answer

    @property
    def memory_bytes(self) -> int:
        """As of the machine, with what is kept to be sent again, and what waits for its keys; that
        goes when the peer of a stream that failed has been told, or cannot be."""
        if self.machine.error is not None:
            return self.machine.memory_bytes
        unsent = self.machine.outbound.flight.unsent_bytes  # which is kept, too
        kept = self.kept_bytes
        return self.machine.memory_bytes - min(unsent, kept) + kept + self._early.total_bytes

    @property
    def kept_bytes(self) -> int:
        """See :meth:`ChannelLink.kept_bytes`."""
        return self.kept.charged_bytes

    def _become_plain(self, now: float) -> None:
        """The peer has no NX2: what is kept is dropped, and packets' acknowledgements count."""
        self.is_plain = True
        self.kept = Kept(self.kept.round_trip, now)
        self._unknown.clear()
        self.machine.outbound.is_held = False
        self.machine.outbound.window.ceiling = None

    def _become_sealed(self) -> None:
        """There are keys: the rules of sealed streams hold."""
        self.machine.outbound.is_held = False
        self.machine.outbound.window.ceiling = None
        self.machine.outbound.max_ahead_frames = MAX_FRAMES_AHEAD
        self.machine.inbound.gap_timeout_seconds = math.inf

    # From the peer.

    def _drop(self, reason: str) -> None:
        self.counters[reason] += 1

    def _frame_received(self, frame: bytes, now: float) -> None:
        """Take a frame that only the keys open."""
        try:
            self._open(frame, now)
        except ChannelFormatError as error:
            logger.debug("dropped a frame of a stream: %s", error)
            self._drop("unverified")

    def _open(self, frame: bytes, now: float) -> None:
        sealer = self.sealer
        if sealer is None or not sealer.can_open:
            if not self._early.add(frame, now):
                self._drop("early")
        elif frame[TYPE_OFFSET] == MessageType.ACK:
            self._take_ack(sealer.open_ack(frame), now)
            self.verified(now)
        else:
            self._opened(sealer.open(frame), now)

    def _open_early(self, now: float) -> None:
        for frame in self._early.take(now):
            self._frame_received(frame, now)

    def _open_first(self, first: bytes, frame: bytes, now: float) -> None:
        """Take what a frame of NX2's own brings along, if it does, as if it had come alone."""
        if not first:
            return
        if first[:TYPE_OFFSET] != frame[:TYPE_OFFSET]:
            raise ChannelFormatError("a frame that brings along one of another stream")
        SealedLink._open(self, first, now)

    def _take_ack(self, ack: Ack, now: float) -> None:
        for sequence in self.kept.take_ack(ack, now):
            self._acknowledged(sequence, now)
        self.machine.outbound.window.raise_limit(ack.limit)

    def _opened(self, opened: Opened, now: float) -> None:
        for sequence in self.kept.acknowledge(opened.next_expected, now):
            self._acknowledged(sequence, now)
        if opened.message_type in NUMBERED_TYPES:
            self._numbered(opened, now)
            return
        self.verified(now)
        if opened.message_type is MessageType.PROBE:
            assert opened.counter is not None
            self.receipts.asked(opened.counter)
        else:
            self.machine.segment_received(self._codec.decode(opened.frame), now)

    def _numbered(self, opened: Opened, now: float) -> None:
        if not self.receipts.is_in_reach(opened.sequence):
            self._drop("out-of-reach")
            return
        size = len(opened.frame) - HEADER_LENGTH
        is_end = opened.message_type is MessageType.FIN
        if self.receipts.numbered(opened.sequence, size, now, is_end=is_end):
            self.verified(now)
            self.machine.segment_received(self._codec.decode(opened.frame), now)

    def _acknowledged(self, sequence: int, now: float) -> None:
        self.machine.delivery_changed(self._unknown.pop(sequence), ACKNOWLEDGED, now)

    # What to send.

    def next_message(self, now: float) -> Message | None:
        """See :meth:`ChannelLink.next_message`."""
        if self.is_plain:
            return super().next_message(now)
        if self.machine.error is None:
            message = self._next_own(now)
            if message is not None:
                return message
        self.machine.outbound.is_held = self._is_holding()
        self.machine.outbound.max_payload_bytes = self.kept.frame_size.payload_bytes
        while (outgoing := self.machine.next_outgoing(now)) is not None:
            message = self._write(outgoing, now)
            if message is not None:
                return message
        return None

    def _is_holding(self) -> bool:
        """Tell whether no numbered message may be made now."""
        return not self.kept.has_room

    def _next_own(self, now: float) -> Message | None:
        """Return a message of the link's own that is due."""
        sealer = self.sealer
        if sealer is None or not self.is_sealed:
            return None
        if self.receipts.due_at <= now:
            is_answer = self.receipts.owes_answer
            self.receipts.ack_sent(now)
            return Message(self.write_ack(), self._control_surbs(), any_surb=is_answer)
        due = self.kept.take_due(now)
        if due is not None:
            sequence, frame = due
            return Message(frame, self._control_surbs(), sequence=sequence)
        if self.kept.probe_at <= now:
            probe = self._frame(MessageType.PROBE, self.machine.outbound.next_sequence)
            sealed = sealer.seal(probe, self.receipts.received.next_expected)
            self.kept.probed(sealer.last_counter, now)
            return Message(sealed, CONTROL_SURBS)
        return None

    def write_ack(self) -> bytes:
        """Return an ACK of all that has come."""
        assert self.sealer is not None
        return self.sealer.ack(self._ack())

    def _ack(self) -> Ack:
        received = self.receipts.received
        echo = self.receipts.echo if self._echoes else 0
        limit = self.machine.inbound.window.limit
        return Ack(received.next_expected, 0, echo, limit, received.ranges())

    @property
    def _echoes(self) -> bool:
        """True when an ACK of ours may echo what it answers."""
        return True

    def _control_surbs(self) -> int:
        """SURBs that a message without data of its own brings along: it has the room."""
        return self.supply.for_control() if self.machine.is_dialer else 0

    def _frame(self, message_type: MessageType, sequence: int) -> bytes:
        stream_id = int(self.machine.channel_id)
        return StreamFrame(stream_id, message_type, sequence, b"", CAPABILITY_BYTE).encode()

    def _write(self, outgoing: OutgoingSegment, now: float) -> Message | None:
        """Return the message for a segment of the machine; ``None``: there is none."""
        sealer = self.sealer
        segment = outgoing.segment
        if sealer is None or not sealer.can_seal or segment.kind not in _SEALED_KINDS:
            return None
        if segment.is_numbered and segment.sequence >= MAX_SEQUENCE:
            error = StreamError("the stream's message numbers are used up")
            self.machine.fail(error, ResetCode.CANCELLED)
            return None
        next_expected = self.receipts.received.next_expected
        frame = sealer.seal(self._codec.encode(segment), next_expected)
        self.receipts.frame_sent()
        if not segment.is_numbered:
            is_reset = segment.kind is SegmentKind.RESET
            return Message(frame, outgoing.surbs, outgoing, any_surb=is_reset)
        return self._keep(frame, outgoing, now)

    def _keep(self, frame: bytes, outgoing: OutgoingSegment, now: float) -> Message:
        sequence = outgoing.segment.sequence
        self.kept.add(sequence, frame, now)
        self._unknown[sequence] = outgoing
        is_end = outgoing.segment.kind is SegmentKind.FIN
        surbs = self.supply.for_end() if is_end else self.supply.for_data(outgoing.surbs)
        return Message(frame, surbs, outgoing, sequence)

    # What becomes of messages.

    def handed_over(self, message: Message, packet_count: int, now: float) -> None:
        """See :meth:`ChannelLink.handed_over`."""
        super().handed_over(message, packet_count, now)
        if message.sequence is not None:
            self.kept.handed_over(message.sequence, now)

    def delivery_changed(self, message: Message, fate: Fate, now: float) -> None:
        """See :meth:`ChannelLink.delivery_changed`; what packets say, the peer has not said."""
        if self.is_plain or fate.error is None:
            counts = fate.is_acknowledged and self._packets_count(message)
            super().delivery_changed(message, fate._replace(is_acknowledged=counts), now)
        if message.sequence is None:
            return
        if fate.error is not None:
            self.kept.given_up(message.sequence, now)
        elif fate.is_acknowledged:
            self.kept.delivered(message.sequence, now)

    def _packets_count(self, message: Message) -> bool:
        """Tell whether the machine takes what becomes of a message's packets for its fate."""
        return self.is_plain or message.sequence is None

    def call_nobody(self) -> None:
        """See :meth:`ChannelLink.call_nobody`."""
        self.verified = lambda now: None
        self.supply.held = lambda: 0

    def last_words(self) -> EndedStream | None:
        """See :meth:`ChannelLink.last_words`; the same each time."""
        if self.is_plain or self.sealer is None or not self.sealer.has_keys:
            return None
        if self._ended is None:
            self.kept = Kept(self.kept.round_trip, 0.0)
            self._early = EarlyFrames()
            self._ended = EndedStream(
                self.sealer,
                self.receipts,
                self.machine.inbound.window.limit,
                may_say_farewell=self.may_say_farewell,
                has_failed=self.machine.error is not None,
                awaits_seal=self._awaits_prefix,
            )
        return self._ended

    @property
    def _awaits_prefix(self) -> bool:
        """True when what the peer sends is unsealed, and not confirmed yet."""
        return False

    @property
    def may_say_farewell(self) -> bool:
        """See :meth:`ChannelLink.may_say_farewell`."""
        has_ended = self.machine.inbound.has_ended
        return self.hears_the_peer and not has_ended and self.machine.error is None

    # Time.

    @abstractmethod
    def waited(self, seconds: float, now: float) -> bool:
        """Note that the stream was begun so long ago, times without a gateway not counted.

        Returns:
            Whether it still waits to be opened; later it need not be told any more.
        """

    def next_deadline(self, now: float) -> float:
        """See :meth:`ChannelLink.next_deadline`."""
        due = self.machine.next_deadline(now)
        if self.is_plain or self.machine.error is not None:
            return due
        if self.is_sealed:
            due = min(due, self.kept.stalled_at)
        for at in self._own_times():
            if now < at < due:
                due = at
        return due

    def _own_times(self) -> tuple[float, ...]:
        """Times at which :meth:`_next_own` has something, of those that lie ahead."""
        if not self.is_sealed:
            return ()
        return (self.receipts.due_at, self.kept.deadline)

    def tick(self, now: float) -> None:
        """See :meth:`ChannelLink.tick`."""
        self.machine.tick(now)
        if not self.is_plain and self.is_sealed and now >= self.kept.stalled_at:
            lost = StreamDataLost("the peer has acknowledged nothing for five minutes")
            self.machine.fail(lost, ResetCode.DATA_LOST)
