"""The TCP connections of a proxy client's apps: how many, and which of them is worth an identity.

An identity costs a registration and half a megabyte. A connection that has said nothing gets one,
since the upstream may be the one that speaks first, but waits behind those that have; and when
there are too many, the one that has been silent for longest goes.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from nymproxy._arguments import check_number
from nymproxy._signal import Signal
from nymproxy.forward.forwarder import READ_BYTES

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from nymproxy._limited_log import LimitedLog
    from nymproxy.legacy.session import Session, SessionSnapshot

FIRST_BYTES_SECONDS = 0.02
"""A health probe, or an app that speaks, shows itself by then."""
MAX_SILENT_IDENTITIES = 32
"""Identities of connections on which nothing was said; further ones wait until something is."""
SILENT_IDENTITIES_PER_SECOND = 16
"""Beyond as many as there may be at once. Where silent ones go for others, the next ones would get
an identity each as fast as apps can connect."""


class SilentTurns:
    """Lets silent connections have identities, in the order of coming: so many at once, and so many
    in a second."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(MAX_SILENT_IDENTITIES)
        self._next = anyio.Lock()
        self._next_at = -math.inf

    async def take(self, owner: AppConnection) -> None:
        """Wait for a turn; :meth:`give_back` must follow, also when cancelled. Only who gets one
        wakes: hundreds may wait."""
        await self._limiter.acquire_on_behalf_of(owner)
        async with self._next:
            # Counted when the time has come: those who have gone by then have had nothing.
            await anyio.sleep_until(self._next_at)
            interval = 1 / SILENT_IDENTITIES_PER_SECOND
            idle_since = anyio.current_time() - MAX_SILENT_IDENTITIES * interval
            self._next_at = max(self._next_at, idle_since) + interval

    def give_back(self, owner: AppConnection) -> None:
        """Let another one have the turn, if there is any. Idempotent."""
        with suppress(RuntimeError):
            self._limiter.release_on_behalf_of(owner)


class AppConnection:
    """One TCP connection of an app.

    Args:
        number: names it in the logs.
        stream: to the app.
        silent_turns: when it may have an identity while it is silent.
        changed: told when it speaks.
    """

    def __init__(
        self,
        number: int,
        stream: SocketStream,
        silent_turns: SilentTurns,
        changed: Signal,
    ) -> None:
        self.number = number
        self.stream = stream
        self.scope = anyio.CancelScope()
        self.session: Session | None = None
        self.first = b""
        """What the app said before its session began."""
        self.is_gone = False
        """The app has ended the connection without a word."""
        self._silent_turns = silent_turns
        self._changed = changed

    @property
    def is_silent(self) -> bool:
        """True while nothing was said in either direction."""
        return not self.first and not (self.session is not None and self.session.has_carried)

    async def listen(self) -> None:
        """Wait for the app to say something, or to go away. Cancelling loses nothing."""
        try:
            self.first = await self.stream.receive(READ_BYTES)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.is_gone = True
        self.spoke()

    async def silent_turn(self) -> None:
        """Wait until a silent connection may have an identity."""
        await self._silent_turns.take(self)

    def spoke(self) -> None:
        """Let others have the turn of a silent one."""
        self._silent_turns.give_back(self)
        self._changed.set()


class AppConnections:
    """All TCP connections of a proxy client.

    Args:
        limit: how many there may be.
        log: says which goes.

    Raises:
        ConfigurationError: fewer than one.
    """

    def __init__(self, limit: int, log: LimitedLog) -> None:
        self.use_limit(limit)
        self._log = log
        self._changed = Signal()
        self._connections: dict[int, AppConnection] = {}  # in the order of their coming
        self._silent_turns = SilentTurns()
        self._count = 0

    def __len__(self) -> int:
        return len(self._connections)

    def use_limit(self, limit: int) -> None:
        """Replace the limit; it counts for those that come.

        Raises:
            ConfigurationError: fewer than one.
        """
        check_number(limit, "the connection limit", least=1, whole=True)
        self._limit = limit

    @property
    def session_count(self) -> int:
        """Connections that are being carried."""
        return sum(each.session is not None for each in self._connections.values())

    def session_map(self) -> dict[int, SessionSnapshot]:
        """Return the sessions that are running now, by number."""
        return {
            number: each.session.snapshot()
            for number, each in self._connections.items()
            if each.session is not None
        }

    def close(self, number: int) -> bool:
        """End a connection, telling the peer where there is one; False: it is not there."""
        connection = self._connections.get(number)
        if connection is not None:
            _end(connection)
        return connection is not None

    async def drain(self, seconds: float) -> tuple[int, int]:
        """Wait for all to end, but no longer; return how many did, and how many are left. Some may
        be added meanwhile, which were accepted before."""
        before = self._count - len(self._connections)
        with anyio.move_on_after(seconds):
            while self._connections:
                await self._changed.wait()
        left = len(self._connections)
        return self._count - left - before, left

    def stop(self) -> None:
        """End all, telling the peer where there is one."""
        for each in self._connections.values():
            _end(each)

    async def room(self) -> None:
        """Wait until there is room for one more; the longest silent one is made to go for it."""
        while len(self._connections) >= self._limit:
            silent = next((each for each in self._connections.values() if each.is_silent), None)
            if silent is None:
                await self._changed.wait()
            else:
                self._log.warning(
                    anyio.current_time(),
                    "Connection %d was silent for longest, and goes for a new one",
                    silent.number,
                )
                silent.scope.cancel()
                self.remove(silent)

    def add(self, stream: SocketStream) -> AppConnection:
        """Count a connection."""
        self._count += 1
        connection = AppConnection(self._count, stream, self._silent_turns, self._changed)
        self._connections[connection.number] = connection
        return connection

    def remove(self, connection: AppConnection) -> None:
        """Forget a connection, and have it forget its session, which calls it: together they would
        wait for the garbage collector. Idempotent."""
        self._connections.pop(connection.number, None)
        connection.session = None
        connection.spoke()


def _end(connection: AppConnection) -> None:
    if connection.session is None:
        connection.scope.cancel()
    else:
        connection.session.stop()
