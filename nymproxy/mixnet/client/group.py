"""Several clients as one transport: an acceptor that peers reach through more than one gateway.

What was addressed to any of them comes in, and answers to a sender go through the one that it
writes to. The clients share one memory account.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

from nymproxy._arguments import list_of
from nymproxy.address import NodeIdentity, SenderTag
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import ClientDisconnected, NymError
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.client.watching import Unwatched
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.storage.identities import identity_directory
from nymproxy.mixnet.traffic import DEFAULT
from nymproxy.mixnet.transport import DEFAULT_LANE, Messages, Received

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Sequence
    from types import TracebackType
    from typing import Self

    from nymproxy.address import NymAddress
    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.mixnet.client.watching import ClientWatcher
    from nymproxy.mixnet.machine import ClientStatus
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.mixnet.transport import ConnectedClient, Delivery

_logger = logging.getLogger("nymproxy.client")


class ClientGroup:
    """Joins clients, which it enters and leaves with its own ``async with``.

    One that is lost for good is missed, and no more; the group ends with the last one.

    Args:
        clients: connected, and not entered; one or more.
    """

    def __init__(self, clients: Sequence[ConnectedClient]) -> None:
        self._clients = tuple(clients)
        # Without room of its own, so that the clients' own queues bound what waits.
        self._arrived, self._inbox = anyio.create_memory_object_stream[Received](0)
        self._losses: list[NymError] = []
        self._stack = AsyncExitStack()
        self._scope = anyio.CancelScope()

    @classmethod
    async def connect(
        cls,
        network: NetworkDetails | str | os.PathLike[str] | None = None,
        *,
        gateways: Sequence[NodeIdentity | str | None],
        storage: str | os.PathLike[str] | None = None,
        profile: TrafficProfile | str = DEFAULT,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        memory: MemoryAccount | None = None,
        watch: Callable[[], ClientWatcher] = Unwatched,
    ) -> Self:
        """Connect a client at each of several gateways.

        Args:
            network: as for :meth:`MessageClient.connect`.
            gateways: one or more; ``None`` stands for one that is chosen at random, unless a
                stored client has one.
            storage: a directory that keeps the clients: the first as
                :meth:`MessageClient.connect` does, the others in the folders ``identity-2`` and
                so on of it. ``None``: they are forgotten.
            profile: as for :meth:`MessageClient.connect`.
            options: as for :meth:`MessageClient.connect`.
            memory: the account of all of them; by default one of their own.
            watch: gives a watcher for each.

        Raises:
            NymError: as :meth:`MessageClient.connect`, for any of them.
        """
        network = NetworkDetails.of(network)  # read once, and refused before anything is connected
        given = list_of(gateways, "gateways")
        identities = [None if each is None else NodeIdentity.of(each) for each in given]
        account = MemoryAccount() if memory is None else memory
        clients: list[MessageClient] = []
        try:
            for number, gateway in enumerate(identities):
                client = await MessageClient.connect(
                    network,
                    storage=None if storage is None else identity_directory(storage, number),
                    gateway=gateway,
                    avoided={client.address.gateway for client in clients},
                    profile=profile,
                    options=options,
                    memory=account,
                    watcher=watch(),
                )
                clients.append(client)
        except BaseException:
            with anyio.CancelScope(shield=True):  # each is bounded
                for client in clients:
                    await client.aclose()
            raise
        return cls(clients)

    # What it is.

    @property
    def address(self) -> NymAddress:
        """The first client's."""
        return self._clients[0].address

    @property
    def addresses(self) -> tuple[NymAddress, ...]:
        """Those of all clients, in their order."""
        return tuple(address for client in self._clients for address in client.addresses)

    def address_for(self, tag: SenderTag) -> NymAddress:
        """Return which of our addresses a sender writes to."""
        return self._client_of(tag).address_for(tag)

    @property
    def packet_rate(self) -> float | None:
        """Of one client: what one sender gets."""
        return self._clients[0].packet_rate

    @property
    def memory(self) -> MemoryAccount:
        """The clients' account."""
        return self._clients[0].memory

    @property
    def status(self) -> ClientStatus:
        """That of the client that is nearest to carrying traffic."""
        return max((client.status for client in self._clients), key=lambda each: each.fraction)

    @property
    def is_connected(self) -> bool:
        """True while one client is."""
        return any(client.is_connected for client in self._clients)

    @property
    def outage_seconds(self) -> float:
        """Of the client that had the least."""
        return min(client.outage_seconds for client in self._clients)

    def connected_seconds_at(self, address: NymAddress) -> float:
        """Of the client that has that address."""
        (client,) = (each for each in self._clients if address in each.addresses)
        return client.connected_seconds_at(address)

    @property
    def is_restored(self) -> bool:
        """True when an earlier process made one of the addresses."""
        return any(client.is_restored for client in self._clients)

    # Sending and receiving.

    def _client_of(self, to: NymAddress | SenderTag) -> ConnectedClient:
        """Return the client that a sender writes to; for an address, always the same one, so that
        its owner knows us by one tag."""
        if isinstance(to, SenderTag):
            for client in self._clients:
                if client.knows(to):
                    return client
        return self._clients[0]

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
        any_surb: bool = False,
    ) -> Delivery:
        """Accept one message. See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        return await self._client_of(to).send(
            to, payload, surbs=surbs, lane=lane, any_surb=any_surb
        )

    def receive(self) -> AsyncIterator[Received]:
        """Iterate over the messages that arrive at any of the clients."""
        return Messages(self.next_message)

    async def next_message(self) -> Received:
        """Take the next message.

        Raises:
            StopAsyncIteration: the group was closed.
            ClientDisconnected: the last client has lost its gateway for good.
        """
        try:
            return await self._inbox.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            if len(self._losses) < len(self._clients):
                raise StopAsyncIteration from None
            raise ClientDisconnected(str(self._losses[-1])) from self._losses[-1]

    def on_moved(self, listener: Callable[[], None], may_move: Callable[[float], bool]) -> None:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`: it stays what it is."""

    def discard_lane(self, lane: int) -> None:
        """Drop what waits in a lane."""
        for client in self._clients:
            client.discard_lane(lane)

    def knows(self, tag: SenderTag) -> bool:
        """Tell whether anything of a sender ever arrived."""
        return any(client.knows(tag) for client in self._clients)

    def reply_surbs_in_hand(self, tag: SenderTag, *, any_surb: bool = False) -> int:
        """Return the number of reply SURBs for ``tag`` that may be used."""
        return self._client_of(tag).reply_surbs_in_hand(tag, any_surb=any_surb)

    def reply_surbs_held_by(self, to: NymAddress) -> int:
        """Return how many reply SURBs of the client that writes to an address are surely there."""
        return self._client_of(to).reply_surbs_held_by(to)

    def sender_tag_for(self, to: NymAddress) -> SenderTag:
        """Return the tag under which the client at an address knows us."""
        return self._client_of(to).sender_tag_for(to)

    def hold(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel goes on with a peer."""
        self._client_of(peer).hold(peer)

    def let_go(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel that held a peer is over."""
        self._client_of(peer).let_go(peer)

    # Running.

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for client in self._clients:
                await stack.enter_async_context(client)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            tasks.start_soon(self._read_all)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._scope.cancel()
        self._inbox.close()
        return await self._stack.__aexit__(exc_type, exc_value, traceback)

    async def _read_all(self) -> None:
        with self._scope, self._arrived:
            async with anyio.create_task_group() as tasks:
                for client in self._clients:
                    tasks.start_soon(self._read, client)

    async def _read(self, client: ConnectedClient) -> None:
        try:
            async for received in client.receive():
                await self._arrived.send(received)
        except NymError as error:
            self._losses.append(error)
            _logger.error("%d of %d clients are lost", len(self._losses), len(self._clients))
        except anyio.BrokenResourceError:
            return  # nobody reads any more

    async def aclose(self) -> None:
        """Close all clients at once. Idempotent."""
        for client in self._clients:
            await client.aclose()
