"""Streams for blocking callers: the same client, in an event loop of its own thread.

::

    with MixnetClient.in_background(network=..., storage=...) as client:
        with client.open_stream(address) as stream:
            stream.send(b"hello")
            print(stream.receive())

Every method does what its namesake of the async classes does, raises the same exceptions, and may
be called from any thread. After the end of the ``with`` block all raise ``ClientDisconnected``, and
in a forked process ``UsageError``.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy._background_loop import BackgroundLoop, InBackground
from nymproxy.errors import ResetCode, UsageError
from nymproxy.stream.stream import DEFAULT_RECEIVE_BYTES, MixnetStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Self

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.errors import NymError
    from nymproxy.mixnet.machine.status import ClientStatistics
    from nymproxy.stream.listener import MixnetListener

_NOTHING_CAME = "nothing was received"


class StreamClient(Protocol):
    """What opens and accepts streams: ``MixnetClient`` and ``StreamEndpoint``."""

    @property
    def address(self) -> NymAddress:
        """The address that peers dial."""
        ...

    async def open_stream(
        self,
        recipient: NymAddress | str | Sequence[NymAddress | str],
        reply_surbs: int | None = None,
        *,
        wait: bool = False,
        timeout: float | None = None,
    ) -> MixnetStream:
        """Open a stream."""
        ...

    def listener(self) -> MixnetListener:
        """Accept streams."""
        ...


def in_background(
    connect: Callable[[], Awaitable[AbstractAsyncContextManager[StreamClient]]],
    *,
    backend: str = "asyncio",
    backend_options: dict[str, Any] | None = None,
) -> InBackground[BackgroundClient]:
    """Run a client in a thread of its own, for blocking calls.

    Args:
        connect: called in the event loop; returns the client, which is entered and left there.
        backend: ``"asyncio"`` or ``"trio"``.
        backend_options: as for :func:`anyio.run`.
    """

    @asynccontextmanager
    async def serve(loop: BackgroundLoop) -> AsyncIterator[BackgroundClient]:
        async with await connect() as client:
            yield BackgroundClient(loop, client)

    return InBackground(serve, backend=backend, backend_options=backend_options)


class BackgroundClient:
    """A client for blocking calls; see :func:`in_background`."""

    def __init__(self, loop: BackgroundLoop, client: StreamClient) -> None:
        self._loop = loop
        self.client = client
        """The async client. Use it in its own event loop only."""

    @property
    def address(self) -> NymAddress:
        """The address that peers dial."""
        return self.client.address

    def open_stream(
        self,
        recipient: NymAddress | str | Sequence[NymAddress | str],
        reply_surbs: int | None = None,
        *,
        wait: bool = False,
        timeout: float | None = None,
        isolation: Hashable = None,
    ) -> BackgroundStream:
        """Open a stream; see :meth:`nymproxy.MixnetClient.open_stream`."""
        more: dict[str, Any] = {} if isolation is None else {"isolation": isolation}
        opening = partial(
            self.client.open_stream, recipient, reply_surbs, wait=wait, timeout=timeout, **more
        )
        return BackgroundStream(self._loop, self._loop.call(opening))

    def statistics(self) -> ClientStatistics:
        """Return what the client has done so far and what it holds now.

        Raises:
            UsageError: it is no ``MixnetClient``, which alone has these.
        """
        own: Callable[[], ClientStatistics] | None = getattr(self.client, "statistics", None)
        if own is None:
            raise UsageError(f"{type(self.client).__name__} has no statistics; MixnetClient has")
        return self._loop.call_now(own)

    def listener(self) -> BackgroundListener:
        """Accept streams; once for each client.

        Raises:
            ListenerAlreadyTaken: there was a listener already.
        """
        return BackgroundListener(self._loop, self._loop.call_now(self.client.listener))


class BackgroundListener:
    """The streams that peers open, for blocking calls. Iterating accepts until it is closed."""

    def __init__(self, loop: BackgroundLoop, listener: MixnetListener) -> None:
        self._loop = loop
        self._listener = listener

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[BackgroundStream]:
        while True:
            try:
                stream = self.accept()
            except anyio.ClosedResourceError:
                return
            yield stream

    def accept(self, timeout: float | None = None) -> BackgroundStream:
        """Return the next stream.

        Raises:
            TimeoutError: none came within ``timeout`` seconds.
            anyio.ClosedResourceError: the listener was closed, also by another thread.
            anyio.BrokenResourceError: the client has ended.
        """
        stream = self._loop.call_within(timeout, "nobody opened a stream", self._listener.accept)
        return BackgroundStream(self._loop, stream)

    def close(self) -> None:
        """Stop accepting. Idempotent."""
        self._loop.call(self._listener.aclose)


class BackgroundStream:
    """One stream for blocking calls. Iterating gives what arrives until the end."""

    def __init__(self, loop: BackgroundLoop, stream: MixnetStream) -> None:
        self._loop = loop
        self.stream = stream
        """The async stream. Use it in its own event loop only."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_details: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                data = self.receive()
            except anyio.EndOfStream:
                return
            yield data

    @property
    def stream_id(self) -> int:
        """64 bits, drawn by the dialer."""
        return self.stream.stream_id

    @property
    def peer(self) -> NymAddress | SenderTag:
        """The address we dialed, or the tag of the anonymous dialer."""
        return self.stream.peer

    @property
    def error(self) -> NymError | None:
        """Why the stream failed, if it did."""
        return self.stream.error

    def send(self, data: bytes | bytearray | memoryview, timeout: float | None = None) -> None:
        """Hand bytes over, waiting only for room.

        Raises:
            TimeoutError: no room within ``timeout`` seconds; a part may have been taken over.
        """
        self._loop.call_within(
            timeout, "there was no room for what was to be sent", partial(self.stream.send, data)
        )

    def receive(
        self, max_bytes: int = DEFAULT_RECEIVE_BYTES, timeout: float | None = None
    ) -> bytes:
        """Return at least one byte and at most ``max_bytes``.

        Raises:
            TimeoutError: nothing came within ``timeout`` seconds.
            anyio.EndOfStream: the peer's direction has ended.
        """
        return self._loop.call_within(
            timeout, _NOTHING_CAME, partial(self.stream.receive, max_bytes)
        )

    def receive_frame(self, timeout: float | None = None) -> bytes:
        """Return the payload of one frame of the peer whole. Raises as :meth:`receive`."""
        return self._loop.call_within(timeout, _NOTHING_CAME, self.stream.receive_frame)

    def drain(self, timeout: float | None = None) -> None:
        """Wait until everything that was sent has been acknowledged.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds.
        """
        self._loop.call_within(timeout, "not all was acknowledged", self.stream.drain)

    def send_eof(self) -> None:
        """End our direction after what was sent; receiving goes on."""
        self._loop.call(self.stream.send_eof)

    def close(self) -> None:
        """End both directions, flushing for at most ten seconds."""
        self._loop.call(self.stream.aclose)

    def abort(self, code: ResetCode = ResetCode.CANCELLED, reason: str = "") -> None:
        """End both directions at once."""
        self._loop.call_now(self.stream.abort, code, reason)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Wait until the stream is over.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds.
        """
        self._loop.call_within(timeout, "the stream was not over", self.stream.wait_closed)
