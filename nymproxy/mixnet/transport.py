"""The seam: what everything above the client stack stands on, and all it may know of it.

A :class:`MessageTransport` carries whole messages, unordered, each at most once, to a
:class:`~nymproxy.address.NymAddress` or back to an anonymous :class:`~nymproxy.address.SenderTag`.
Implementations: :class:`nymproxy.mixnet.client.MessageClient` (the mixnet) and
:class:`nymproxy.testing.MemoryNetwork` (tests without sockets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

from nymproxy.address import SenderTag
from nymproxy.errors import MessageTooLarge, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nymproxy.address import NymAddress
    from nymproxy.errors import NymError

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest payload of one message. The limit is ours; the wire has none."""

DEFAULT_LANE = 0


@dataclass(frozen=True, slots=True)
class Received:
    """One message that arrived.

    Attributes:
        payload: the bytes the sender passed to ``send``.
        sender_tag: the tag to answer to if the sender was anonymous and sent SURBs with the
            message; ``None`` for replies to our own messages and for plain messages.
    """

    payload: bytes
    sender_tag: SenderTag | None


class Delivery:
    """The fate of one sent message: queued, then sent, then acknowledged; or failed.

    ``sent`` means that the message's last packet has left for the gateway, ``acknowledged`` that
    every fragment was acknowledged by the recipient's gateway (which has it; the recipient may not
    have read it). A message can fail in either state. States never go back.
    """

    __slots__ = ("_changed", "_error", "_listeners", "is_acknowledged", "is_sent", "packet_count")

    def __init__(self, packet_count: int) -> None:
        self.packet_count = packet_count
        """Packets that the message took when it was first split; retransmissions do not count."""
        self.is_sent = False
        self.is_acknowledged = False
        self._error: NymError | None = None
        self._changed: anyio.Event | None = None
        self._listeners: list[Callable[[Delivery], None]] = []

    @property
    def error(self) -> NymError | None:
        """Why the message was given up, if it was."""
        return self._error

    @property
    def is_settled(self) -> bool:
        """True when no further change can come."""
        return self.is_acknowledged or self._error is not None

    async def sent(self) -> None:
        """Wait until the last packet has left.

        Raises:
            NymError: the message was given up before (``DeliveryAbandoned`` and others).
        """
        while not self.is_sent:
            await self._wait_for_change()
        await anyio.lowlevel.checkpoint()

    async def acknowledged(self) -> None:
        """Wait until every fragment is acknowledged.

        Raises:
            NymError: the message was given up before.
        """
        while not self.is_acknowledged:
            await self._wait_for_change()
        await anyio.lowlevel.checkpoint()

    def subscribe(self, listener: Callable[[Delivery], None]) -> None:
        """Call ``listener(self)`` at every change from now on, in the event loop, synchronously.

        A listener must not block and must not raise. If the delivery is settled already, it is
        called at once. Channels use this: a waiting task for each message would be too dear.
        """
        if self.is_settled:
            listener(self)
        else:
            self._listeners.append(listener)

    # The transport's side.

    def mark_sent(self) -> None:
        """Record that the last packet has left. Idempotent."""
        if not self.is_sent and self._error is None:
            self.is_sent = True
            self._notify()

    def mark_acknowledged(self) -> None:
        """Record that every fragment was acknowledged (implies sent). Idempotent."""
        if not self.is_settled:
            self.is_sent = self.is_acknowledged = True
            self._notify()

    def fail(self, error: NymError) -> None:
        """Record that the message was given up. Ignored once settled."""
        if not self.is_settled:
            self._error = error
            self._notify()

    async def _wait_for_change(self) -> None:
        if self._error is not None:
            await anyio.lowlevel.checkpoint()
            raise self._error
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
        for listener in self._listeners:
            listener(self)
        if self.is_settled:
            self._listeners.clear()


class MessageTransport(Protocol):
    """Carries messages. Every method is called from the event loop that runs the transport."""

    @property
    def address(self) -> NymAddress:
        """Our own address."""
        ...

    @property
    def packet_rate(self) -> float | None:
        """Packets a second that the sending schedule lets out (50 in ``default``), or ``None``
        when only the machine and the window of unacknowledged packets bound it (``bare``)."""
        ...

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
    ) -> Delivery:
        """Accept one message, waiting for room in its lane and, to a tag, for SURBs on their way.

        Args:
            to: an address, or the tag of an anonymous sender whose SURBs we hold.
            payload: at most :data:`MAX_MESSAGE_BYTES`; may be empty only towards an address.
            surbs: reply SURBs to attach (only towards an address). With 0 the message still
                carries our sender tag, so that it belongs to the same anonymous conversation.
            lane: messages of one lane leave in order; lanes share the schedule fairly. One lane
                for each channel, never reused.

        Raises:
            UnknownGateway: the recipient's gateway is not in the topology.
            NoReplySurbs: nothing was ever received from this tag, so that no SURBs can be on
                their way. When messages came and their SURBs did not, the delivery fails after
                about a minute: messages overtake each other.
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

    def reply_surbs_in_hand(self, tag: SenderTag) -> int:
        """Return the number of usable reply SURBs that we hold for ``tag``."""
        ...

    async def aclose(self) -> None:
        """Close at once: what is still queued fails with ``DeliveryAbandoned``. Idempotent."""
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
    def packet_rate(self) -> float | None:
        """Of the other transport."""
        return self._transport.packet_rate

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
    ) -> Delivery:
        """Pass on."""
        return await self._transport.send(to, payload, surbs=surbs, lane=lane)

    def receive(self) -> AsyncIterator[Received]:
        """Give what the other transport receives."""
        return self._transport.receive()

    def discard_lane(self, lane: int) -> None:
        """Pass on."""
        self._transport.discard_lane(lane)

    def reply_surbs_in_hand(self, tag: SenderTag) -> int:
        """Of the other transport."""
        return self._transport.reply_surbs_in_hand(tag)

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._transport.aclose()


def check_message(to: NymAddress | SenderTag, payload: bytes, surbs: int = 0) -> None:
    """Refuse what no transport sends, whatever it knows of the recipient.

    Raises:
        MessageTooLarge: over :data:`MAX_MESSAGE_BYTES`.
        UsageError: an empty reply, SURBs for a reply, or fewer than none.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(
            f"a message has at most {MAX_MESSAGE_BYTES} bytes, not {len(payload)}: split it"
        )
    if isinstance(to, SenderTag):
        if surbs or not payload:
            raise UsageError("a reply has at least one byte, and carries no reply SURBs")
    elif surbs < 0:
        raise UsageError("the number of reply SURBs is not negative")
