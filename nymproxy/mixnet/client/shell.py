"""What waits around a :class:`~nymproxy.mixnet.machine.ClientMachine`: the callers of ``send`` and
``receive``, and whoever watches the status."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import anyio
import anyio.lowlevel

from nymproxy._signal import Signal
from nymproxy.errors import ClientDisconnected, UsageError
from nymproxy.mixnet.transport import DEFAULT_LANE, Delivery, Messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nymproxy._home_loop import HomeLoop
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.machine import (
        ClientCounters,
        ClientGauges,
        ClientMachine,
        ClientStatus,
        Submission,
    )
    from nymproxy.mixnet.records import Received


StatusListener: TypeAlias = "Callable[[ClientStatus], None]"


class MachineShell:
    """The methods of a :class:`~nymproxy.mixnet.transport.MessageTransport` on a machine.

    Subclasses drive the machine. They override :meth:`_changed`, which is called after everything
    that the machine was told here, and call it themselves after everything else.

    Args:
        machine: decides everything.
        clock: monotonic seconds.
    """

    def __init__(self, machine: ClientMachine, clock: Callable[[], float]) -> None:
        self._machine = machine
        self._clock = clock
        self._home: HomeLoop | None = None  # known once there is a loop
        self._is_receiving = False
        self._arrived = Signal()
        self._taken = Signal()

    @property
    def address(self) -> NymAddress:
        """Our own address."""
        return self._machine.address

    @property
    def addresses(self) -> tuple[NymAddress, ...]:
        """All our addresses: the one."""
        return (self.address,)

    def address_for(self, tag: SenderTag) -> NymAddress:
        """Return which of our addresses a sender writes to."""
        return self.address

    @property
    def packet_rate(self) -> float | None:
        """Packets a second that the schedule lets out, or ``None`` without a schedule."""
        return self._machine.profile.packet_rate

    @property
    def memory(self) -> MemoryAccount:
        """Where everything is charged that others make the client keep."""
        return self._machine.memory

    @property
    def counters(self) -> ClientCounters:
        """What the client has done so far."""
        return self._machine.counters

    def knows(self, tag: SenderTag) -> bool:
        """Tell whether anything of a sender ever arrived (and it is not forgotten)."""
        return self._machine.knows(tag)

    @property
    def gauges(self) -> ClientGauges:
        """What the client holds now."""
        return self._machine.gauges

    def reply_surbs_in_hand(self, tag: SenderTag, *, any_surb: bool = False) -> int:
        """Return how many packets could be sent to ``tag`` at once; the reserve counts with
        ``any_surb`` alone."""
        return self._machine.reply_surbs_in_hand(tag, any_surb=any_surb)

    def reply_surbs_held_by(self, to: NymAddress) -> int:
        """Return how many reply SURBs of ours the client at an address surely holds."""
        return self._machine.reply_surbs_held_by(to)

    def sender_tag_for(self, to: NymAddress) -> SenderTag:
        """Return the tag under which the client at an address knows us."""
        return self._machine.sender_tag_for(to)

    @property
    def is_connected(self) -> bool:
        """True while messages can be sent."""
        return self._machine.ended is None

    @property
    def outage_seconds(self) -> float:
        """How long there has been no gateway, in all."""
        return self._machine.outages.seconds(self._clock())

    def connected_seconds_at(self, address: NymAddress) -> float:
        """Return for how long there has been a gateway without a break."""
        return self._machine.outages.connected_seconds(self._clock())

    @property
    def is_restored(self) -> bool:
        """True when the address was made by an earlier process."""
        return False

    def on_moved(self, listener: Callable[[], None], may_move: Callable[[float], bool]) -> None:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`: it stays what it is."""

    def discard_lane(self, lane: int) -> None:
        """Drop what waits in or for a lane, and retransmissions of it; their deliveries fail."""
        self._machine.discard_lane(lane)
        self._changed()

    def hold(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel goes on with a peer. See
        :class:`~nymproxy.mixnet.transport.MessageTransport`, as for :meth:`let_go`."""
        self._machine.live_peers.hold(peer)

    def let_go(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel that held a peer is over."""
        self._machine.live_peers.let_go(peer)

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
        any_surb: bool = False,
    ) -> Delivery:
        """Accept one message. See :class:`~nymproxy.mixnet.transport.MessageTransport`.

        Raises:
            UnknownGateway: the recipient's gateway is not in the topology.
            TopologyUnavailable: there is no topology now.
            NoReplySurbs: nothing was received from this tag (recently).
            MessageTooLarge: over the limit.
            UsageError: an empty reply, SURBs for a reply, or fewer than none.
            ClientDisconnected: closed, or the gateway is lost for good.
            DeliveryAbandoned: the lane was discarded while the message waited for room.
        """
        self._check_running()
        now = self._clock()
        return await self._submit(
            self._machine.submit(to, payload, surbs=surbs, lane=lane, now=now, any_surb=any_surb)
        )

    async def send_plain(
        self, to: NymAddress, payload: bytes, *, lane: int = DEFAULT_LANE
    ) -> Delivery:
        """As :meth:`send`, without even a sender tag: nothing links the message to others."""
        self._check_running()
        now = self._clock()
        return await self._submit(self._machine.submit_plain(to, payload, lane=lane, now=now))

    async def ask(self, to: NymAddress, question: bytes, answer: bytes, *, surbs: int) -> None:
        """Send a message and wait for its reply, which :meth:`receive` does not see.

        Args:
            to: the recipient.
            question: the message.
            answer: how its reply begins, and no other message; through the SURBs of another one
                it counts as none.
            surbs: for the reply, one a packet of it.

        Raises:
            NymError: as :meth:`send`. That no reply comes is for the caller to notice.
        """
        answered = anyio.Event()
        with self._machine.inbox.expecting(answer, to, answered.set):
            await self.send(to, question, surbs=surbs)
            await answered.wait()

    def receive(self) -> AsyncIterator[Received]:
        """Iterate over arriving messages. See
        :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        return Messages(self.next_message)

    async def next_message(self) -> Received:
        """Take the next message.

        Raises:
            StopAsyncIteration: the client was closed, and everything was taken.
            ClientDisconnected: the gateway was lost for good.
            UsageError: somebody else waits already, or another event loop.
        """
        self.check_loop()
        if self._is_receiving:
            raise UsageError("one consumer at a time receives messages")
        self._is_receiving = True
        try:
            await anyio.lowlevel.checkpoint()
            while (message := self._machine.inbox.take()) is None:
                ended = self._machine.ended
                if ended is not None and ended.__cause__ is None:
                    raise StopAsyncIteration
                if ended is not None:
                    raise ClientDisconnected(str(ended)) from ended
                await self._arrived.wait()
        finally:
            self._is_receiving = False
        self._taken.set()
        return message

    def check_loop(self) -> None:
        """Refuse calls from another event loop than the client's.

        Raises:
            UsageError: this is another one.
        """
        if self._home is not None:
            self._home.check()

    def _check_running(self) -> None:
        """Raise if nothing can be sent."""
        self.check_loop()
        ended = self._machine.ended
        if ended is not None:
            raise ClientDisconnected(str(ended)) from ended.__cause__

    def _changed(self) -> None:
        """Wake whoever the machine has something for, after it was told something."""
        if len(self._machine.inbox):
            self._arrived.set()
        if self._machine.ended is not None:
            self._arrived.set()
            self._taken.set()

    async def _submit(self, submission: Submission) -> Delivery:
        """Wait until a message is in the outbox."""
        machine = self._machine
        try:
            while not submission.is_made and submission.error is None:
                await anyio.lowlevel.checkpoint()
                machine.advance(submission, self._clock())
            self._changed()
            if submission.is_settled:
                await anyio.lowlevel.checkpoint_if_cancelled()
            else:
                settled = anyio.Event()
                submission.on_settled = settled.set
                await settled.wait()
        except BaseException:
            submission.call_off()
            raise
        finally:
            machine.forget(submission)
        if submission.error is not None:
            raise submission.error
        return Delivery(submission.delivery)


def ignore_status(_status: ClientStatus) -> None:
    """The listener of clients whom nobody watches."""


class StatusBoard:
    """The present status, and an iterator over changes for any number of watchers.

    Args:
        status: to begin with.
        on_change: called with each later one, at once; it must not raise.
    """

    def __init__(self, status: ClientStatus, on_change: StatusListener = ignore_status) -> None:
        self._status = status
        self._changed = Signal()
        self._on_change = on_change

    @property
    def current(self) -> ClientStatus:
        """The present status."""
        return self._status

    def show(self, status: ClientStatus) -> None:
        """Replace the status. Nothing changes after a closed one."""
        if status is self._status:
            return
        if status != self._status and not self._status.is_closed:
            self._status = status
            self._changed.set()
            self._on_change(status)

    def tell_again(self) -> None:
        """Tell the listener what holds, for what it concludes from more than the status."""
        self._on_change(self._status)

    def changes(self) -> StatusChanges:
        """Iterate over the present status and each later one, until the closed one."""
        return StatusChanges(self)

    async def wait_other(self, seen: ClientStatus) -> ClientStatus:
        """Wait until the status is another one than ``seen``, and return it."""
        while self._status is seen:
            await self._changed.wait()
        return self._status


class StatusChanges:
    """An asynchronous iterator over a board; a slow watcher skips some."""

    def __init__(self, board: StatusBoard) -> None:
        self._board = board
        self._seen: ClientStatus | None = None

    def __aiter__(self) -> StatusChanges:
        return self

    async def __anext__(self) -> ClientStatus:
        """Return the next status."""
        await anyio.lowlevel.checkpoint()
        if self._seen is None:
            self._seen = self._board.current
        elif self._seen.is_closed:
            raise StopAsyncIteration
        else:
            self._seen = await self._board.wait_other(self._seen)
        return self._seen
