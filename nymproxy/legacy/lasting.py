"""Identities that last: a few clients, and the connections that share them.

One forward has them for itself, or several forwards of a process have them together
(:class:`IdentityGroup`), at the cost of one: what the server, and their gateway, can link then are
the connections of all of them.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.lowlevel

from nymproxy._arguments import check_number
from nymproxy._background_task import without_group
from nymproxy._backoff import Backoff
from nymproxy._signal import Signal
from nymproxy.channel.failover import open_to_first, watched
from nymproxy.channel.mux import ChannelMux
from nymproxy.errors import NymError
from nymproxy.legacy.client_pool import MAX_CONCURRENT_CONNECTS
from nymproxy.legacy.connector import FLUSH_SECONDS, Connector
from nymproxy.legacy.wire import WIRES, WireSettings
from nymproxy.mixnet.randomness import system_random_bytes, uniform_fraction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from nymproxy.address import NymAddress
    from nymproxy.channel import ChannelProtocol
    from nymproxy.channel.channel import Channel
    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.legacy.wire import Destination

logger = logging.getLogger("nymproxy.legacy")


@asynccontextmanager
async def opened(mux: ChannelMux, destination: Destination, first: bytes) -> AsyncIterator[Channel]:
    """Open a channel in the protocol of the moment, with the first bytes that are sent, and let its
    end be learned from."""
    rate = mux.transport.packet_rate

    def protocol_for(server: NymAddress) -> ChannelProtocol:
        return destination.choose(server, rate, anyio.current_time())

    servers = destination.servers
    channel, server = await open_to_first(mux, protocol_for, servers, first=first)
    try:
        async with watched(channel, server, servers):
            yield channel
    finally:
        destination.ended(server, channel, anyio.current_time())


@dataclass(eq=False, slots=True)
class _Slot:
    """One long-lived identity."""

    mux: ChannelMux | None = None
    channels: int = 0
    error: NymError | OSError | None = None


class LastingLease:
    """A place on an identity that others use too."""

    def __init__(self, slot: _Slot, mux: ChannelMux, destination: Destination) -> None:
        self._slot = slot
        self._mux = mux
        self._destination = destination
        slot.channels += 1

    @asynccontextmanager
    async def channel(self, first: bytes = b"") -> AsyncIterator[Channel]:
        """See :class:`Lease`."""
        try:
            async with opened(self._mux, self._destination, first) as channel:
                try:
                    yield channel
                except BaseException:
                    channel.abort()
                    raise
        finally:
            self.release()

    def release(self) -> None:
        """See :class:`Lease`."""
        self._slot.channels -= 1


class LastingClients:
    """A few clients, each with a mux. One that is lost for good is replaced, by another identity.

    Args:
        connector: connects one client.
        protocols: what their muxes read, given a packet rate.
        count: clients, 1 or more.
        max_concurrent_connects: clients being connected at once.

    Raises:
        ConfigurationError: fewer than one.
    """

    def __init__(
        self,
        connector: Connector,
        protocols: Callable[[float | None], list[ChannelProtocol]],
        *,
        count: int,
        max_concurrent_connects: int = MAX_CONCURRENT_CONNECTS,
    ) -> None:
        check_number(count, "the number of identities", least=1, whole=True)
        self._connector = connector
        self._protocols = protocols
        self._slots = [_Slot() for _ in range(count)]
        self._connecting = anyio.Semaphore(max_concurrent_connects)
        self._changed = Signal()

    async def run(self) -> None:
        """Keep them connected until cancelled."""
        async with anyio.create_task_group() as tasks:
            for slot in self._slots:
                tasks.start_soon(self._keep, slot)

    async def lease(self, destination: Destination) -> LastingLease:
        """Wait for a client, and take a place on the one with the fewest connections.

        Raises:
            NymError: none can be connected.
        """
        slot, mux = await self.least_busy()
        return LastingLease(slot, mux, destination)

    async def least_busy(self) -> tuple[_Slot, ChannelMux]:
        """Wait for a client; return the one with the fewest connections.

        Raises:
            NymError: none can be connected.
        """
        while True:
            usable = [(slot.channels, index) for index, slot in enumerate(self._slots) if slot.mux]
            if usable:
                slot = self._slots[min(usable)[1]]
                assert slot.mux is not None
                return slot, slot.mux
            errors = [slot.error for slot in self._slots]
            if all(errors) and errors[0] is not None:
                raise errors[0]
            await self._changed.wait()

    async def _keep(self, slot: _Slot) -> None:
        backoff = Backoff()
        while True:
            try:
                async with self._connecting:
                    client = await self._connector()
            except (NymError, OSError) as error:
                self._update(slot, None, error)
                pause = backoff.failed(uniform_fraction(system_random_bytes))
                logger.warning("Error creating client: %s, will retry in %.1f s", error, pause)
                await anyio.sleep(pause)
                continue
            backoff.succeeded()
            async with client:
                protocols = self._protocols(client.packet_rate)
                async with ChannelMux(client, protocols, grace_seconds=FLUSH_SECONDS) as mux:
                    self._update(slot, mux, None)
                    try:
                        await mux.wait_ended()
                    finally:
                        self._update(slot, None, None)
            logger.warning("A mixnet client was lost; connecting another one")

    def _update(
        self, slot: _Slot, mux: ChannelMux | None, error: NymError | OSError | None
    ) -> None:
        slot.mux, slot.error = mux, error
        self._changed.set()


class LastingIdentities:
    """The clients of one forward alone.

    Args:
        clients: not running.
        destination: the server.
    """

    def __init__(self, clients: LastingClients, destination: Destination) -> None:
        self._clients = clients
        self._destination = destination
        self._scope: anyio.CancelScope | None = None
        self._stopped = anyio.Event()

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """See :class:`~nymproxy.legacy.identities.Identities`, as for the others."""
        try:
            with anyio.CancelScope() as self._scope, without_group():
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._clients.run)
                    await self._clients.least_busy()
                    task_status.started()
        finally:
            self._stopped.set()

    async def take(self, *, is_patient: bool = False) -> LastingLease:
        """Nobody waits for another one here."""
        return await self._clients.lease(self._destination)

    async def stop(self) -> None:
        """Disconnect."""
        if self._scope is not None:
            self._scope.cancel()
            await self._stopped.wait()


class IdentityGroup:
    """One identity for several forwards of a process.

    It is connected as long as one of them runs. Have :meth:`run` running before they do.

    Args:
        connector: connects the client, and tells the roster of it.
        settings: of both protocols; those of each forward's own channels count for them.
        roster: of the group.
    """

    def __init__(self, connector: Connector, settings: WireSettings, roster: ClientRoster) -> None:
        def protocols(rate: float | None) -> list[ChannelProtocol]:
            return [settings.protocol(wire, rate) for wire in WIRES]

        self.roster = roster
        self._clients = LastingClients(connector, protocols, count=1)
        self._members = 0
        self._changed = Signal()

    def identities(self, destination: Destination) -> GroupIdentities:
        """Return what one of the forwards takes its identity from."""
        return GroupIdentities(self, destination)

    async def run(self) -> None:
        """Be connected while there are members, until cancelled."""
        while True:
            while not self._members:
                await self._changed.wait()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._clients.run)
                while self._members:
                    await self._changed.wait()
                tasks.cancel_scope.cancel()

    @contextmanager
    def membership(self) -> Iterator[LastingClients]:
        """Be a member for the time of the block."""
        self._members += 1
        self._changed.set()
        try:
            yield self._clients
        finally:
            self._members -= 1
            self._changed.set()


class GroupIdentities:
    """The place of one forward in a group."""

    def __init__(self, group: IdentityGroup, destination: Destination) -> None:
        self._group = group
        self._destination = destination
        self._clients: LastingClients | None = None
        self._stop = anyio.Event()

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """See :class:`~nymproxy.legacy.identities.Identities`, as for the others."""
        with self._group.membership() as self._clients:
            await self._clients.least_busy()
            task_status.started()
            await self._stop.wait()

    async def take(self, *, is_patient: bool = False) -> LastingLease:
        """Nobody waits for another one here."""
        assert self._clients is not None, "it is not running"
        return await self._clients.lease(self._destination)

    async def stop(self) -> None:
        """Leave the group."""
        self._stop.set()
        await anyio.lowlevel.checkpoint()
