"""Accepting streams: an :class:`anyio.abc.Listener` over a channel acceptor."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import Listener

from nymproxy._error_groups import first_cause
from nymproxy._limited_log import LimitedLog
from nymproxy.stream.stream import MixnetStream, StreamAttribute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from nymproxy.address import NymAddress
    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.tracing import Trace

logger = logging.getLogger(__name__)

# What a peer can make of a handler that is right: it resets, ends too early, refuses a handshake.
_OF_ONE_STREAM = (
    anyio.BrokenResourceError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
    ConnectionError,
    ssl.SSLError,
)


class MixnetListener(Listener[MixnetStream]):
    """The streams that peers open to one client. Made by ``MixnetClient.listener``.

    Args:
        acceptor: where the channels come from.
        address: the address that peers dial.
        trace: is told of the streams.
    """

    def __init__(
        self, acceptor: ChannelAcceptor, address: NymAddress, trace: Trace | None = None
    ) -> None:
        self._acceptor = acceptor
        self._address = address
        self._trace = trace
        self._log = LimitedLog(logger)

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """``StreamAttribute.local_address``: the address that peers dial."""
        return {StreamAttribute.local_address: lambda: self._address}

    async def accept(self) -> MixnetStream:
        """Return the next stream. Cancelling loses none.

        Raises:
            anyio.ClosedResourceError: the listener was closed, also by another task.
            anyio.BrokenResourceError: the client has ended (from ``ClientDisconnected``).
        """
        return MixnetStream(await self._acceptor.accept(), self._trace)

    async def serve(
        self,
        handler: Callable[[MixnetStream], Any],
        task_group: TaskGroup | None = None,
    ) -> None:
        """Run ``handler`` in a task of its own for each stream, until the listener ends.

        The handler closes its stream (``async with stream:``). Peers are strangers, so what one of
        them can cause ends its stream alone, with a line in the log: a connection that is broken or
        ends too early, a TLS handshake that fails. Any other exception that the handler lets out
        ends everything in the task group, as with anyio's other listeners.

        Args:
            handler: called with the stream.
            task_group: where the tasks run; by default one that lives as long as this call.

        Raises:
            anyio.ClosedResourceError: the listener was closed.
            anyio.BrokenResourceError: the client has ended (from ``ClientDisconnected``).
        """
        if task_group is None:
            async with anyio.create_task_group() as own:
                await self.serve(handler, own)
            return
        while True:
            task_group.start_soon(self._handle, handler, await self.accept())

    async def _handle(self, handler: Callable[[MixnetStream], Any], stream: MixnetStream) -> None:
        try:
            await handler(stream)
        except* _OF_ONE_STREAM as group:
            stream.abort()
            error = first_cause(group)
            what = f"{type(error).__name__}: {error}"
            self._log.warning(anyio.current_time(), "a stream ends before its time: %s", what)

    async def aclose(self) -> None:
        """Stop accepting: streams that nobody took are refused. Idempotent."""
        await self._acceptor.aclose()
