"""A client that goes to another gateway when its own is lost, with a new identity.

What stands on it is told (:meth:`~nymproxy.mixnet.transport.MessageTransport.on_moved`): its
address and its tags are others then, and what was under way has failed.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy._background_task import leave_group
from nymproxy._signal import Signal
from nymproxy.errors import ClientDisconnected, NymError
from nymproxy.mixnet.machine.status import ClientStatus
from nymproxy.mixnet.transport import DEFAULT_LANE, ConnectedClient, TransportWrapper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType
    from typing import Self

    from anyio.abc import TaskGroup, TaskStatus

    from nymproxy.address import NodeIdentity, NymAddress, SenderTag
    from nymproxy.mixnet.client.shell import StatusChanges
    from nymproxy.mixnet.machine.gateway_moves import GatewayMoves
    from nymproxy.mixnet.transport import Delivery, Received

_logger = logging.getLogger("nymproxy.client")

CONNECT_SECONDS = 10.0
"""How long one attempt at another gateway may take."""
RETRY_SECONDS = 2.0
GIVE_UP_SECONDS = 60.0
"""After so long without a way to any gateway, a client whose own refuses it has ended."""

_MOVING = ClientStatus(0.5, False, False, "its gateway is lost: going to another one")


class WatchedClient(ConnectedClient, Protocol):
    """What is moved: a client that tells of its status."""

    def status_changes(self) -> StatusChanges:
        """Iterate over the present status and each later one."""
        ...


class ConnectAt(Protocol):
    """Connects a new client at a gateway."""

    async def __call__(self, gateway: NodeIdentity) -> WatchedClient:
        """Raise ``NymError`` or ``OSError`` if that does not work."""
        ...


class RoamingClient(TransportWrapper):
    """Puts another client in the place of one that has had no gateway for a while, or has lost it
    for good; not while that would break what would survive a wait.

    Args:
        client: connected, and not entered.
        connect: connects the next one.
        moves: decides where, and how often.
        patience_seconds: how long the link may be down.
    """

    def __init__(
        self,
        client: WatchedClient,
        connect: ConnectAt,
        moves: GatewayMoves[NodeIdentity],
        *,
        patience_seconds: float,
    ) -> None:
        super().__init__(client)
        self._client = client
        self._connect = connect
        self._moves = moves
        self._patience_seconds = patience_seconds
        self._listeners: list[tuple[Callable[[], None], Callable[[float], bool]]] = []
        self._held: Counter[NymAddress | SenderTag] = Counter()
        self._earlier_outages = 0.0
        self._replaced = Signal()
        self._is_over = False
        self._tasks: TaskGroup | None = None
        self._released = anyio.Event()

    # What it is.

    @property
    def status(self) -> ClientStatus:
        """That of the present client."""
        status = self._client.status
        return _MOVING if status.is_closed and not self._is_over else status

    @property
    def outage_seconds(self) -> float:
        """How long there has been no gateway, in all."""
        return self._earlier_outages + self._client.outage_seconds

    def on_moved(self, listener: Callable[[], None], may_move: Callable[[float], bool]) -> None:
        """See :class:`~nymproxy.mixnet.transport.MessageTransport`."""
        self._listeners.append((listener, may_move))

    def hold(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel goes on with a peer, with this client and the next ones."""
        self._held[peer] += 1
        self._client.hold(peer)

    def let_go(self, peer: NymAddress | SenderTag) -> None:
        """Take note that a channel that held a peer is over."""
        self._held[peer] -= 1
        self._held += Counter()  # without those that nobody holds
        self._client.let_go(peer)

    # Sending and receiving.

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
        any_surb: bool = False,
    ) -> Delivery:
        """Accept one message, by the client that is there then."""
        while True:
            client = self._client
            try:
                return await client.send(to, payload, surbs=surbs, lane=lane, any_surb=any_surb)
            except ClientDisconnected:
                if not await self._next_client(client):
                    raise

    def receive(self) -> AsyncIterator[Received]:
        """Iterate over what arrives at the present client, and then at the next ones."""
        return _Messages(self)

    async def _next_client(self, client: WatchedClient) -> bool:
        """Wait until another client is in the place of one; False: none will be."""
        while self._client is client and not self._is_over:
            await self._replaced.wait()
        return self._client is not client

    # Running.

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        try:
            self._released = await self._tasks.start(self._host, self._client)
        except BaseException as error:
            await leave_group(self._tasks, type(error), error, error.__traceback__)
            raise
        self._tasks.start_soon(self._watch)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None
        self._end()
        self._released.set()
        self._tasks.cancel_scope.cancel()
        return await leave_group(self._tasks, exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        """Close at once. Idempotent."""
        self._end()
        await self._client.aclose()

    def _end(self) -> None:
        self._is_over = True
        self._replaced.set()

    async def _host(self, client: WatchedClient, *, task_status: TaskStatus[anyio.Event]) -> None:
        """Keep a client working until it is released."""
        released = anyio.Event()
        async with client:
            task_status.started(released)
            await released.wait()

    async def _watch(self) -> None:
        while not self._is_over:
            await self._until_lost(self._client)
            if self._is_over or not await self._move(self._client):
                self._end()

    async def _until_lost(self, client: WatchedClient) -> None:
        """Wait until a client has lost its gateway for good, or for as long as is bearable."""
        changes = client.status_changes()
        lost_at = math.inf
        while not client.status.is_closed:
            now = anyio.current_time()
            if client.is_connected:
                lost_at = math.inf
            elif lost_at == math.inf:
                lost_at = now + self._patience_seconds
            overdue = now - lost_at
            if overdue >= 0 and all(may_move(overdue) for _, may_move in self._listeners):
                return
            look_at = lost_at if now < lost_at else now + RETRY_SECONDS
            with anyio.CancelScope(deadline=look_at):
                await anext(changes, None)

    async def _move(self, client: WatchedClient) -> bool:
        """Put another client in the place of one, unless it comes back; False: that has ended, and
        there is no other."""
        lost = client.address.gateway
        give_up_at = anyio.current_time() + GIVE_UP_SECONDS
        while not client.is_connected:
            gateways = self._moves.lost(lost, anyio.current_time())
            for gateway in gateways:
                if await self._go(client, gateway):
                    return True
            is_hopeless = not gateways or anyio.current_time() >= give_up_at
            if client.status.is_closed and is_hopeless:
                return False
            await anyio.sleep(RETRY_SECONDS)
        return True

    async def _go(self, client: WatchedClient, gateway: NodeIdentity) -> bool:
        """Try one gateway; returns whether to stay where the client is then."""
        new = None
        try:
            with anyio.move_on_after(CONNECT_SECONDS):
                new = await self._connect(gateway)
        except (NymError, OSError) as error:
            _logger.info("another gateway cannot be used: %s", error)
        if new is None:
            return client.is_connected
        if client.is_connected:
            await new.aclose()
            return True
        assert self._tasks is not None
        released = await self._tasks.start(self._host, new)
        _logger.warning("the client has lost its gateway, and goes on at another one")
        before, self._released = self._released, released
        self._earlier_outages += client.outage_seconds
        self._client = self._transport = new
        for peer, count in self._held.items():
            for _ in range(count):
                new.hold(peer)
        for listener, _ in self._listeners:
            listener()
        self._replaced.set()
        before.set()
        return True


class _Messages:
    """Iterates over what arrives; a plain object, since an unfinished generator warns on trio."""

    __slots__ = ("_client", "_inbox", "_roaming")

    def __init__(self, roaming: RoamingClient) -> None:
        self._roaming = roaming
        self._client = roaming._client
        self._inbox = self._client.receive()

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> Received:
        while True:
            try:
                return await anext(self._inbox)
            except (StopAsyncIteration, ClientDisconnected):
                if not await self._roaming._next_client(self._client):
                    raise
                self._client = self._roaming._client
                self._inbox = self._client.receive()
