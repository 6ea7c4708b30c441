"""Connects one channel's link to a transport: the sending task, and who is woken when."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import TYPE_CHECKING

import anyio

from nymproxy._signal import Signal
from nymproxy.address import SenderTag
from nymproxy.channel.fate import Fate
from nymproxy.channel.protocol import AbortSignal
from nymproxy.errors import DeliveryAbandoned, NymError, PhaseTimeout, ResetCode, StreamReset

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NymAddress
    from nymproxy.channel.link import ChannelLink, Message
    from nymproxy.channel.riders import Riders
    from nymproxy.channel.segment import ChannelKey
    from nymproxy.mixnet.transport import Delivery, MessageTransport

logger = logging.getLogger("nymproxy.channel")

ABORT_SECONDS = 5.0
"""How long the message that tells an abort may take to leave, and to be acknowledged."""

LATE_SECONDS = 1.0
"""A timer that fires so late has slept; and so long is between two looks at a lost gateway."""
WAKING_SECONDS = 10.0
"""After a sleep: what came meanwhile is read first."""


class UnderWay:
    """Counts the messages of a transport that are neither acknowledged nor given up.

    An identity that is thrown away takes its retransmissions with it: what it said last, perhaps
    the Close of an aborted session, must be acknowledged first.
    """

    def __init__(self) -> None:
        self._count = 0
        self._none = Signal()

    def begin(self) -> None:
        """Count a message; :meth:`end` must follow."""
        self._count += 1

    def end(self) -> None:
        """Note the end of one."""
        self._count -= 1
        if not self._count:
            self._none.set()

    async def settled(self) -> None:
        """Wait until there is none."""
        while self._count:
            await self._none.wait()


class ChannelDriver:
    """Runs one channel.

    Whoever gives the machine an event calls :meth:`changed` after it. The sending task takes
    messages from the machine one at a time, so what waits for the transport waits in the machine,
    where small writes are merged.

    Args:
        link: the channel's.
        key: its key in the table.
        peer: where its messages go.
        transport: carries them.
        new_lane: returns a lane that nobody has used.
        schedule: called with the driver and the machine's next deadline.
        on_released: called when the application lets go of a channel that is done.
        under_way: where its messages are counted.
        riders: what may go along with its messages.
    """

    def __init__(
        self,
        link: ChannelLink,
        key: ChannelKey,
        peer: NymAddress | SenderTag,
        transport: MessageTransport,
        new_lane: Callable[[], int],
        schedule: Callable[[ChannelDriver, float], None],
        on_released: Callable[[ChannelDriver], None],
        under_way: UnderWay,
        riders: Riders,
    ) -> None:
        self.link = link
        self.machine = machine = link.machine
        self.key = key
        self.peer = peer
        """Where its messages go."""
        self.opened_with = peer
        """Where they went at first."""
        self.transport = transport
        self.readable = Signal()
        self.writable = Signal()
        self.state = Signal()
        """Woken by every change."""
        self.is_done = False
        """The sending task has ended; nothing more happens."""
        self.on_over: Callable[[], None] | None = None
        """Called once when that is so, whatever has ended it. It does not raise."""
        self._new_lane = new_lane
        self._lane = new_lane()
        self._moves = 0
        self.is_held = False
        """An application has the channel, and has not closed or aborted it."""
        self._schedule = schedule
        self._on_released = on_released
        self._under_way = under_way
        self._riders = riders
        self._work = Signal()
        self._sending: anyio.CancelScope | None = None
        self._has_failed = False
        self._due_at = math.inf
        self._outage_seconds = transport.outage_seconds
        self._share = transport.memory.share(peer, self._give_back)
        if machine.traits.pacing is not None:
            machine.traits.pacing.wake = self._pacing_changed

    def changed(self, now: float) -> None:
        """Wake whoever the last event concerns."""
        machine = self.machine
        if self.link.moves != self._moves:
            self._moved()
        if machine.error is not None and not self._has_failed:
            self._has_failed = True
            self._stop_sending(now)
        self._charge()
        self._riders.note(self)
        failed = machine.error is not None or machine.is_closed
        if failed or machine.is_readable or machine.inbound.has_ended:
            self.readable.set()
        if failed or machine.write_error is not None or machine.room:
            self.writable.set()
        self.state.set()
        self._work.set()
        self._due_at = self.link.next_deadline(now)
        self._schedule(self, self._due_at)
        self.transport.memory.settle()

    def _charge(self) -> None:
        """Say how much is held; who keeps much for a peer takes no more, where it gets scarce. As
        long as some is kept, the peer's acknowledgement lets it go on."""
        memory = self.transport.memory
        self._share.hold(self.link.memory_bytes)
        is_full = self.link.kept_bytes > 0 and memory.is_over_share(self.opened_with)
        self.machine.outbound.is_full = is_full

    def _moved(self) -> None:
        """Send to another peer from now on; what waits for the one before has failed."""
        assert self.link.moved_to is not None
        self._moves = self.link.moves
        self.transport.let_go(self.peer)
        self.peer = self.link.moved_to
        self.transport.hold(self.peer)
        if self._sending is not None:
            self._sending.cancel()
        lane, self._lane = self._lane, self._new_lane()
        self.transport.discard_lane(lane)

    def _give_back(self) -> None:
        """Abort the channel: its peer makes us hold more than any other."""
        self.machine.abort(ResetCode.CANCELLED, "too much is held for this peer")
        self.changed(anyio.current_time())

    async def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Wait for a condition, or raise the channel's error."""
        while not is_so():
            if self.machine.error is not None:
                raise self.machine.error
            await self.state.wait()

    async def wait_established(self, timeout: float | None) -> None:
        """Wait for a sign of the peer, or raise the channel's error.

        Raises:
            PhaseTimeout: there was none within ``timeout`` seconds.
        """
        try:
            with anyio.fail_after(timeout):
                await self.wait_for(lambda: self.machine.is_established)
        except TimeoutError:
            raise PhaseTimeout(f"the peer did not answer within {timeout} s") from None
        if self.machine.error is not None:
            raise self.machine.error

    @property
    def goes_on(self) -> bool:
        """True when neither an abort nor a last answer is all that is left to be sent."""
        return self.machine.error is None and not self.machine.is_over

    @property
    def has_told(self) -> bool:
        """True when the peer waits for nothing that only this channel can tell it."""
        return self._sending is None and not self.link.owes_answer

    def release(self) -> None:
        """Note that the application has closed or aborted the channel. Idempotent."""
        if self.is_held:
            self.is_held = False
            if self.is_done:
                self._share.close()
                self._on_released(self)

    def _pacing_changed(self) -> None:
        if not self.is_done:
            self.changed(anyio.current_time())

    def tick(self, now: float) -> None:
        """Do what is due by time."""
        self._note_what_could_not_be_heard(now)
        self.link.tick(now)
        self.changed(now)

    def _note_what_could_not_be_heard(self, now: float) -> None:
        """Looked at when something is due, and again at most so often while there is no gateway."""
        outage = self.transport.outage_seconds
        if not self.transport.is_connected:
            outage += LATE_SECONDS
        late = now - self._due_at
        slept = late + WAKING_SECONDS if late >= LATE_SECONDS else 0.0
        unheard = max(outage - self._outage_seconds, slept)
        self._outage_seconds = max(outage, self._outage_seconds)
        if unheard > 0:
            self.machine.could_not_hear(unheard)

    def _stop_sending(self, now: float) -> None:
        """Take back what the transport has not sent, unless an end in order has to follow it."""
        if self.machine.traits.abort_signal is AbortSignal.FIN:
            if self._sending is not None:
                self._sending.deadline = now + ABORT_SECONDS
            return
        if self._sending is not None:
            self._sending.cancel()
        self.transport.discard_lane(self._lane)

    async def run(self) -> None:
        """Send until the channel is over."""
        try:
            while not self.link.is_over:
                message = self.link.next_message(anyio.current_time())
                if message is not None:
                    await self._send(message)
                    continue
                # Asking may have changed something by itself (numbers used up, an end not told).
                self.changed(anyio.current_time())
                if not self.link.is_over:
                    await self._work.wait()
        finally:
            self.is_done = True
            self._riders.forget(self)
            if not self.is_held:
                self._share.close()
            self.readable.set()
            self.writable.set()
            self.state.set()

    async def _send(self, message: Message) -> None:
        is_abort = self.machine.error is not None
        if is_abort and self._must_not_wait and not self._has_surb:
            return  # the machine has given it out, and wants no more
        surbs = message.surbs if self.key.tag is None else 0
        delivery: Delivery | None = None
        moves = self._moves
        payload = self._riders.load(self, message, anyio.current_time())
        try:
            with anyio.CancelScope() as scope:
                if is_abort:
                    scope.deadline = anyio.current_time() + ABORT_SECONDS
                else:
                    self._sending = scope
                delivery = await self.transport.send(
                    self.peer,
                    payload,
                    surbs=surbs,
                    lane=self._lane,
                    any_surb=message.any_surb and self.key.tag is not None,
                )
        except NymError as error:
            logger.debug("a channel could not send: %s", error.code)
            if moves == self._moves:
                self.link.could_not_send(message, error, anyio.current_time())
        finally:
            self._sending = None
        now = anyio.current_time()
        if delivery is not None:
            self.link.handed_over(message, delivery.packet_count, now)
            self._under_way.begin()
            listener = partial(self._delivery_changed, message)
            if not delivery.is_settled:
                delivery.subscribe(listener)
            listener(delivery)
            if is_abort and not (isinstance(self.peer, SenderTag) and self._must_not_wait):
                await _wait_acknowledged(delivery)
        elif moves != self._moves:
            self._lose(message, now)
        self.changed(now)

    def _lose(self, message: Message, now: float) -> None:
        """Note that a message was taken back, since its channel has moved."""
        self.link.handed_over(message, 0, now)
        lost = DeliveryAbandoned("the channel has moved")
        self.link.delivery_changed(message, Fate(error=lost), now)

    @property
    def _must_not_wait(self) -> bool:
        """An abort is told to a stranger with what is in hand, or not at all: one that has said
        nothing, and taken nothing, must not make us wait for his reply SURBs, nor for a sign that
        it has arrived, with the place of a channel taken meanwhile."""
        machine = self.machine
        error = machine.error
        is_refusal = isinstance(error, StreamReset) and error.reset_code is ResetCode.REFUSED
        has_spoken = machine.inbound.has_payload or machine.outbound.flight.acknowledged_bytes > 0
        return is_refusal or not has_spoken

    @property
    def _has_surb(self) -> bool:
        return not isinstance(self.peer, SenderTag) or (
            self.transport.reply_surbs_in_hand(self.peer, any_surb=True) > 0
        )

    def _delivery_changed(self, message: Message, delivery: Delivery) -> None:
        if delivery.is_settled:
            self._under_way.end()
        now = anyio.current_time()
        fate = Fate(delivery.is_sent, delivery.is_acknowledged, delivery.error)
        self.link.delivery_changed(message, fate, now)
        if not self.is_done:
            self.changed(now)


async def _wait_acknowledged(delivery: Delivery) -> None:
    """Give an abort the time to arrive, since the client may be closed right after it."""
    with anyio.move_on_after(ABORT_SECONDS):
        try:
            await delivery.acknowledged()
        except NymError as error:
            logger.debug("an abort could not be told: %s", error.code)
