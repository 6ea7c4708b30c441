"""MessageClient: a Nym client. It joins the rooms below it into one :class:`MessageTransport`.

::

    async with await MessageClient.connect(network, storage="state") as client:
        delivery = await client.send(address, b"hello", surbs=20)
        async for message in client.receive():
            ...
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Self

import anyio
import anyio.lowlevel

from nymproxy._background_task import leave_group
from nymproxy.address import NymAddress, SenderTag
from nymproxy.errors import (
    ClientDisconnected,
    DeliveryAbandoned,
    NoReplySurbs,
    NymError,
    UsageError,
)
from nymproxy.mixnet.admission import Admission
from nymproxy.mixnet.answerer import SurbAnswerer
from nymproxy.mixnet.composer import Composer
from nymproxy.mixnet.connecting import (
    Environment,
    address_of,
    find_gateway,
    load_client,
    make_link,
    open_storage,
)
from nymproxy.mixnet.directory.client import DirectoryClient
from nymproxy.mixnet.directory.keeper import TopologyKeeper
from nymproxy.mixnet.gateway import LinkState
from nymproxy.mixnet.messages import AckKey, InboundDecoder, ReplyKeyStore
from nymproxy.mixnet.pipeline import PacketBuilder
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.receiver import Inbox, Receiver
from nymproxy.mixnet.sender import Sender
from nymproxy.mixnet.status import READY, ClientCounters, ClientStatus, StatusBoard, Tally
from nymproxy.mixnet.timers import Timers
from nymproxy.mixnet.traffic import DEFAULT, Outbox, SenderTags, profile_named
from nymproxy.mixnet.transport import DEFAULT_LANE, Delivery, Received, check_message

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from anyio.abc import TaskGroup

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.directory import NetworkDetails, Topology
    from nymproxy.mixnet.gateway.link import GatewayLink
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.status import StatusChanges
    from nymproxy.mixnet.storage import ClientKeys, ClientStorage
    from nymproxy.mixnet.traffic import OutgoingFragment, OutgoingMessage, TrafficProfile

_logger = logging.getLogger("nymproxy.client")

_CLOSE_SECONDS: Final = 5.0
_OVERLAP_SECONDS: Final = 3600.0
"""How long nodes keep the keys of the previous rotation if the directory does not tell: an epoch
of the public network."""


class MessageClient:
    """A client of the mixnet. Make one with :meth:`connect`, then enter it with ``async with``."""

    def __init__(
        self,
        keys: ClientKeys,
        link: GatewayLink,
        keeper: TopologyKeeper,
        storage: ClientStorage,
        profile: TrafficProfile,
        environment: Environment,
    ) -> None:
        """Put the parts together. Use :meth:`connect` instead.

        Args:
            keys: the client's keys.
            link: connected.
            keeper: with a topology.
            storage: closed with the client.
            profile: shapes the traffic.
            environment: time and randomness.
        """
        clock, random_bytes = environment.clock, environment.random_bytes
        self._address = address_of(keys, link.listener.identity)
        self._link = link
        self._keeper = keeper
        self._storage = storage
        self._profile = profile
        self._clock = clock
        self._tally = Tally()
        self._inbox = Inbox()
        self._board = StatusBoard(ClientStatus(0.9, False, False, "connected, not started"))
        self._ended: ClientDisconnected | None = None
        self._admissions: set[Admission] = set()
        self._is_closed = False
        self._is_started = False
        self._supervisor: TaskGroup | None = None
        self._tasks: anyio.CancelScope | None = None
        self._pool_wanted = anyio.Event()
        self._topology: Topology = keeper.require()
        self._assemble(keys, random_bytes)

    def _assemble(self, keys: ClientKeys, random_bytes: RandomBytes) -> None:
        """Make the parts that the data goes through, and join them."""
        link, profile, clock = self._link, self._profile, self._clock
        ack_key = AckKey(keys.ack_key)
        reply_keys = ReplyKeyStore()
        tags = SenderTags(random_bytes, profile.surbs.maximum_recipients)
        self._builder = PacketBuilder(
            self._address, ack_key, profile, random_bytes, self._want_pool
        )
        self._builder.use_topology(self._topology)
        self._outbox = Outbox(
            profile,
            self._address,
            self._topology.rotation,
            random_bytes,
            on_work=lambda: self._sender.wake(),
            on_timer=lambda: self._timers.wake(),
        )
        self._sender = Sender(
            self._outbox,
            self._builder,
            link,
            profile,
            self._tally,
            clock=clock,
            random_bytes=random_bytes,
        )
        self._composer = Composer(
            self._builder, tags, reply_keys, profile, clock=clock, random_bytes=random_bytes
        )
        self._answerer = SurbAnswerer(
            self._composer, self._outbox, tags, profile.surbs, clock=clock
        )
        self._decoder = InboundDecoder(keys.encryption_private, ack_key, reply_keys)
        self._receiver = Receiver(
            link.pushed,
            self._decoder,
            self._outbox,
            self._inbox,
            self._tally,
            clock=clock,
            on_surbs_requested=self._answerer.requested,
        )
        self._timers = Timers(
            self._outbox, clock=clock, receiver_stall=self._receiver.stalled_seconds
        )

    @classmethod
    async def connect(
        cls,
        network: NetworkDetails,
        *,
        storage: str | os.PathLike[str] | ClientStorage | None = None,
        gateway: NodeIdentity | None = None,
        profile: TrafficProfile | str = DEFAULT,
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        random_bytes: RandomBytes = system_random_bytes,
        ssl_context: ssl.SSLContext | None = None,
    ) -> Self:
        """Fetch the topology, choose a gateway, and register or authenticate with it.

        Args:
            network: where the directory is.
            storage: a directory that keeps the client (and so its address), or a storage
                object; ``None`` for a client that is forgotten.
            gateway: the gateway to use; by default the stored one, or any.
            profile: shapes the traffic; or the name of one of the named profiles.
            clock: monotonic seconds, the same as the event loop's.
            unix_time: wall-clock seconds.
            random_bytes: source of everything random.
            ssl_context: for gateways behind ``wss``.

        Raises:
            DirectoryUnavailable, TopologyUnavailable: no usable answer from the directory.
            UnknownGateway: the requested (or stored) gateway is not in the network.
            GatewayUnreachable, GatewayRefused, OutOfBandwidth, PhaseTimeout: no connection.
            StorageError: the storage cannot be used.
            ConfigurationError: no profile has this name.
        """
        profile = profile_named(profile) if isinstance(profile, str) else profile
        environment = Environment(clock, unix_time, random_bytes, ssl_context)
        place = open_storage(storage)
        link = None
        try:
            stored = await load_client(place, random_bytes)
            directory = DirectoryClient(network)
            keeper = TopologyKeeper(directory, unix_time=unix_time, random_bytes=random_bytes)
            topology = await keeper.refresh()
            registration = await find_gateway(stored, gateway, directory, environment)
            topology.egress(registration.identity)
            if registration != stored.registration and registration.shared_key is not None:
                await place.save_registration(registration)
            link = make_link(stored, registration, place, environment)
            await link.connect()
            return cls(stored.keys, link, keeper, place, profile, environment)
        except BaseException:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                if link is not None:
                    await link.aclose()
                await place.close()
            raise

    # What users see.

    @property
    def address(self) -> NymAddress:
        """Our own address."""
        return self._address

    @property
    def profile(self) -> TrafficProfile:
        """What shapes the traffic."""
        return self._profile

    @property
    def packet_rate(self) -> float | None:
        """Packets a second that the schedule lets out, or ``None`` without a schedule."""
        return self._profile.packet_rate

    @property
    def is_connected(self) -> bool:
        """True while messages can be sent: started, not closed, the gateway connected."""
        return self._ended is None and self._is_started and self._link.is_connected

    @property
    def status(self) -> ClientStatus:
        """What the client is doing."""
        return self._board.current

    def status_changes(self) -> StatusChanges:
        """Iterate over the present status and each later one, until the client is closed."""
        return self._board.changes()

    @property
    def counters(self) -> ClientCounters:
        """What the client has done so far."""
        tally, outbox = self._tally, self._outbox
        return ClientCounters(
            sent=dict(tally.sent),
            retransmissions=outbox.retransmissions,
            acknowledged=tally.acknowledged,
            unknown_acks=outbox.unknown_acks,
            covers_received=tally.covers_received,
            messages_received=tally.messages_received,
            bytes_received=tally.bytes_received,
            late_duplicates=self._decoder.reassembler.counts.late_duplicates,
            malformed={reason.value: n for reason, n in self._decoder.malformed.items()},
            given_up=dict(outbox.given_up),
            unbuilt=dict(tally.unbuilt),
        )

    def receive(self) -> AsyncIterator[Received]:
        """Iterate over arriving messages. See :class:`MessageTransport`."""
        return self._inbox

    def reply_surbs_in_hand(self, tag: SenderTag) -> int:
        """Return how many packets could be sent to ``tag`` at once, the reserve not counted."""
        return self._outbox.replies.usable(tag)

    def discard_lane(self, lane: int) -> None:
        """Drop what waits in a lane, and retransmissions of it; their deliveries fail."""
        self._outbox.discard_lane(lane)

    async def send(
        self,
        to: NymAddress | SenderTag,
        payload: bytes,
        *,
        surbs: int = 0,
        lane: int = DEFAULT_LANE,
    ) -> Delivery:
        """Accept one message. See :class:`MessageTransport`.

        Raises:
            UnknownGateway: the recipient's gateway is not in the topology.
            TopologyUnavailable: there is no topology now.
            NoReplySurbs: nothing was received from this tag (recently).
            MessageTooLarge: over the limit.
            UsageError: an empty reply, SURBs for a reply, or fewer than none.
            ClientDisconnected: closed, or the gateway is lost for good.
        """
        self._check_running()
        check_message(to, payload, surbs)
        payload = bytes(payload)
        if isinstance(to, SenderTag):
            if not self._outbox.replies.knows(to):
                raise NoReplySurbs("nothing was received from this sender tag (recently)")
            message, fragments = self._composer.reply(to, payload, lane)
        else:
            self._builder.check_gateway(to.gateway)
            message, fragments = await self._composer.data(to, payload, surbs, lane)
            self._check_running()
        await self._submit(message, fragments)
        return message.delivery

    async def send_plain(
        self, to: NymAddress, payload: bytes, *, lane: int = DEFAULT_LANE
    ) -> Delivery:
        """As :meth:`send`, without even a sender tag: nothing links the message to others."""
        self._check_running()
        check_message(to, payload)
        self._builder.check_gateway(to.gateway)
        message, fragments = self._composer.plain(to, bytes(payload), lane)
        await self._submit(message, fragments)
        return message.delivery

    async def aclose(self) -> None:
        """Close at once: what is still queued fails with ``DeliveryAbandoned``. Idempotent."""
        self._finish(None)
        if not self._is_closed:
            self._is_closed = True
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                await self._link.aclose()
                await self._storage.close()
            if self._tasks is not None:
                self._tasks.cancel()
            self._receiver.close()
        await anyio.lowlevel.checkpoint()

    # Running.

    async def __aenter__(self) -> Self:
        if self._is_started or self._is_closed:
            raise UsageError("a client is entered once: connect a new one")
        self._is_started = True
        self._supervisor = anyio.create_task_group()
        await self._supervisor.__aenter__()
        self._supervisor.start_soon(self._run)
        self._board.show(READY)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._supervisor is not None
        try:
            await self.aclose()
        finally:
            leave = await leave_group(self._supervisor, kind, error, traceback)
        return leave

    async def _run(self) -> None:
        """Run all tasks, until the client is closed or the link is lost for good."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks.cancel_scope
                if self._is_closed:
                    return
                for task in (
                    self._receiver.run,
                    self._timers.run,
                    self._answerer.run,
                    self._keeper.run,
                    self._follow_topology,
                    self._follow_link,
                    self._fill_pool,
                ):
                    tasks.start_soon(task)
                tasks.start_soon(self._until_disconnected, self._sender.run)
                await self._until_disconnected(self._link.run)
                tasks.cancel_scope.cancel()
        finally:
            self._finish(None)

    async def _until_disconnected(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task that ends with the link."""
        try:
            await run()
        except NymError as error:
            self._finish(error)

    def _finish(self, cause: NymError | None) -> None:
        """End: fail what is under way and wake everybody. Idempotent."""
        if self._ended is not None:
            return
        if cause is None:
            reason = "the client was closed"
        else:
            reason = f"the gateway is lost for good: {cause}"
            _logger.error("%s", reason)
        self._ended = ClientDisconnected(reason)
        self._ended.__cause__ = cause
        abandoned = DeliveryAbandoned(reason)
        abandoned.__cause__ = self._ended  # channels tell this from a message that was lost
        self._outbox.give_up_all(abandoned)
        self._inbox.close(None if cause is None else self._ended)
        for admission in list(self._admissions):
            admission.abort(self._ended)
        self._board.show(ClientStatus(0.0, False, True, reason))

    def _check_running(self) -> None:
        if self._ended is not None:
            raise ClientDisconnected(str(self._ended)) from self._ended.__cause__
        if not self._is_started:
            raise UsageError("enter the client first: async with client")

    async def _submit(self, message: OutgoingMessage, fragments: list[OutgoingFragment]) -> None:
        """Queue a message when there is room in its lane and, for replies, for its tag."""
        admission = Admission(self._outbox, message, fragments, self._clock)
        self._admissions.add(admission)
        try:
            await admission.wait()
        finally:
            self._admissions.discard(admission)

    # Tasks.

    def _want_pool(self) -> None:
        self._pool_wanted.set()

    async def _fill_pool(self) -> None:
        """Prepare headers while the sender has nothing to do."""
        while True:
            await self._sender.wait_idle()
            if self._builder.prepare_one():
                await anyio.lowlevel.checkpoint()
            else:
                self._pool_wanted = anyio.Event()
                await self._pool_wanted.wait()

    async def _follow_topology(self) -> None:
        """Use each new topology."""
        generation = self._keeper.generation
        self._use(self._keeper.current)
        while True:
            generation = await self._keeper.wait_changed(generation)
            self._use(self._keeper.current)

    def _use(self, topology: Topology | None) -> None:
        self._builder.use_topology(topology)
        if topology is None:
            self._show_state()
            return
        before, self._topology = self._topology, topology
        if topology.rotation_id != before.rotation_id:
            info = self._keeper.key_rotation
            overlap = _OVERLAP_SECONDS if info is None else info.epoch_duration_ns / 1e9
            _logger.info("the network is in key rotation %d now", topology.rotation_id)
            self._outbox.rotated(topology.rotation, overlap, self._clock())
        self._show_state()

    async def _follow_link(self) -> None:
        """Show what the link does."""
        while True:
            self._show_state()
            await self._link.wait_changed()

    def _show_state(self) -> None:
        status = self._link.status
        if not self._builder.has_topology:
            self._board.show(ClientStatus(0.5, False, False, "waiting for a topology"))
        elif status.state is LinkState.CONNECTED:
            self._board.show(READY)
        else:
            why = "" if status.error is None else f": {status.error}"
            self._board.show(
                ClientStatus(0.7, False, False, f"{status.state.value} to the gateway{why}")
            )
