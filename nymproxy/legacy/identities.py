"""Under which sender identity each TCP connection goes: a fresh one, one of a few, or the only one.

What that links is the user's decision. The server knows a client by its sender tag: connections
that share an identity are linkable by the server, and share a gateway.
"""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import anyio
import anyio.abc

from nymproxy._background_task import without_group
from nymproxy._backoff import Backoff
from nymproxy._signal import Signal
from nymproxy.channel.failover import open_to_first, watched
from nymproxy.channel.mux import ChannelMux
from nymproxy.errors import ConfigurationError, NymError
from nymproxy.legacy.client_pool import MAX_CONCURRENT_CONNECTS, ClientPool
from nymproxy.legacy.connector import FLUSH_SECONDS, Connector
from nymproxy.mixnet.randomness import system_random_bytes, uniform_fraction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.address import NymAddress
    from nymproxy.channel import ChannelProtocol
    from nymproxy.channel.channel import Channel
    from nymproxy.legacy.client_pool import PooledClient
    from nymproxy.legacy.wire import Destination

logger = logging.getLogger("nymproxy.legacy")

IdentityMode: TypeAlias = Literal["per-connection", "pool", "shared"]


class Lease(Protocol):
    """An identity for one connection: use :meth:`channel` or :meth:`release`, once."""

    def channel(self) -> AbstractAsyncContextManager[Channel]:
        """Open a channel; leaving ends it, and the identity if it was for it alone.

        Raises:
            NymError: the server cannot be reached.
        """
        ...

    def release(self) -> None:
        """Give it back unused."""
        ...


class Identities(Protocol):
    """Gives each connection a channel to the server."""

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Keep clients connected until :meth:`stop`; started when the first one is.

        Raises:
            NymError: the first one cannot be connected.
        """
        ...

    async def take(self, *, is_patient: bool = False) -> Lease:
        """Wait for an identity; ``is_patient``: behind all who are not.

        Raises:
            NymError: no client can be connected.
        """
        ...

    async def stop(self) -> None:
        """Disconnect, once all channels have been left."""
        ...


@asynccontextmanager
async def _opened(mux: ChannelMux, destination: Destination) -> AsyncIterator[Channel]:
    """Open a channel in the protocol of the moment, and let its end be learned from."""
    rate = mux.transport.packet_rate

    def protocol_for(server: NymAddress) -> ChannelProtocol:
        return destination.choose(server, rate, anyio.current_time())

    servers = destination.servers
    channel, server = await open_to_first(mux, protocol_for, servers)
    try:
        async with watched(channel, server, servers):
            yield channel
    finally:
        destination.ended(server, channel, anyio.current_time())


class FreshLease:
    """A client for one connection alone."""

    def __init__(self, pooled: PooledClient, destination: Destination) -> None:
        self._pooled = pooled
        self._destination = destination

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[Channel]:
        """See :class:`Lease`."""
        async with self._pooled as client:
            protocols = self._destination.protocols(client.packet_rate)
            async with (
                ChannelMux(client, protocols, grace_seconds=FLUSH_SECONDS) as mux,
                _opened(mux, self._destination) as channel,
            ):
                yield channel
                # The client goes with the channel: a second Close may still have to leave.
                with anyio.move_on_after(FLUSH_SECONDS):
                    await channel.wait_closed()

    def release(self) -> None:
        """See :class:`Lease`."""
        self._pooled.release()


class FreshIdentities:
    """Every connection takes a new identity from a reserve, and throws it away.

    Args:
        connector: connects one client.
        destination: the server.
        reserve: clients kept ready; 0 for none.
        max_concurrent_connects: clients being connected at once.
    """

    def __init__(
        self,
        connector: Connector,
        destination: Destination,
        *,
        reserve: int,
        max_concurrent_connects: int = MAX_CONCURRENT_CONNECTS,
    ) -> None:
        self._destination = destination
        self.pool = ClientPool(reserve, connector, max_concurrent_connects=max_concurrent_connects)

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """See :class:`Identities`. Without a reserve nothing is connected before it is needed."""
        with without_group():
            async with anyio.create_task_group() as tasks:
                await tasks.start(self.pool.start)
                if self.pool.get_pool_reserve():
                    await self.pool.wait_ready()
                task_status.started()

    async def stop(self) -> None:
        """See :class:`Identities`."""
        await self.pool.disconnect_pool()

    async def take(self, *, is_patient: bool = False) -> FreshLease:
        """See :class:`Identities`."""
        pooled = await self.pool.get_mixnet_client()
        if pooled is not None:
            logger.debug("Grabbed client %r from pool", pooled.client.address)
            return FreshLease(pooled, self._destination)
        if self.pool.get_pool_reserve():
            logger.info("Not enough clients in pool, creating ephemeral client")
        pooled = await self.pool.acquire(is_patient=is_patient)
        logger.debug(
            "Using %r for the moment, created outside of the connection pool",
            pooled.client.address,
        )
        return FreshLease(pooled, self._destination)


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
    async def channel(self) -> AsyncIterator[Channel]:
        """See :class:`Lease`."""
        try:
            async with _opened(self._mux, self._destination) as channel:
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


class LastingIdentities:
    """Connections share a few identities, each on the one with the fewest connections.

    A client that is lost for good is replaced, by another identity.

    Args:
        connector: connects one client.
        destination: the server.
        count: identities, 1 or more.
        max_concurrent_connects: clients being connected at once.
    """

    def __init__(
        self,
        connector: Connector,
        destination: Destination,
        *,
        count: int,
        max_concurrent_connects: int = MAX_CONCURRENT_CONNECTS,
    ) -> None:
        if count < 1:
            raise ConfigurationError("at least one identity is needed")
        self._connector = connector
        self._destination = destination
        self._slots = [_Slot() for _ in range(count)]
        self._connecting = anyio.Semaphore(max_concurrent_connects)
        self._changed = Signal()
        self._scope: anyio.CancelScope | None = None
        self._stopped = anyio.Event()

    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """See :class:`Identities`."""
        try:
            with anyio.CancelScope() as self._scope, without_group():
                async with anyio.create_task_group() as tasks:
                    for slot in self._slots:
                        tasks.start_soon(self._keep, slot)
                    await self._least_busy()
                    task_status.started()
        finally:
            self._stopped.set()

    async def take(self, *, is_patient: bool = False) -> LastingLease:
        """See :class:`Identities`. Nobody waits for another one here."""
        slot, mux = await self._least_busy()
        return LastingLease(slot, mux, self._destination)

    async def stop(self) -> None:
        """See :class:`Identities`."""
        if self._scope is not None:
            self._scope.cancel()
            await self._stopped.wait()

    async def _least_busy(self) -> tuple[_Slot, ChannelMux]:
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
                protocols = self._destination.protocols(client.packet_rate)
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


def make_identities(
    mode: IdentityMode, connector: Connector, destination: Destination, *, amount: int
) -> Identities:
    """Return the identities of a mode.

    Args:
        mode: ``per-connection`` (as the old module: a fresh identity for each connection),
            ``pool`` (``amount`` identities, reused) or ``shared`` (one).
        connector: connects one client.
        destination: the server.
        amount: the reserve, or the size of the pool.

    Raises:
        ConfigurationError: no such mode, or an amount that does not fit.
    """
    if mode == "per-connection":
        return FreshIdentities(connector, destination, reserve=amount)
    if mode == "pool":
        return LastingIdentities(connector, destination, count=amount)
    if mode == "shared":
        return LastingIdentities(connector, destination, count=1)
    raise ConfigurationError(
        f"there is no identity mode {mode!r}; choose per-connection, pool or shared"
    )
