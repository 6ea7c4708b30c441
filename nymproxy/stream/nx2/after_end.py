"""What still answers for a stream that is over here, to a peer that has not heard of it.

It stays for minutes, of each stream: some 400 bytes, where the stream itself has fifteen times as
much. What is not kept is derived again when a frame comes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nymproxy.channel.reset_body import encode_reset
from nymproxy.channel.segment import SegmentKind
from nymproxy.errors import ChannelFormatError, ResetCode
from nymproxy.stream.codec import HEADER_LENGTH, TYPE_OFFSET, MessageType, StreamFrame
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE, NUMBERED_TYPES
from nymproxy.stream.nx2.frames import Ack
from nymproxy.stream.nx2.sealer import AcceptorSealer, read_offer

if TYPE_CHECKING:
    from nymproxy.channel.segment import Segment
    from nymproxy.stream.nx2.receipts import Receipts
    from nymproxy.stream.nx2.sealer import Sealer

PAUSE_SECONDS = 1.0
_UNSEALED_KINDS = frozenset({SegmentKind.DATA, SegmentKind.FIN})


class EndedStream:
    """Tells a peer that sends on that everything had come, or that nobody reads any more.

    Args:
        sealer: the keys of the stream; what it makes from now on, only this makes.
        receipts: what of the peer has come.
        limit: of bytes that the peer was allowed to send.
        may_say_farewell: the peer's direction has not ended, and it may wait.
        has_failed: it was not ended in order.
        awaits_seal: the dialer's SEAL has not come, and what it covers is unsealed.
    """

    __slots__ = (
        "_answered_at",
        "_awaits_seal",
        "_echo",
        "_has_failed",
        "_limit",
        "_may_say_farewell",
        "_packed",
        "_received",
        "_sealer_class",
        "address",
        "ended_at",
        "peer",
        "stream_id",
        "tag",
    )

    def __init__(
        self,
        sealer: Sealer,
        receipts: Receipts,
        limit: int,
        *,
        may_say_farewell: bool,
        has_failed: bool,
        awaits_seal: bool,
    ) -> None:
        self.stream_id = sealer.stream_id
        self.tag = sealer.tag
        """Under which the stream was opened."""
        self.address = sealer.address
        self.peer = sealer.tag
        """Under which it was answered last."""
        self.ended_at = 0.0
        """When it ended; connected time."""
        self._sealer_class = type(sealer)
        self._packed = sealer.pack()
        self._received = receipts.received
        self._echo = receipts.echo
        self._limit = limit
        self._may_say_farewell = may_say_farewell
        self._has_failed = has_failed
        self._awaits_seal = awaits_seal
        self._answered_at: dict[int, float] | None = None  # by type: no ACK keeps a RESET back

    def answer(self, segment: Segment, now: float) -> list[bytes]:
        """See :class:`nymproxy.channel.link.LastWords`."""
        sealer = self.sealer()
        try:
            answer = self._answer(segment, sealer)
        except ChannelFormatError:
            answer = None
        self._packed = sealer.pack()
        if answer is None:
            return []
        if self._answered_at is None:
            self._answered_at = {}
        answered_at = self._answered_at.get(answer[TYPE_OFFSET], -math.inf)
        if now < answered_at + PAUSE_SECONDS:
            return []
        self._answered_at[answer[TYPE_OFFSET]] = now
        return [answer]

    def farewell(self) -> bytes | None:
        """See :class:`nymproxy.channel.link.LastWords`."""
        if not self._may_say_farewell:
            return None
        sealer = self.sealer()
        reset = self._write_unknown(sealer)
        self._packed = sealer.pack()
        return reset

    def sealer(self) -> Sealer:
        """Return the keys, derived again."""
        return self._sealer_class.unpack(self.stream_id, self.tag, self.address, self._packed)

    def resumed(self, sealer: Sealer, counter: int) -> bytes:
        """Take a RESUME that such keys have opened, with the counter of its ACK; returns what
        tells the dialer that everything had come."""
        self._echo = max(self._echo, counter)
        ack = self._write_ack(sealer)
        self._packed = sealer.pack()
        return ack

    def _answer(self, segment: Segment, sealer: Sealer) -> bytes | None:
        """Return what answers a frame that came late; raises ``ChannelFormatError`` if it does not
        verify. A dialer sends its OFFER until it is accepted, and its SEAL until it is echoed."""
        frame = segment.payload
        if segment.kind is SegmentKind.OFFER and isinstance(sealer, AcceptorSealer):
            is_copy = sealer.is_same(read_offer(frame, self.tag, self.address))
            return sealer.accept() if is_copy else None
        if segment.kind in _UNSEALED_KINDS and self._awaits_seal and frame:
            return None if self._received.has(segment.sequence) else self._write_unknown(sealer)
        if segment.kind is not SegmentKind.PROTECTED:
            return None
        if isinstance(sealer, AcceptorSealer) and frame[TYPE_OFFSET] == MessageType.SEAL:
            _, seal, _ = sealer.open_seal(frame)
            self._echo = max(self._echo, seal.ack.counter)
            if not seal.first:
                return self._write_ack(sealer)
            frame = seal.first
        return self._answer_sealed(frame, sealer)

    def _answer_sealed(self, frame: bytes, sealer: Sealer) -> bytes | None:
        """Return an ACK, also of an end that came only now; or a RESET for data that nobody
        reads, and to a peer that asks and waits: what told it may be lost."""
        opened = sealer.open(frame)
        if opened.message_type is MessageType.PROBE:
            assert opened.counter is not None
            self._echo = max(self._echo, opened.counter)
            has_all = opened.sequence <= self._received.next_expected
            if has_all and self._may_say_farewell:
                return self._write_unknown(sealer)
        elif opened.message_type not in NUMBERED_TYPES:
            return None
        elif len(opened.frame) > HEADER_LENGTH and not self._received.has(opened.sequence):
            return self._write_unknown(sealer)
        else:
            self._received.add(opened.sequence)
            self._may_say_farewell &= opened.message_type is not MessageType.FIN
        return self._write_unknown(sealer) if self._has_failed else self._write_ack(sealer)

    def _write_ack(self, sealer: Sealer) -> bytes:
        received = self._received
        return sealer.ack(
            Ack(received.next_expected, 0, self._echo, self._limit, received.ranges())
        )

    def _write_unknown(self, sealer: Sealer) -> bytes:
        """Return a RESET that says that nobody reads any more."""
        payload = encode_reset(ResetCode.UNKNOWN_STREAM, "")
        reset = StreamFrame(self.stream_id, MessageType.RESET, 0, payload, CAPABILITY_BYTE)
        return sealer.seal(reset.encode(), self._received.next_expected)
