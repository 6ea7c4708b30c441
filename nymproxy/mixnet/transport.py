"""The seam: what everything above the client stack stands on, and all it may know of it.

A :class:`MessageTransport` carries whole messages, unordered, each at most once, to a
:class:`~nymproxy.address.NymAddress` or back to an anonymous :class:`~nymproxy.address.SenderTag`.
Implementations: :class:`nymproxy.mixnet.client.message_client.MessageClient` (the mixnet) and
:class:`nymproxy.testing.MemoryNetwork` (tests without sockets).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio.lowlevel

from nymproxy._signal import Signal
from nymproxy.mixnet.records import (
    DEFAULT_LANE,
    MAX_MESSAGE_BYTES,
    DeliveryRecord,
    Received,
    check_bytes,
    check_message,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.errors import NymError
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.machine import ClientStatus

__all__ = (
    "DEFAULT_LANE",
    "MAX_MESSAGE_BYTES",
    "ConnectedClient",
    "Delivery",
    "DeliveryRecord",
    "MessageTransport",
    "Received",
    "TransportWrapper",
    "check_bytes",
    "check_message",
)


class Delivery:
    """What ``send`` returns: the record of a message's fate, and ways to wait for it."""

    __slots__ = ("_changed", "record")

    def __init__(self, record: DeliveryRecord) -> None:
        self.record: DeliveryRecord = record
        """The states, as plain data."""
        self._changed: Signal | None = None

    @property
    def packet_count(self) -> int:
        """Packets that the message took when it was first split; retransmissions do not count."""
        return self.record.packet_count

    @property
    def is_sent(self) -> bool:
        """True when the last packet has left."""
        return self.record.is_sent

    @property
    def is_acknowledged(self) -> bool:
        """True when every fragment was acknowledged."""
        return self.record.is_acknowledged

    @property
    def is_settled(self) -> bool:
        """True when no further change can come."""
        return self.record.is_settled

    @property
    def error(self) -> NymError | None:
        """Why the message was given up, if it was."""
        return self.record.error

    async def sent(self) -> None:
        """Wait until the last packet has left.

        Raises:
            NymError: the message was given up before (``DeliveryAbandoned`` and others).
        """
        while not self.record.is_sent:
            await self._wait_for_change()
        await anyio.lowlevel.checkpoint()

    async def acknowledged(self) -> None:
        """Wait until every fragment is acknowledged.

        Raises:
            NymError: the message was given up before.
        """
        while not self.record.is_acknowledged:
            await self._wait_for_change()
        await anyio.lowlevel.checkpoint()

    def subscribe(self, listener: Callable[[DeliveryRecord], None]) -> None:
        """Call ``listener(record)`` at every change; see :meth:`DeliveryRecord.subscribe`."""
        self.record.subscribe(listener)

    async def _wait_for_change(self) -> None:
        if self.record.error is not None:
            await anyio.lowlevel.checkpoint()
            raise self.record.error
        if self._changed is None:
            changed = self._changed = Signal()
            self.record.subscribe(lambda _record: changed.set())
        await self._changed.wait()


class Messages:
    """Iterates over what arrives; a plain object, since an unfinished generator warns on trio.

    Args:
        next_message: takes the next one, and raises ``StopAsyncIteration`` behind the last.
    """

    __slots__ = ("_next_message",)

    def __init__(self, next_message: Callable[[], Awaitable[Received]]) -> None:
        self._next_message = next_message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        return await self._next_message()


class MessageTransport(Protocol):
    """Carries messages. Every method is called from the event loop that runs the transport."""

    @property
    def address(self) -> NymAddress:
        """Our own address."""
        ...

    @property
    def addresses(self) -> tuple[NymAddress, ...]:
        """All our addresses, :attr:`address` first."""
        ...

    def address_for(self, tag: SenderTag) -> NymAddress:
        """Return which of our addresses a sender writes to."""
        ...

    @property
    def packet_rate(self) -> float | None:
        """Packets a second that the sending schedule lets out (50 in ``default``), or ``None``
        when only the machine and the window of unacknowledged packets bound it (``bare``)."""
        ...

    @property
    def memory(self) -> MemoryAccount:
        """Where everything is charged that others make us keep, here and above."""
        ...

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
        any_surb: bool = False,
    ) -> Delivery:
        """Accept one message, waiting for room in its lane and, to a tag, for SURBs on their way.

        Args:
            to: an address, or the tag of an anonymous sender whose SURBs we hold.
            payload: at most :data:`MAX_MESSAGE_BYTES`; may be empty only towards an address.
            surbs: reply SURBs to attach (only towards an address). With 0 the message still
                carries our sender tag, so that it belongs to the same anonymous conversation.
            lane: messages of one lane leave in order; lanes share the schedule fairly. One lane
                for each channel, never reused.
            any_surb: to a tag, a message of one packet: it may use the SURBs that are kept for
                requests. For what tells a peer something that it asks for more SURBs without.

        Raises:
            UnknownGateway: the recipient's gateway is not in the topology.
            NoReplySurbs: nothing was ever received from this tag, so that no SURBs can be on
                their way. When messages came and their SURBs did not, the delivery fails ten
                seconds after the first: messages overtake each other. Later it fails at once.
            MessageTooLarge: over the limit.
            UsageError: an empty reply, SURBs for a reply, or fewer than none.
            ClientDisconnected: closed, or the gateway is lost for good.
        """
        ...

    def receive(self) -> AsyncIterator[Received]:
        """Iterate over arriving messages, in order of completion; ends when the client is closed.

        One consumer at a time. The queue behind it is bounded; when it is full the gateway
        connection is not read, so nothing is lost.
        """
        ...

    def discard_lane(self, lane: int) -> None:
        """Drop what waits in a lane, and retransmissions of it; their deliveries fail."""
        ...

    def knows(self, tag: SenderTag) -> bool:
        """Tell whether anything of a sender ever arrived (and it is not forgotten)."""
        ...

    def reply_surbs_in_hand(self, tag: SenderTag, *, any_surb: bool = False) -> int:
        """Return the number of reply SURBs that we hold for ``tag``, and may use for a message that
        is sent with, or without, ``any_surb``."""
        ...

    def reply_surbs_held_by(self, to: NymAddress) -> int:
        """Return how many reply SURBs of ours the client at an address surely holds: what is on the
        way to it does not count, nor what was made for a key rotation that is over."""
        ...

    def sender_tag_for(self, to: NymAddress) -> SenderTag:
        """Return the tag under which the client at an address knows us, also before the first
        message."""
        ...

    @property
    def is_connected(self) -> bool:
        """True while messages can leave and arrive."""
        ...

    def on_moved(self, listener: Callable[[], None], may_move: Callable[[float], bool]) -> None:
        """Have a listener called whenever another client takes this one's place: at another
        gateway, so with another address and other tags. Most transports stay what they are.

        Args:
            listener: called when that has happened.
            may_move: asked before, where waiting for the gateway is possible, too; with the seconds
                by which that wait has become too long.
        """
        ...

    @property
    def outage_seconds(self) -> float:
        """How long there has been no gateway since the start, in all."""
        ...

    def connected_seconds_at(self, address: NymAddress) -> float:
        """For how long the client at one of our addresses has had its gateway without a break:
        what was sent to it before may have waited there. ``math.inf``: from the start on."""
        ...

    @property
    def is_restored(self) -> bool:
        """True when our address was made by an earlier process: what was sent to that may still
        come."""
        ...

    def hold(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel goes on with a peer. :meth:`let_go` must follow.

        A sender is not forgotten for others, and is asked for new SURBs when the keys of the
        network rotate. An address is given new ones when all that it holds are dead.
        """
        ...

    def let_go(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel that held a peer is over."""
        ...

    async def aclose(self) -> None:
        """Close at once: what is still queued fails with ``DeliveryAbandoned``. Idempotent."""
        ...


class ConnectedClient(MessageTransport, Protocol):
    """A connected client. It works, reconnecting by itself, while its ``async with`` lasts."""

    @property
    def status(self) -> ClientStatus:
        """Whether it can carry traffic now."""
        ...

    async def __aenter__(self) -> Self:
        """Start working."""
        ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Disconnect."""
        ...


class TransportWrapper:
    """Passes everything on to another transport, for classes that change a part of one."""

    def __init__(self, transport: MessageTransport) -> None:
        self._transport = transport

    @property
    def address(self) -> NymAddress:
        """See :class:`MessageTransport`, as for all that follows."""
        return self._transport.address

    @property
    def addresses(self) -> tuple[NymAddress, ...]:
        """Of the other transport."""
        return self._transport.addresses

    def address_for(self, tag: SenderTag) -> NymAddress:
        """Of the other transport."""
        return self._transport.address_for(tag)

    @property
    def packet_rate(self) -> float | None:
        """Of the other transport."""
        return self._transport.packet_rate

    @property
    def memory(self) -> MemoryAccount:
        """Of the other transport."""
        return self._transport.memory

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
        any_surb: bool = False,
    ) -> Delivery:
        """Pass on."""
        return await self._transport.send(to, payload, surbs=surbs, lane=lane, any_surb=any_surb)

    def receive(self) -> AsyncIterator[Received]:
        """Give what the other transport receives."""
        return self._transport.receive()

    def discard_lane(self, lane: int) -> None:
        """Pass on."""
        self._transport.discard_lane(lane)

    def knows(self, tag: SenderTag) -> bool:
        """Of the other transport."""
        return self._transport.knows(tag)

    def reply_surbs_in_hand(self, tag: SenderTag, *, any_surb: bool = False) -> int:
        """Of the other transport."""
        return self._transport.reply_surbs_in_hand(tag, any_surb=any_surb)

    def reply_surbs_held_by(self, to: NymAddress) -> int:
        """Of the other transport."""
        return self._transport.reply_surbs_held_by(to)

    def sender_tag_for(self, to: NymAddress) -> SenderTag:
        """Of the other transport."""
        return self._transport.sender_tag_for(to)

    @property
    def is_connected(self) -> bool:
        """Of the other transport."""
        return self._transport.is_connected

    def on_moved(self, listener: Callable[[], None], may_move: Callable[[float], bool]) -> None:
        """Pass on."""
        self._transport.on_moved(listener, may_move)

    @property
    def outage_seconds(self) -> float:
        """Of the other transport."""
        return self._transport.outage_seconds

    def connected_seconds_at(self, address: NymAddress) -> float:
        """Of the other transport."""
        return self._transport.connected_seconds_at(address)

    @property
    def is_restored(self) -> bool:
        """Of the other transport."""
        return self._transport.is_restored

    def hold(self, peer: NymAddress | SenderTag) -> None:
        """Pass on."""
        self._transport.hold(peer)

    def let_go(self, peer: NymAddress | SenderTag) -> None:
        """Pass on."""
        self._transport.let_go(peer)

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._transport.aclose()
