"""The public client: messages, or streams.

The counterpart of ``MixnetClient`` in nym-sdk 1.21.6 (src/mixnet/native_client.rs). As there, the
first stream or listener turns a client for good from a client of messages into one of streams.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypedDict

import anyio

from nymproxy._background_task import BackgroundTask
from nymproxy.address import NymAddress, SenderTag
from nymproxy.channel import PeerMemory
from nymproxy.errors import ClientDisconnected, StreamModeActive, UsageError
from nymproxy.mixnet.client.message_client import MessageClient
from nymproxy.mixnet.machine import ClientStatistics
from nymproxy.mixnet.transport import DEFAULT_LANE
from nymproxy.stream.background import in_background
from nymproxy.stream.endpoint import StreamEndpoint
from nymproxy.stream.isolation import IsolatedClients
from nymproxy.tracing import traced

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
    from types import TracebackType
    from typing import Self, Unpack

    from anyio.abc import TaskStatus

    from nymproxy._background_loop import InBackground
    from nymproxy.address import NodeIdentity
    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.client.shell import StatusChanges
    from nymproxy.mixnet.directory import NetworkDetails
    from nymproxy.mixnet.machine import ClientStatus
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.storage import ClientStorage
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.mixnet.transport import Delivery, Received
    from nymproxy.stream.background import BackgroundClient
    from nymproxy.stream.listener import MixnetListener
    from nymproxy.stream.stream import MixnetStream
    from nymproxy.stream.traits import StreamOptions
    from nymproxy.tracing import Trace

CLOSE_SECONDS = 10.0
"""How long leaving the client may flush its streams."""

_PEERS = PeerMemory()
"""What the clients of this process have learned about addresses."""


class ConnectArguments(TypedDict, total=False):
    """The optional arguments of :meth:`MessageClient.connect`, documented there."""

    storage: str | os.PathLike[str] | ClientStorage | None
    gateway: NodeIdentity | str | None
    profile: TrafficProfile | str
    clock: Callable[[], float]
    unix_time: Callable[[], float]
    random_bytes: RandomBytes
    options: ConnectionOptions
    memory: MemoryAccount | None
    trace: Trace | None


class MixnetClient:
    """A client of the mixnet that opens and accepts streams.

    ::

        async with await MixnetClient.connect(network, storage="state") as client:
            stream = await client.open_stream(address)

    Until the first :meth:`open_stream` or :meth:`listener` it sends and receives messages; from
    then on its inbound messages belong to the streams, and message calls raise
    ``StreamModeActive``. Leaving the block flushes the streams for at most ten seconds.

    Args:
        client: connected, and not entered. Use :meth:`connect` instead.
        stream_options: settings of the streams.
        trace: is told of the streams.
    """

    def __init__(
        self,
        client: MessageClient,
        *,
        stream_options: StreamOptions | None = None,
        trace: Trace | None = None,
    ) -> None:
        self._client = client
        self.stream_options = stream_options
        self._streams = StreamEndpoint(
            client,
            options=stream_options,
            memory=_PEERS,
            grace_seconds=CLOSE_SECONDS,
            trace=trace,
        )
        self._background = BackgroundTask(self._run_streams)
        self._is_started = False
        self._mode_changed = anyio.Event()
        self._has_streams = anyio.Event()
        self._reading: _Reading | None = None
        self._isolated: IsolatedClients[MixnetClient] | None = None

    @classmethod
    async def connect(
        cls,
        network: NetworkDetails | str | os.PathLike[str] | None = None,
        *,
        stream_options: StreamOptions | None = None,
        **arguments: Unpack[ConnectArguments],
    ) -> Self:
        """Connect as :meth:`MessageClient.connect`, whose other arguments and errors these are.

        Args:
            network: the network, or the path of its env file; by default what the environment
                describes, or mainnet.
            stream_options: settings of the streams.
            arguments: see :meth:`MessageClient.connect`.
        """
        for name in arguments.keys() - ConnectArguments.__annotations__.keys():
            raise TypeError(f"{cls.__name__}.connect() has no argument {name!r}")
        trace = arguments.get("trace")
        with traced(trace, "connect"):
            connected = await MessageClient.connect(network, **arguments)
        client = cls(connected, stream_options=stream_options, trace=trace)
        client._isolated = IsolatedClients(
            client._another(network, arguments),
            is_idle=lambda other: not other._streams.mux.channels,
            has_ended=lambda other: other.status.is_closed,
        )
        return client

    def _another(
        self,
        network: NetworkDetails | str | os.PathLike[str] | None,
        arguments: ConnectArguments,
    ) -> Callable[[], Awaitable[MixnetClient]]:
        """Return what connects a client like this one, with an identity that is forgotten."""
        alike: ConnectArguments = {**arguments, "storage": None, "memory": self._client.memory}
        return partial(MixnetClient.connect, network, stream_options=self.stream_options, **alike)

    @classmethod
    def in_background(
        cls,
        network: NetworkDetails | str | os.PathLike[str] | None = None,
        *,
        stream_options: StreamOptions | None = None,
        backend: str = "asyncio",
        **arguments: Unpack[ConnectArguments],
    ) -> InBackground[BackgroundClient]:
        """Run a client in a thread of its own, for blocking callers: for a ``with`` block, or until
        it is stopped.

        Args:
            network: the network, or the path of its env file; by default what the environment
                describes, or mainnet.
            stream_options: settings of the streams.
            backend: of the thread's event loop: ``"asyncio"`` or ``"trio"``.
            arguments: see :meth:`MessageClient.connect`.
        """
        connect = partial(cls.connect, network, stream_options=stream_options, **arguments)
        return in_background(connect, backend=backend)

    # The client.

    @property
    def address(self) -> NymAddress:
        """Our own address."""
        return self._client.address

    @property
    def is_connected(self) -> bool:
        """True while messages can be sent: entered, not closed, the gateway connected."""
        return self._client.is_connected

    @property
    def status(self) -> ClientStatus:
        """What the client is doing."""
        return self._client.status

    def status_changes(self) -> StatusChanges:
        """Iterate over the present status and each later one, until the client is closed."""
        return self._client.status_changes()

    def statistics(self) -> ClientStatistics:
        """Return what the client has done so far and what it holds now; no later change shows."""
        return ClientStatistics(
            status=self.status,
            counters=self._client.counters,
            gauges=self._client.gauges,
            memory_bytes=self._client.memory.used_bytes,
            outage_seconds=self._client.outage_seconds,
            open_streams=len(self._streams.mux.channels),
            dropped=dict(self._streams.mux.counters),
        )

    # Streams.

    @property
    def is_in_stream_mode(self) -> bool:
        """True from the first stream or listener on."""
        return self._mode_changed.is_set()

    async def open_stream(
        self,
        recipient: NymAddress | str | Sequence[NymAddress | str],
        reply_surbs: int | None = None,
        *,
        wait: bool = False,
        timeout: float | None = None,
        isolation: Hashable = None,
    ) -> MixnetStream:
        """Open a stream; see :meth:`StreamEndpoint.open_stream` for the other arguments and errors.

        Args:
            recipient, reply_surbs, wait, timeout: see there.
            isolation: streams with different values never share an identity. ``None`` is that of
                the client itself; for each other value one is connected when it is used first, at
                the cost of a client, and kept until the client is left. At most 16: for one more
                the one goes that was used least recently, of those whose streams are over.

        Raises:
            UsageError: 16 values have streams that go on; or the client was not made by
                :meth:`connect`, and does not know how to connect another one.
        """
        if isolation is not None and self._isolated is None:
            raise UsageError("only clients of MixnetClient.connect can isolate streams")
        self._enter_stream_mode()
        await self._has_streams.wait()
        if isolation is not None and self._isolated is not None:
            async with self._isolated.use(isolation) as other:
                return await other.open_stream(recipient, reply_surbs, wait=wait, timeout=timeout)
        return await self._streams.open_stream(recipient, reply_surbs, wait=wait, timeout=timeout)

    def listener(self, *, backlog: int = 128) -> MixnetListener:
        """Accept streams; once for each client.

        Args:
            backlog: streams that may wait for :meth:`MixnetListener.accept`; more are refused.

        Raises:
            ListenerAlreadyTaken: there was a listener already.
            ClientDisconnected: the client has ended.
        """
        self._enter_stream_mode()
        return self._streams.listen_early(backlog=backlog)

    def _enter_stream_mode(self) -> None:
        self._client.check_loop()
        if self.status.is_closed:
            raise ClientDisconnected(self.status.reason)
        if not self._is_started:
            raise UsageError("enter the client first: async with client")
        self._mode_changed.set()

    async def _run_streams(self, *, task_status: TaskStatus[None]) -> None:
        """Run the streams, from the first one on, until the client is left."""
        task_status.started()
        await self._mode_changed.wait()
        if self._reading is not None:
            await self._reading.end()
        async with self._streams, anyio.create_task_group() as tasks:
            if self._isolated is not None:
                await tasks.start(self._isolated.run)
            self._has_streams.set()
            await anyio.sleep_forever()

    # Messages.

    async def send(
        self,
        to: NymAddress | SenderTag | str,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
    ) -> Delivery:
        """Accept one message; see :meth:`MessageClient.send`. An address may be given as text.

        Raises:
            StreamModeActive: the client is in stream mode.
        """
        self._check_message_mode()
        to = to if isinstance(to, SenderTag) else NymAddress.of(to)
        return await self._client.send(to, payload, surbs=surbs, lane=lane)

    async def send_plain(
        self, to: NymAddress | str, payload: bytes, *, lane: int = DEFAULT_LANE
    ) -> Delivery:
        """Accept one message without sender tag; see :meth:`MessageClient.send_plain`.

        Raises:
            StreamModeActive: the client is in stream mode.
        """
        self._check_message_mode()
        return await self._client.send_plain(NymAddress.of(to), payload, lane=lane)

    def receive(self) -> AsyncIterator[Received]:
        """Iterate over arriving messages until the client is closed or enters stream mode.

        Raises:
            StreamModeActive: the client is in stream mode.
        """
        self._check_message_mode()
        return _Messages(self, self._client.receive())

    def _check_message_mode(self) -> None:
        if self.is_in_stream_mode:
            raise StreamModeActive("the client is in stream mode: use a second client for messages")

    # Entering and leaving.

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        try:
            await self._background.start()
        except BaseException as error:
            await self._client.__aexit__(type(error), error, error.__traceback__)
            raise
        self._is_started = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        try:
            if self.is_in_stream_mode:
                with anyio.CancelScope(shield=True):
                    await self._end_streams(CLOSE_SECONDS if exc_value is None else 0)
            await self._background.cancel(exc_type, exc_value, traceback)
        finally:
            leave = await self._client.__aexit__(exc_type, exc_value, traceback)
        return leave

    async def _end_streams(self, grace_seconds: float) -> None:
        async with anyio.create_task_group() as tasks:
            if self._isolated is not None and grace_seconds > 0:
                tasks.start_soon(self._isolated.leave)
            await self._streams.aclose(grace_seconds)

    async def aclose(self) -> None:
        """Close at once, without a flush; what is under way fails. Idempotent."""
        await self._client.aclose()


class _Reading:
    """One wait for a message, which stream mode ends."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()

    async def end(self) -> None:
        """Cancel the wait and let its task leave the inbox."""
        self.scope.cancel()
        await self.over.wait()


class _Messages:
    """The iterator that :meth:`MixnetClient.receive` returns."""

    def __init__(self, client: MixnetClient, inbox: AsyncIterator[Received]) -> None:
        self._client = client
        self._inbox = inbox

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> Received:
        client = self._client
        if client.is_in_stream_mode:
            raise StopAsyncIteration
        if client._reading is not None:
            raise anyio.BusyResourceError("receiving messages from")
        client._reading = reading = _Reading()
        received: Received | None = None
        try:
            with reading.scope:
                received = await anext(self._inbox)
        finally:
            client._reading = None
            reading.over.set()
        if received is None:
            raise StopAsyncIteration
        return received
