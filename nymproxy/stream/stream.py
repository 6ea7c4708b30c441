"""One stream, for applications: an :class:`anyio.abc.ByteStream` over a channel.

The counterpart of ``MixnetStream`` in nym-sdk 1.21.6 (src/mixnet/stream/mixnet_stream.rs), with an
end of stream that arrives, flow control, and errors that an application sees.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio import TypedAttributeSet, typed_attribute
from anyio.abc import ByteStream

from nymproxy.errors import ResetCode
from nymproxy.stream.codec import display_stream_id
from nymproxy.tracing import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.channel import Channel
    from nymproxy.errors import NymError
    from nymproxy.tracing import Trace

DEFAULT_RECEIVE_BYTES = 65536


class StreamAttribute(TypedAttributeSet):
    """Facts about a :class:`MixnetStream`, for ``stream.extra(StreamAttribute.peer)``.

    They pass through wrappers such as anyio's ``TLSStream``.
    """

    local_address: NymAddress = typed_attribute()
    """Our own address."""
    peer: NymAddress | SenderTag = typed_attribute()
    """The address we dialed, or the tag of the anonymous dialer."""
    stream_id: int = typed_attribute()
    """64 bits, drawn by the dialer."""
    reply_surbs_in_hand: int = typed_attribute()
    """Packets that the dialer's reply SURBs let us send at once; only on accepted streams."""
    round_trip_seconds: float = typed_attribute()
    """From our first message to the peer's first one; only after that."""


class MixnetStream(ByteStream):
    """An ordered, reliable byte stream through the mixnet, with half-close both ways.

    Made by ``MixnetClient.open_stream`` and ``MixnetListener.accept``. One task at a time may send
    and one receive. What ends a stream before its time is raised as ``anyio.BrokenResourceError``
    from the ``NymError`` that says why; :attr:`error` has it too.
    """

    def __init__(self, channel: Channel, trace: Trace | None = None) -> None:
        self._channel = channel
        self._sent_bytes = 0
        self._received_bytes = 0
        if trace is not None:
            side = "dialer" if channel.is_dialer else "acceptor"
            facts = {"stream_id": display_stream_id(self.stream_id), "side": side}
            channel.when_over(partial(self._tell_end, Operation(trace, "stream", facts), facts))

    def _tell_end(self, operation: Operation, facts: Mapping[str, str]) -> None:
        carried = {"sent_bytes": self._sent_bytes, "received_bytes": self._received_bytes}
        operation.end({**facts, **carried}, self.error)

    def __repr__(self) -> str:
        return f"<MixnetStream {display_stream_id(self.stream_id)}>"

    @property
    def stream_id(self) -> int:
        """64 bits, drawn by the dialer."""
        return int(self._channel.id)

    @property
    def peer(self) -> NymAddress | SenderTag:
        """The address we dialed, or the tag of the anonymous dialer."""
        return self._channel.peer

    @property
    def error(self) -> NymError | None:
        """Why the stream failed, if it did."""
        return self._channel.error

    @property
    def is_at_end(self) -> bool:
        """True when the peer's direction has ended and everything was received."""
        return self._channel.is_at_end

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """See :class:`StreamAttribute`; what is not known (yet) is absent."""
        channel = self._channel
        facts: dict[Any, Callable[[], Any]] = {
            StreamAttribute.local_address: lambda: channel.local_address,
            StreamAttribute.peer: lambda: channel.peer,
            StreamAttribute.stream_id: lambda: self.stream_id,
        }
        if channel.reply_surbs_in_hand is not None:
            facts[StreamAttribute.reply_surbs_in_hand] = lambda: channel.reply_surbs_in_hand
        if channel.round_trip_seconds is not None:
            facts[StreamAttribute.round_trip_seconds] = lambda: channel.round_trip_seconds
        return facts

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Hand bytes over, waiting only for room. An empty item is a checkpoint and nothing else.

        Small items that follow each other are merged into one frame, large ones are split.

        Raises:
            anyio.ClosedResourceError: after our :meth:`send_eof` or :meth:`aclose`.
            anyio.BrokenResourceError: the stream failed, or the peer has closed it.
            anyio.BusyResourceError: another task is sending.
        """
        await self._channel.send(item)
        self._sent_bytes += item.nbytes if isinstance(item, memoryview) else len(item)

    async def receive(self, max_bytes: int = DEFAULT_RECEIVE_BYTES) -> bytes:
        """Return at least one byte and at most ``max_bytes``, in order.

        Raises:
            anyio.EndOfStream: the peer's direction has ended after all its bytes.
            anyio.ClosedResourceError: after our :meth:`aclose`.
            anyio.BrokenResourceError: the stream failed; what came in order before was returned.
            anyio.BusyResourceError: another task is receiving.
            ValueError: ``max_bytes`` is not positive.
            TypeError: ``max_bytes`` is no integer.
        """
        if operator.index(max_bytes) < 1:
            raise ValueError(f"max_bytes is {max_bytes}, expected 1 or more")
        data = await self._channel.receive(max_bytes)
        self._received_bytes += len(data)
        return data

    async def receive_frame(self) -> bytes:
        """Return the payload of one frame of the peer whole (Rust's ``recv``).

        After a :meth:`receive` that took a part of a frame, this is its rest. Raises as
        :meth:`receive`.
        """
        data = await self._channel.receive_frame()
        self._received_bytes += len(data)
        return data

    async def drain(self) -> None:
        """Wait until everything that was sent has been acknowledged by the peer's gateway.

        Raises:
            anyio.ClosedResourceError: after our :meth:`aclose`.
            anyio.BrokenResourceError: the stream failed.
        """
        await self._channel.drain()

    async def send_eof(self) -> None:
        """End our direction after what was sent; receiving goes on. Idempotent.

        A peer with the extension NX1 is told by a FIN; another one (Rust) by an empty frame, which
        its readers take for the end.
        """
        await self._channel.send_eof()

    async def aclose(self) -> None:
        """End both directions; when cancelled, abort. Flushes for at most ten seconds; a sealed
        stream for as long as the peer acknowledges more within each
        ``StreamOptions.rules.quiet.close_timeout_seconds`` (60)."""
        await self._channel.aclose()

    def abort(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        """End both directions at once; a peer with the extension NX1 is told. Idempotent.

        Args:
            code: why.
            reason: a few words for the peer's log, at most 200 bytes of UTF-8.
        """
        self._channel.abort(code, reason)

    async def wait_closed(self) -> None:
        """Wait until the stream is over: both directions ended and acknowledged, or failed."""
        await self._channel.wait_closed()
