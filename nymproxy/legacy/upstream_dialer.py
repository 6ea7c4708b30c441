"""Connects the sessions of a proxy server to its upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from nymproxy._signal import Signal
from nymproxy.forward.sockets import connect_upstream
from nymproxy.legacy.session_book import ConnectLine, ConnectRate
from nymproxy.legacy.upstream_header import AllowList, read_header

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from nymproxy.channel.channel import Channel
    from nymproxy.forward.endpoint import Endpoint
    from nymproxy.forward.forwarder import ByteChannel

BACKLOG_SECONDS = 10.0
"""What waited at the gateway while no server ran has come so long after the start."""
SECOND_THOUGHTS_SECONDS = 1.0
"""And what its sender said in the end so long after what it said first."""


class _Place:
    """Where a session waits for its turn."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.turn = anyio.Event()

    @property
    def has_spoken(self) -> bool:
        return self._channel.has_received_data


class UpstreamDialer:
    """Connects, one session after another, at a limited rate: :meth:`run` gives the turns.

    A legacy session that was begun while no server ran is not carried out if its client has given
    it up since, as far as that can be known: the format has no times, but what takes the session
    back waits at the gateway, too, and comes right behind it. (Streams have openings with a time.)

    Args:
        upstream: where to.
        allowed: what sessions may ask for in its place; ``None``: nothing.
        timeout: seconds for one connection.
        per_second: the rate.
        is_restored: sessions may have been begun before this process was started.
    """

    def __init__(
        self,
        upstream: Endpoint,
        *,
        allowed: AllowList | None,
        timeout: float,
        per_second: float,
        is_restored: bool,
    ) -> None:
        self._upstream = upstream
        self._allowed = allowed
        self._timeout = timeout
        self._line: ConnectLine[_Place] = ConnectLine()
        self._joined = Signal()
        self._rate = ConnectRate(per_second)
        self._is_restored = is_restored
        self._started_at: float | None = None

    def use_rate(self, per_second: float) -> None:
        """Replace the rate; it counts for connections that come."""
        self._rate.use_rate(per_second)

    def started(self) -> None:
        """Note that sessions are accepted from now on."""
        self._started_at = anyio.current_time()

    async def connect(self, channel: Channel) -> tuple[SocketStream, ByteChannel]:
        """Connect a session; gives what to read of it, and write to it, in the channel's place.

        Raises:
            StreamRefused: the upstream cannot be reached, or not be asked for.
            anyio.BrokenResourceError: the session has ended.
        """
        if channel.protocol == "legacy" and self._is_early():
            with anyio.move_on_after(SECOND_THOUGHTS_SECONDS):
                await channel.wait_closed()
                raise anyio.BrokenResourceError from channel.error
        upstream = self._upstream
        rest: ByteChannel = channel
        if self._allowed is not None:
            upstream, rest = await read_header(channel, upstream, self._allowed)
        await self._take_turn(_Place(channel))
        return await connect_upstream(upstream, timeout=self._timeout), rest

    async def _take_turn(self, place: _Place) -> None:
        self._line.add(place)
        self._joined.set()
        try:
            await place.turn.wait()
        finally:
            self._line.discard(place)

    async def run(self) -> None:
        """Give turns, for ever."""
        while True:
            while not self._line:
                await self._joined.wait()
            await anyio.sleep_until(self._rate.take(anyio.current_time()))
            place = self._line.take()
            if place is not None:
                place.turn.set()

    def _is_early(self) -> bool:
        began = self._started_at
        is_backlog = began is not None and anyio.current_time() < began + BACKLOG_SECONDS
        return self._is_restored and is_backlog
