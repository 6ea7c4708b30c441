"""Accepting streams: an :class:`anyio.abc.Listener` over a channel acceptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import Listener

from nymproxy.stream.stream import MixnetStream, StreamAttribute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from nymproxy.address import NymAddress
    from nymproxy.channel.acceptor import ChannelAcceptor
    from nymproxy.tracing import Trace


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

        As with anyio's other listeners the handler closes its stream (``async with stream:``), and
        an exception that it lets out ends everything in the task group.

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
            task_group.start_soon(handler, await self.accept())

    async def aclose(self) -> None:
        """Stop accepting: streams that nobody took are refused. Idempotent."""
        await self._acceptor.aclose()
