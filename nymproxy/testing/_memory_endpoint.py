"""One endpoint of a :class:`~nymproxy.testing.memory.MemoryNetwork`: lanes, schedule, inbox."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import ClientDisconnected, DeliveryAbandoned, NoReplySurbs, NymError
from nymproxy.mixnet.transport import DEFAULT_LANE, Delivery, Received, check_message
from nymproxy.testing._memory_lane import Lane, Outgoing
from nymproxy.testing._memory_model import (
    SURB_RESERVE,
    MemoryFaults,
    MemoryMessage,
    MessageFate,
    MessageKind,
    SurbShelf,
    packets_needed,
)

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable


class Network(Protocol):
    """What an endpoint needs of its network."""

    faults: MemoryFaults
    packet_rate: float | None
    window_packets: int
    lane_capacity_packets: int
    inbox_capacity: int

    def random_for(self, label: str) -> random.Random: ...
    def find(self, to: NymAddress | SenderTag) -> MemoryEndpoint | None: ...
    def tag_for(self, sender: MemoryEndpoint, recipient: NymAddress) -> SenderTag: ...
    def record(
        self, kind: MessageKind, sender: str, recipient: str, payload: bytes, surbs: int, lane: int
    ) -> MemoryMessage: ...
    def after(self, seconds: float, action: Callable[[], None]) -> None: ...
    def trip_seconds(self, generator: random.Random) -> float: ...
    def arrive(self, message: Outgoing, generator: random.Random) -> None: ...


class MemoryEndpoint:
    """A :class:`~nymproxy.mixnet.transport.MessageTransport` in memory; see ``MemoryNetwork``."""

    def __init__(self, network: Network, name: str, address: NymAddress) -> None:
        self.name = name
        self.is_connected = True
        self._network = network
        self._address = address
        self._error: NymError | None = None
        self._lanes: dict[int, Lane] = {}
        self._turns: deque[Lane] = deque()
        self._retransmissions: deque[tuple[Outgoing, int]] = deque()
        self._shelves: dict[SenderTag, SurbShelf] = {}
        self._inbox: deque[Received] = deque()
        self._inbox_changed = anyio.Event()
        self._is_receiving = False
        self._in_flight = 0
        self._outstanding: set[Outgoing] = set()
        self._held_back: list[Callable[[], None]] = []
        self._next_turn = 0.0
        self._turn_planned = False

    @property
    def address(self) -> NymAddress:
        """Our own address."""
        return self._address

    @property
    def packet_rate(self) -> float | None:
        """Packets a second that the schedule lets out, or ``None``."""
        return self._network.packet_rate

    @property
    def is_closed(self) -> bool:
        """True after :meth:`aclose` or :meth:`lose_gateway`."""
        return self._error is not None

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
    ) -> Delivery:
        """See :meth:`nymproxy.mixnet.transport.MessageTransport.send`."""
        self._check_sendable(to, payload, surbs)
        await anyio.lowlevel.checkpoint()
        place = self._lane(lane)
        packet_count = packets_needed(len(payload), surbs=surbs, is_reply=isinstance(to, SenderTag))
        capacity = self._network.lane_capacity_packets
        while self._error is None and not place.has_room(packet_count, capacity):
            await place.room.wait()
        if self._error is not None:
            raise self._error
        if place.discarded:
            raise DeliveryAbandoned("the lane was discarded while the message waited for room")
        outgoing = self._make_outgoing(to, bytes(payload), surbs, place)
        self._outstanding.add(outgoing)
        if place not in self._turns:
            self._turns.append(place)
        place.queue.append(outgoing)
        if outgoing.shelf is not None:
            outgoing.shelf.queued_packets += outgoing.unsent
        self._emit()
        if outgoing.shelf is not None:
            self._request_surbs(outgoing.shelf)
        return outgoing.delivery

    def receive(self) -> AsyncIterator[Received]:
        """See :meth:`nymproxy.mixnet.transport.MessageTransport.receive`."""
        return _Inbox(self)

    def discard_lane(self, lane: int) -> None:
        """Drop what waits in a lane, and retransmissions of it; their deliveries fail."""
        place = self._lanes.pop(lane, None)
        if place is None:
            return
        place.discarded = True
        if place in self._turns:
            self._turns.remove(place)
        error = DeliveryAbandoned("the lane of this message was discarded")
        for outgoing in tuple(place.queue):
            self._abandon(outgoing, error)
        place.wake()

    def reply_surbs_in_hand(self, tag: SenderTag) -> int:
        """Return how many packets could be sent to ``tag`` at once, the reserve not counted."""
        shelf = self._shelves.get(tag)
        return 0 if shelf is None else max(0, shelf.in_hand - SURB_RESERVE)

    async def aclose(self) -> None:
        """Close at once: what is still queued fails with ``DeliveryAbandoned``. Idempotent."""
        self.close(ClientDisconnected(f"the endpoint {self.name} was closed"))
        await anyio.lowlevel.checkpoint()

    # For tests: the link to the gateway.

    def disconnect(self) -> None:
        """Cut the link to the gateway: nothing leaves and nothing comes until :meth:`reconnect`."""
        self.is_connected = False

    def reconnect(self) -> None:
        """Restore the link; what waited at the gateway comes in."""
        self.is_connected = True
        held_back, self._held_back = self._held_back, []
        for action in held_back:
            action()
        self._wake_receiver()
        self._emit()

    def lose_gateway(self) -> None:
        """Lose the gateway for good, as a client that is closed by its network."""
        self.close(ClientDisconnected(f"the endpoint {self.name} lost its gateway for good"))

    def close(self, error: NymError) -> None:
        """End the endpoint; later calls raise ``error``. The first call counts."""
        if self._error is not None:
            return
        self._error = error
        abandoned = DeliveryAbandoned("the client was closed before the message was delivered")
        abandoned.__cause__ = error
        for outgoing in tuple(self._outstanding):
            self._abandon(outgoing, abandoned)
        for place in self._lanes.values():
            place.wake()
        self._turns.clear()
        self._retransmissions.clear()
        self._inbox.clear()
        self._wake_receiver()

    # The receiving side, called by the network.

    def take_in(self, message: Received) -> None:
        """Store a message for :meth:`receive`; a closed endpoint's messages are lost."""
        if self._error is None:
            self._inbox.append(message)
            self._wake_receiver()

    def has_room(self) -> bool:
        """Tell whether one more message can wait for us."""
        return len(self._inbox) < self._network.inbox_capacity

    def take_surbs(self, tag: SenderTag, count: int, *, requested: bool) -> None:
        """Put SURBs on the shelf of ``tag`` and let waiting replies go."""
        if self._error is not None:
            return
        shelf = self._shelves.get(tag)
        if shelf is None:
            # A message without SURBs makes the sender known too: it may have overtaken the one
            # that carries them.
            shelf = self._shelves[tag] = SurbShelf(tag)
        shelf.add(count, requested=requested)
        self._emit()
        self._request_surbs(shelf)

    async def next_message(self) -> Received:
        """Wait for the next message.

        Raises:
            StopAsyncIteration: the endpoint is closed.
        """
        if self._is_receiving:
            raise anyio.BusyResourceError("receiving from")
        self._is_receiving = True
        try:
            await anyio.lowlevel.checkpoint()
            while self._error is None and not (self._inbox and self.is_connected):
                await self._inbox_changed.wait()
        finally:
            self._is_receiving = False
        if self._error is not None:
            raise StopAsyncIteration
        return self._inbox.popleft()

    def _wake_receiver(self) -> None:
        self._inbox_changed.set()
        self._inbox_changed = anyio.Event()

    # The sending side.

    def _check_sendable(self, to: NymAddress | SenderTag, payload: bytes, surbs: int) -> None:
        if self._error is not None:
            raise self._error
        check_message(to, payload, surbs)
        if isinstance(to, SenderTag):
            if to not in self._shelves:
                raise NoReplySurbs("nothing was ever received from this sender tag")
        else:
            self._network.find(to)

    def _lane(self, number: int) -> Lane:
        place = self._lanes.get(number)
        if place is None:
            generator = self._network.random_for(f"lane/{self.name}/{number}")
            place = self._lanes[number] = Lane(number, generator)
        return place

    def _make_outgoing(
        self, to: NymAddress | SenderTag, payload: bytes, surbs: int, place: Lane
    ) -> Outgoing:
        recipient = self._network.find(to)
        is_reply = isinstance(to, SenderTag)
        record = self._network.record(
            MessageKind.REPLY if is_reply else MessageKind.MESSAGE,
            self.name,
            "" if recipient is None else recipient.name,
            payload,
            surbs,
            place.number,
        )
        choose = self._network.faults.choose_fate
        return Outgoing(
            record,
            place,
            recipient,
            tag=None if isinstance(to, SenderTag) else self._network.tag_for(self, to),
            shelf=self._shelves[to] if isinstance(to, SenderTag) else None,
            fate=MessageFate.DELIVER if choose is None else choose(record),
        )

    def _emit(self) -> None:
        """Let packets out, one from each lane in turn, as far as schedule and window allow."""
        while (
            self.is_connected
            and self._error is None
            and self._in_flight < self._network.window_packets
            and (self._retransmissions or self._turns)
        ):
            now = anyio.current_time()
            if self.packet_rate is not None and now < self._next_turn:
                self._plan_turn(self._next_turn - now)
                return
            if not self._emit_one():
                return
            if self.packet_rate is not None:
                self._next_turn = max(now, self._next_turn) + 1 / self.packet_rate

    def _plan_turn(self, seconds: float) -> None:
        if not self._turn_planned:
            self._turn_planned = True
            self._network.after(seconds, self._take_turn)

    def _take_turn(self) -> None:
        self._turn_planned = False
        self._emit()

    def _emit_one(self) -> bool:
        for _ in range(len(self._retransmissions)):
            outgoing, attempt = self._retransmissions.popleft()
            if self._may_leave(outgoing, retransmission=True):
                self._launch(outgoing, attempt)
                return True
            self._retransmissions.append((outgoing, attempt))
        for _ in range(len(self._turns)):
            place = self._turns.popleft()
            if not place.queue:
                continue
            outgoing = place.queue[0]
            is_ready = self._may_leave(outgoing, retransmission=False)
            if is_ready:
                place.take_packet()
            if place.queue:
                self._turns.append(place)
            if is_ready:
                self._launch(outgoing, 0)
                return True
        return False

    def _may_leave(self, outgoing: Outgoing, *, retransmission: bool) -> bool:
        return outgoing.shelf is None or outgoing.shelf.may_take(retransmission=retransmission)

    def _launch(self, outgoing: Outgoing, attempt: int) -> None:
        network, generator = self._network, outgoing.lane.random
        if outgoing.shelf is not None:
            outgoing.shelf.take()
        self._in_flight += 1
        if attempt == 0 and outgoing.unsent == 0:
            outgoing.record.sent_at = anyio.current_time()
            outgoing.delivery.record.mark_sent()
        is_lost = generator.random() < network.faults.loss
        if is_lost or outgoing.fate is MessageFate.ABANDON:
            again = partial(self._retransmit, outgoing, attempt + 1)
            network.after(network.faults.retransmission_seconds, again)
        else:
            arrival = partial(self._packet_arrives, outgoing, attempt)
            network.after(network.trip_seconds(generator), arrival)

    def _retransmit(self, outgoing: Outgoing, attempt: int) -> None:
        self._in_flight -= 1
        if outgoing.lane.discarded:
            self._abandon(outgoing, DeliveryAbandoned("the lane of this message was discarded"))
        elif attempt > self._network.faults.max_retransmissions:
            self._abandon(
                outgoing, DeliveryAbandoned(f"no acknowledgement after {attempt} transmissions")
            )
        elif not outgoing.delivery.is_settled:
            outgoing.record.retransmissions += 1
            self._retransmissions.append((outgoing, attempt))
            if outgoing.shelf is not None:
                outgoing.shelf.queued_packets += 1
                self._request_surbs(outgoing.shelf)
        self._emit()

    def _packet_arrives(self, outgoing: Outgoing, attempt: int) -> None:
        recipient = outgoing.recipient
        completes = outgoing.missing == 1
        if completes and recipient is not None and not recipient.has_room():
            again = partial(self._retransmit, outgoing, attempt + 1)
            self._network.after(self._network.faults.retransmission_seconds, again)
            return
        outgoing.missing -= 1
        if completes:
            self._network.arrive(outgoing, outgoing.lane.random)
        acknowledged = partial(self._acknowledge, outgoing)
        self._network.after(self._network.trip_seconds(outgoing.lane.random), acknowledged)

    def _acknowledge(self, outgoing: Outgoing) -> None:
        if not self.is_connected:
            self._held_back.append(partial(self._acknowledge, outgoing))
            return
        self._in_flight -= 1
        outgoing.unacknowledged -= 1
        if outgoing.unacknowledged == 0:
            self._outstanding.discard(outgoing)
            outgoing.delivery.record.mark_acknowledged()
        self._emit()

    def _abandon(self, outgoing: Outgoing, error: NymError) -> None:
        if outgoing not in self._outstanding:
            return
        self._outstanding.discard(outgoing)
        if outgoing.unsent:
            outgoing.lane.drop(outgoing)
        outgoing.fate = MessageFate.VANISH
        outgoing.delivery.record.fail(error)

    # Asking for SURBs, and answering.

    def _request_surbs(self, shelf: SurbShelf) -> None:
        amount = shelf.request()
        owner = self._network.find(shelf.tag)
        if amount == 0 or owner is None:
            return
        generator = self._network.random_for(f"surbs/{self.name}/{owner.name}/{shelf.pending}")
        self._network.record(MessageKind.SURB_REQUEST, self.name, owner.name, b"", amount, -1)
        answer = partial(owner.answer_surb_request, self, shelf.tag, amount, generator)
        self._network.after(self._network.trip_seconds(generator), answer)

    def answer_surb_request(
        self, holder: MemoryEndpoint, tag: SenderTag, amount: int, generator: random.Random
    ) -> None:
        """Send ``amount`` SURBs to ``holder``; later when we are not connected."""
        if self._error is not None:
            return
        if not self.is_connected:
            later = partial(self.answer_surb_request, holder, tag, amount, generator)
            self._held_back.append(later)
            return
        self._network.record(MessageKind.SURBS, self.name, holder.name, b"", amount, -1)
        arrival = partial(holder.take_surbs, tag, amount, requested=True)
        self._network.after(self._network.trip_seconds(generator), arrival)


class _Inbox:
    """Iterates over what arrives; a plain object, since an unfinished generator warns on trio."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: MemoryEndpoint) -> None:
        self._endpoint = endpoint

    def __aiter__(self) -> _Inbox:
        return self

    async def __anext__(self) -> Received:
        return await self._endpoint.next_message()
