"""What of a dialer's link moves it: RESUMEs, and when the acceptor's other addresses are asked."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from nymproxy.channel.fate import Fate
from nymproxy.channel.link import Message
from nymproxy.errors import ResetCode, StreamPeerLost, UnknownGateway
from nymproxy.stream.nx2.link import SealedLink
from nymproxy.stream.nx2.moving import Silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.channel.machine import ChannelMachine
    from nymproxy.channel.protocol import ChannelCodec
    from nymproxy.errors import NymError
    from nymproxy.stream.nx2.frames import Ack
    from nymproxy.stream.nx2.moving import Mover
    from nymproxy.stream.nx2.sealer import DialerSealer


class MovableLink(SealedLink):
    """The base of a dialer's link."""

    def __init__(self, machine: ChannelMachine, codec: ChannelCodec, now: float) -> None:
        super().__init__(machine, codec, now)
        self.mover: Mover | None = None
        """Set as soon as the stream can move."""
        self.silence = Silence(self.kept.round_trip)
        self.unanswered: Callable[[float], None] | None = None
        """Set when the acceptor has other addresses: called when nothing that was sent is
        acknowledged, not even by its gateway, or that gateway is not in the network any more."""
        self.arrived: Callable[[float], None] = lambda now: None
        """Called when a move is over."""

    def call_nobody(self) -> None:
        """See :meth:`ChannelLink.call_nobody`."""
        super().call_nobody()
        self.arrived = lambda now: None
        self.unanswered = None

    @property
    @abstractmethod
    def sealer(self) -> DialerSealer:
        """The keys."""

    @property
    def can_move(self) -> bool:
        """See :meth:`ChannelLink.can_move`: once it has its keys."""
        return self.mover is not None and not self.is_plain

    @property
    def is_moving(self) -> bool:
        """True while a move is under way: only a RESUME is of use then."""
        return self.mover is not None and self.mover.is_moving

    def _is_holding(self) -> bool:
        return super()._is_holding() or self.is_moving

    def _next_own(self, now: float) -> Message | None:
        return None if self.is_moving else super()._next_own(now)

    def resume_is_due(self, now: float) -> bool:
        """Tell whether :meth:`resume` is to be called."""
        return self.mover is not None and self.mover.deadline <= now

    def resume(self, now: float) -> Message:
        """Return a RESUME."""
        assert self.mover is not None
        place, surbs = self.mover.place, self.mover.surbs
        frame = self.sealer.resume(self.mover.move, self._ack(), place.tag, place.address)
        self.mover.resumed(self.sealer.last_counter, now)
        self.receipts.ack_sent(now)
        return Message(frame, surbs)

    def _take_ack(self, ack: Ack, now: float) -> None:
        has_arrived = self.mover is not None and self.mover.acknowledged(ack.echo)
        super()._take_ack(ack, now)
        if has_arrived:
            self.kept.moved(now)
            self.arrived(now)

    def could_not_send(self, message: Message, error: NymError, now: float) -> None:
        """See :meth:`ChannelLink.could_not_send`; what cannot go this way may go another one."""
        if self.unanswered is None or not isinstance(error, UnknownGateway):
            super().could_not_send(message, error, now)
            return
        self.handed_over(message, 0, now)
        self.delivery_changed(message, Fate(error=error), now)
        self.unanswered(now)

    def delivery_changed(self, message: Message, fate: Fate, now: float) -> None:
        """See :meth:`ChannelLink.delivery_changed`."""
        self.silence.changed(message, fate, now)
        super().delivery_changed(message, fate, now)

    def _own_times(self) -> tuple[float, ...]:
        times = super()._own_times()
        if self.mover is None:
            return times
        return (self.mover.deadline, self.mover.lost_at, self.silence.deadline, *times)

    def tick(self, now: float) -> None:
        """See :meth:`ChannelLink.tick`."""
        super().tick(now)
        if self.mover is None:
            return
        if now >= self.mover.lost_at:
            lost = StreamPeerLost("the acceptor has not answered where the stream moved to")
            self.machine.fail(lost, ResetCode.IDLE_TIMEOUT)
        elif now >= self.silence.deadline:
            self.silence.broken(now)
            if self.unanswered is not None:
                self.unanswered(now)
