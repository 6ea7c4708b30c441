"""What of a dialer's link vouches for what went before there were keys: SEALs until one arrives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy.channel.link import Message
from nymproxy.channel.segment import SegmentKind
from nymproxy.stream.codec import MessageType
from nymproxy.stream.nx2.link import MAX_FIRST_BYTES
from nymproxy.stream.nx2.movable import MovableLink
from nymproxy.stream.nx2.prefix import PrefixDigest
from nymproxy.stream.nx2.repeated import Repeated

if TYPE_CHECKING:
    from nymproxy.channel.machine import ChannelMachine, OutgoingSegment
    from nymproxy.channel.protocol import ChannelCodec
    from nymproxy.stream.nx2.frames import Ack
    from nymproxy.stream.nx2.sealer import DialerSealer

SEAL_SECONDS = 0.25


class VouchingLink(MovableLink):
    """The base of a dialer's link, of which the first frames may go unsealed."""

    def __init__(
        self, machine: ChannelMachine, codec: ChannelCodec, sealer: DialerSealer, now: float
    ) -> None:
        super().__init__(machine, codec, now)
        self._sealer = sealer
        self._prefix = PrefixDigest()
        self._seals = Repeated()
        self._seal_counter = 0

    @property
    def sealer(self) -> DialerSealer:
        """The keys."""
        return self._sealer

    @property
    def _awaits_seal(self) -> bool:
        return self._seals.goes_on

    @property
    def _awaits_first_seal(self) -> bool:
        return self._awaits_seal and not self._seal_counter

    @property
    def _has_much(self) -> bool:
        return self.machine.outbound.queued_bytes > MAX_FIRST_BYTES

    def _write_unsealed(self, outgoing: OutgoingSegment, now: float) -> Message:
        """Write a numbered segment for a peer of which nothing is known."""
        segment = outgoing.segment
        kind = MessageType.FIN if segment.kind is SegmentKind.FIN else MessageType.DATA
        self._prefix.add(kind, segment.payload)
        return self._keep(self._codec.encode(segment), outgoing, now)

    def _begin_seals(self, now: float) -> None:
        """There are keys now, for a peer to which something went unsealed."""
        self._seals.begin(now + SEAL_SECONDS)

    def _take_ack(self, ack: Ack, now: float) -> None:
        if self._seal_counter and ack.echo >= self._seal_counter:
            self._seals.stop()
        super()._take_ack(ack, now)

    def _acknowledged(self, sequence: int, now: float) -> None:
        if sequence >= self._prefix.next_sequence:
            self._seals.stop()
        super()._acknowledged(sequence, now)

    def _seal_is_due(self, now: float) -> bool:
        """Tell whether a SEAL goes by itself: it is time, or an ACK, or much, waits for it."""
        if self._seals.at <= now or not self._awaits_first_seal:
            return self._seals.at <= now
        return self.receipts.due_at <= now or self._has_much

    def _seal(self, now: float, follows: Message | None = None) -> Message:
        """Return a SEAL, around what is sealed first."""
        message = follows or Message(b"", self._control_surbs())
        self._seals.sent(now, self.kept.round_trip.question_seconds)
        payload = self._sealer.write_seal(
            self._prefix.next_sequence, self._prefix.value(), self._ack(), message.payload
        )
        self.receipts.ack_sent(now)
        self._seal_counter = self._sealer.last_counter
        return replace(message, payload=payload)

    def _is_holding(self) -> bool:
        # What is short goes in the SEAL, what is not behind it.
        return super()._is_holding() or (self._awaits_first_seal and self._has_much)

    def _own_times(self) -> tuple[float, ...]:
        return (self._seals.at, *super()._own_times())
