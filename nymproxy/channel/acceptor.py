"""Accepts the channels that peers open in one protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from nymproxy._home_loop import HomeLoop

if TYPE_CHECKING:
    from nymproxy._signal import Signal
    from nymproxy.channel.channel import Channel
    from nymproxy.channel.drivers import Drivers
    from nymproxy.channel.listening import Listener
    from nymproxy.channel.table import ChannelTable


class ChannelAcceptor:
    """The channels that peers open in one protocol, from :meth:`ChannelMux.listen`.

    Args:
        listener: in the table.
        table: where the channels wait.
        drivers: theirs.
        arrived: woken when there may be one, and when there will be none.
    """

    def __init__(
        self, listener: Listener, table: ChannelTable, drivers: Drivers, arrived: Signal
    ) -> None:
        self._home = HomeLoop("a listener")
        self._listener = listener
        self._table = table
        self._drivers = drivers
        self._arrived = arrived

    @property
    def has_waiting(self) -> bool:
        """True while a channel may be accepted at once."""
        return bool(self._listener.waiting)

    async def accept(self) -> Channel:
        """Return the next channel. Cancelling loses none.

        Raises:
            UsageError: another event loop.
            anyio.ClosedResourceError: the acceptor was closed.
            anyio.BrokenResourceError: the transport has ended (from ``ClientDisconnected``).
        """
        self._home.check()
        await anyio.lowlevel.checkpoint_if_cancelled()
        while True:
            if self._listener.is_closed:
                raise anyio.ClosedResourceError("the listener was closed here")
            if self._drivers.error is not None:
                error = self._drivers.error
                raise anyio.BrokenResourceError(str(error)) from error
            key = self._table.accept(self._listener)
            if key is not None:
                channel = self._drivers.held(key)  # before others run: it may be over by then
                self._drivers.changed([key])
                await anyio.lowlevel.cancel_shielded_checkpoint()
                return channel
            await self._arrived.wait()

    async def aclose(self) -> None:
        """Stop accepting: waiting channels, and later ones, are refused. Idempotent."""
        self.close()
        await anyio.lowlevel.checkpoint()

    def close(self) -> None:
        """As :meth:`aclose`, from code that does not wait."""
        refused = self._table.close_listener(self._listener, anyio.current_time())
        self._drivers.changed(refused)
        self._arrived.set()
