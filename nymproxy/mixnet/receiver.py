"""The receiving task: acks to the outbox, SURBs to the reply control, messages to the inbox."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel

from nymproxy.errors import ClientDisconnected, UsageError
from nymproxy.mixnet.messages import (
    AckReceived,
    CoverReceived,
    MessageReceived,
    SurbsReceived,
    SurbsRequested,
)
from nymproxy.mixnet.transport import Received

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.streams.memory import MemoryObjectReceiveStream

    from nymproxy.address import NymAddress
    from nymproxy.errors import NymError
    from nymproxy.mixnet.messages import InboundDecoder, InboundEvent
    from nymproxy.mixnet.status import Tally
    from nymproxy.mixnet.traffic import Outbox

_logger = logging.getLogger("nymproxy.client")


class Inbox:
    """Messages that arrived and were not taken yet, for one consumer.

    Bounded in messages and bytes (one message of any size fits an empty inbox); when it is full
    :meth:`put` waits.
    """

    MAXIMUM_MESSAGES: Final = 1024
    MAXIMUM_BYTES: Final = 32 * 1024 * 1024

    def __init__(self) -> None:
        self._messages: deque[Received] = deque()
        self._bytes = 0
        self._filled = anyio.Event()
        self._emptied = anyio.Event()
        self._is_consumed = False
        self._is_closed = False
        self._error: NymError | None = None

    @property
    def is_full(self) -> bool:
        """True while :meth:`put` waits."""
        return (
            len(self._messages) >= self.MAXIMUM_MESSAGES or self._bytes >= self.MAXIMUM_BYTES
        ) and not self._is_closed

    async def put(self, message: Received) -> None:
        """Add a message, waiting while the inbox is full. After the end it is dropped."""
        while self.is_full:
            self._emptied = anyio.Event()
            await self._emptied.wait()
        if not self._is_closed:
            self._messages.append(message)
            self._bytes += len(message.payload)
            self._filled.set()

    def close(self, error: NymError | None) -> None:
        """End: the consumer gets what is there, and then the end, or the error. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._error = error
            self._filled.set()
            self._emptied.set()

    def __aiter__(self) -> Inbox:
        return self

    async def __anext__(self) -> Received:
        """Take the next message.

        Raises:
            StopAsyncIteration: the client was closed, and everything was taken.
            ClientDisconnected: the gateway was lost for good.
            UsageError: somebody else waits already.
        """
        if self._is_consumed:
            raise UsageError("one consumer at a time receives messages")
        self._is_consumed = True
        try:
            await anyio.lowlevel.checkpoint()
            while not self._messages:
                if self._is_closed:
                    if self._error is not None:
                        raise ClientDisconnected(str(self._error)) from self._error
                    raise StopAsyncIteration
                self._filled = anyio.Event()
                await self._filled.wait()
        finally:
            self._is_consumed = False
        message = self._messages.popleft()
        self._bytes -= len(message.payload)
        if not self.is_full:
            self._emptied.set()
        return message


class Receiver:
    """Decodes what the gateway pushes and passes it on.

    Args:
        pushed: the link's stream.
        decoder: makes events of it.
        outbox: takes acks and SURBs.
        inbox: takes messages.
        tally: counts.
        clock: monotonic seconds.
        on_surbs_requested: called with a recipient and the amount of SURBs it asks for.
    """

    _AT_ONCE: Final = 32
    """Pushed messages handled before other tasks get a turn."""

    def __init__(
        self,
        pushed: MemoryObjectReceiveStream[bytes],
        decoder: InboundDecoder,
        outbox: Outbox,
        inbox: Inbox,
        tally: Tally,
        *,
        clock: Callable[[], float],
        on_surbs_requested: Callable[[NymAddress, int], None],
    ) -> None:
        self._pushed = pushed
        self._decoder = decoder
        self._outbox = outbox
        self._inbox = inbox
        self._tally = tally
        self._clock = clock
        self._on_surbs_requested = on_surbs_requested
        self._blocked_at: float | None = None
        self._unblocked_at = float("-inf")
        self._last_block_seconds = 0.0

    def stalled_seconds(self, now: float) -> float:
        """Return for how long up to now acks were not read, because the application is slow.

        Shortly after a stall it still counts, as its acks are being read.
        """
        if self._blocked_at is not None:
            return now - self._blocked_at
        if now - self._unblocked_at < 1.0:
            return now - self._unblocked_at + self._last_block_seconds
        return 0.0

    def close(self) -> None:
        """Let go of the link's stream, also if :meth:`run` never ran. Idempotent."""
        self._pushed.close()

    async def run(self) -> None:
        """Receive until the link ends, or until cancelled."""
        with self._pushed:
            async for pushed in self._pushed:
                await self._handle(pushed)
                for _ in range(self._AT_ONCE):
                    try:
                        pushed = self._pushed.receive_nowait()
                    except (anyio.WouldBlock, anyio.EndOfStream):
                        break
                    await self._handle(pushed)

    async def _handle(self, pushed: bytes) -> None:
        now = self._clock()
        for event in self._decoder.receive(pushed, now):
            if isinstance(event, MessageReceived):
                await self._deliver(event)
            else:
                self._take(event, now)

    def _take(self, event: InboundEvent, now: float) -> None:
        if isinstance(event, AckReceived):
            self._tally.acknowledged += 1
            self._outbox.acknowledged(event.fragment_id, now)
        elif isinstance(event, CoverReceived):
            self._tally.covers_received += not event.is_ack
        elif isinstance(event, SurbsReceived):
            self._outbox.surbs_received(
                event.sender_tag, event.surbs, now, additional=event.additional
            )
        elif isinstance(event, SurbsRequested):
            self._on_surbs_requested(event.recipient, event.amount)

    async def _deliver(self, event: MessageReceived) -> None:
        self._tally.messages_received += 1
        self._tally.bytes_received += len(event.data)
        tag = event.sender_tag
        if tag is not None and not self._outbox.replies.knows(tag):
            # Its SURBs may come with a message that this one overtook: replies wait for them.
            self._outbox.surbs_received(tag, (), self._clock(), additional=False)
        message = Received(event.data, tag)
        if not self._inbox.is_full:
            await self._inbox.put(message)
            return
        started = self._blocked_at = self._clock()
        _logger.debug("the application does not take its messages; the gateway is not read")
        try:
            await self._inbox.put(message)
        finally:
            self._blocked_at = None
            self._unblocked_at = self._clock()
            self._last_block_seconds = self._unblocked_at - started
