"""Under which sender identity each TCP connection goes: a fresh one, one of a few, or the only one.

What that links is the user's decision. The server knows a client by its sender tag: connections
that share an identity are linkable by the server, and share a gateway.
"""

from __future__ import annotations

import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import anyio
import anyio.abc

from nymproxy._background_task import without_group
from nymproxy._limited_log import LimitedLog
from nymproxy.channel.mux import ChannelMux
from nymproxy.errors import ConfigurationError
from nymproxy.legacy.client_pool import MAX_CONCURRENT_CONNECTS, ClientPool
from nymproxy.legacy.connector import FLUSH_SECONDS, Connector
from nymproxy.legacy.lasting import LastingClients, LastingIdentities, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nymproxy.channel.channel import Channel
    from nymproxy.legacy.client_pool import PooledClient
    from nymproxy.legacy.wire import Destination

logger = logging.getLogger("nymproxy.legacy")

IdentityMode: TypeAlias = Literal["per-connection", "pool", "shared"]


class Lease(Protocol):
    """An identity for one connection: use :meth:`channel` or :meth:`release`, once."""

    def channel(self, first: bytes = b"") -> AbstractAsyncContextManager[Channel]:
        """Open a channel; leaving ends it, and the identity if it was for it alone.

        Args:
            first: the first bytes that are sent.

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


class FreshLease:
    """A client for one connection alone."""

    def __init__(self, pooled: PooledClient, destination: Destination) -> None:
        self._pooled = pooled
        self._destination = destination

    @asynccontextmanager
    async def channel(self, first: bytes = b"") -> AsyncIterator[Channel]:
        """See :class:`Lease`."""
        async with self._pooled as client:
            protocols = self._destination.protocols(client.packet_rate)
            async with (
                ChannelMux(client, protocols, grace_seconds=FLUSH_SECONDS) as mux,
                opened(mux, self._destination, first) as channel,
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
        self._log = LimitedLog(logger)
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
            self._log.info(
                anyio.current_time(), "Not enough clients in pool, creating ephemeral client"
            )
        pooled = await self.pool.acquire(is_patient=is_patient)
        logger.debug(
            "Using %r for the moment, created outside of the connection pool",
            pooled.client.address,
        )
        return FreshLease(pooled, self._destination)


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
        return LastingIdentities(
            LastingClients(connector, destination.protocols, count=amount), destination
        )
    if mode == "shared":
        return LastingIdentities(
            LastingClients(connector, destination.protocols, count=1), destination
        )
    raise ConfigurationError(
        f"there is no identity mode {mode!r}; choose per-connection, pool or shared"
    )
