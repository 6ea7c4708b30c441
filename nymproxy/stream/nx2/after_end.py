"""What still answers for a stream that is over here, to a peer that has not heard of it.

It stays for minutes, of each stream: some 250 bytes, where the stream itself has forty times as
much. What is not kept is derived again when a frame comes.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from nymproxy.channel.reset_body import encode_reset
from nymproxy.channel.segment import SegmentKind
from nymproxy.errors import ChannelFormatError, ResetCode
from nymproxy.stream.codec import HEADER_LENGTH, TYPE_OFFSET, MessageType, StreamFrame
from nymproxy.stream.nx2.envelopes import CAPABILITY_BYTE, NUMBERED_TYPES
from nymproxy.stream.nx2.frames import Ack
from nymproxy.stream.nx2.receipts import ReceivedRanges
from nymproxy.stream.nx2.sealer import AcceptorSealer, read_offer

if TYPE_CHECKING:
    from nymproxy.channel.segment import Segment
    from nymproxy.stream.nx2.receipts import Receipts
    from nymproxy.stream.nx2.sealer import Sealer

PAUSE_SECONDS = 1.0
_UNSEALED_KINDS = frozenset({SegmentKind.DATA, SegmentKind.FIN})
_STATE = struct.Struct(">QQ???H")


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
        "_packed",
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
        flags = (may_say_farewell, has_failed, awaits_seal)
        self._packed = _LastState(sealer, receipts.received, receipts.echo, limit, *flags).pack()
        self._answered_at: dict[int, float] | None = None  # by type: no ACK keeps a RESET back

    def _unpack(self) -> _LastState:
        packed = self._packed
        echo, limit, *flags, size = _STATE.unpack_from(packed)
        ranges = _STATE.size + size
        sealer = self._sealer_class.unpack(
            self.stream_id, self.tag, self.address, packed[_STATE.size : ranges]
        )
        return _LastState(sealer, ReceivedRanges.unpack(packed[ranges:]), echo, limit, *flags)

    def answer(self, segment: Segment, now: float) -> list[bytes]:
        """See :class:`nymproxy.channel.link.LastWords`."""
        state = self._unpack()
        try:
            answer = state.answer(segment)
        except ChannelFormatError:
            answer = None
        self._packed = state.pack()
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
        state = self._unpack()
        if not state.may_say_farewell:
            return None
        reset = state.write_unknown()
        self._packed = state.pack()
        return reset

    def sealer(self) -> Sealer:
        """Return the keys, derived again."""
        return self._unpack().sealer

    def resumed(self, sealer: Sealer, counter: int) -> bytes:
        """Take a RESUME that such keys have opened, with the counter of its ACK; returns what
        tells the dialer that everything had come."""
        state = self._unpack()
        state.sealer = sealer
        state.echo = max(state.echo, counter)
        ack = state.write_ack()
        self._packed = state.pack()
        return ack


class _LastState:
    """The keys and what has come, while a frame is answered; see :class:`EndedStream`."""

    __slots__ = (
        "_awaits_seal",
        "_has_failed",
        "_limit",
        "_received",
        "echo",
        "may_say_farewell",
        "sealer",
    )

    def __init__(
        self,
        sealer: Sealer,
        received: ReceivedRanges,
        echo: int,
        limit: int,
        may_say_farewell: bool,
        has_failed: bool,
        awaits_seal: bool,
    ) -> None:
        self.sealer = sealer
        self.echo = echo
        self.may_say_farewell = may_say_farewell
        self._received = received
        self._limit = limit
        self._has_failed = has_failed
        self._awaits_seal = awaits_seal

    def pack(self) -> bytes:
        sealer = self.sealer.pack()
        flags = (self.may_say_farewell, self._has_failed, self._awaits_seal)
        fixed = _STATE.pack(self.echo, self._limit, *flags, len(sealer))
        return fixed + sealer + self._received.pack()

    def answer(self, segment: Segment) -> bytes | None:
        """Return what answers a frame that came late; raises ``ChannelFormatError`` if it does not
        verify. A dialer sends its OFFER until it is accepted, and its SEAL until it is echoed."""
        frame, sealer = segment.payload, self.sealer
        if segment.kind is SegmentKind.OFFER and isinstance(sealer, AcceptorSealer):
            is_copy = sealer.is_same(read_offer(frame, sealer.tag, sealer.address))
            return sealer.accept() if is_copy else None
        if segment.kind in _UNSEALED_KINDS and self._awaits_seal and frame:
            return None if self._received.has(segment.sequence) else self.write_unknown()
        if segment.kind is not SegmentKind.PROTECTED:
            return None
        if isinstance(sealer, AcceptorSealer) and frame[TYPE_OFFSET] == MessageType.SEAL:
            _, seal, _ = sealer.open_seal(frame)
            self.echo = max(self.echo, seal.ack.counter)
            if not seal.first:
                return self.write_ack()
            frame = seal.first
        return self._answer_sealed(frame)

    def _answer_sealed(self, frame: bytes) -> bytes | None:
        """Return an ACK, also of an end that came only now; or a RESET for data that nobody
        reads, and to a peer that asks and waits: what told it may be lost."""
        opened = self.sealer.open(frame)
        if opened.message_type is MessageType.PROBE:
            assert opened.counter is not None
            self.echo = max(self.echo, opened.counter)
            has_all = opened.sequence <= self._received.next_expected
            if has_all and self.may_say_farewell:
                return self.write_unknown()
        elif not (
            opened.message_type in NUMBERED_TYPES and self._received.is_in_reach(opened.sequence)
        ):
            return None
        elif len(opened.frame) > HEADER_LENGTH and not self._received.has(opened.sequence):
            return self.write_unknown()
        else:
            self._received.add(opened.sequence)
            self.may_say_farewell &= opened.message_type is not MessageType.FIN
        return self.write_unknown() if self._has_failed else self.write_ack()

    def write_ack(self) -> bytes:
        received = self._received
        return self.sealer.ack(
            Ack(received.next_expected, 0, self.echo, self._limit, received.ranges())
        )

    def write_unknown(self) -> bytes:
        """Return a RESET that says that nobody reads any more."""
        payload = encode_reset(ResetCode.UNKNOWN_STREAM, "")
        reset = StreamFrame(self.sealer.stream_id, MessageType.RESET, 0, payload, CAPABILITY_BYTE)
        return self.sealer.seal(reset.encode(), self._received.next_expected)
