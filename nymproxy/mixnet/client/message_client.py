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
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import anyio
import anyio.lowlevel

from nymproxy._alarm import Alarm
from nymproxy._arguments import of_kind
from nymproxy._background_task import leave_group, until_cancelled
from nymproxy._home_loop import HomeLoop
from nymproxy._signal import Signal
from nymproxy.address import NodeIdentity
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import NymError, UsageError
from nymproxy.memory_account import MemoryAccount
from nymproxy.mixnet.client.connecting import (
    Environment,
    close_all,
    connect_parts,
    open_storage,
    warn_of_weak_profile,
)
from nymproxy.mixnet.client.shell import MachineShell, StatusBoard, ignore_status
from nymproxy.mixnet.client.watching import Unwatched
from nymproxy.mixnet.directory import NetworkDetails
from nymproxy.mixnet.directory.recent import RecentAnswers
from nymproxy.mixnet.gateway import LinkState
from nymproxy.mixnet.machine import ClientStatus
from nymproxy.mixnet.randomness import system_random_bytes
from nymproxy.mixnet.traffic import DEFAULT, profile_of

if TYPE_CHECKING:
    import os
    from collections import deque
    from collections.abc import Awaitable, Callable, Collection
    from types import TracebackType

    from anyio.abc import TaskGroup

    from nymproxy.address import NymAddress
    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.mixnet.client.connecting import ClientParts
    from nymproxy.mixnet.client.shell import StatusChanges, StatusListener
    from nymproxy.mixnet.client.watching import ClientWatcher
    from nymproxy.mixnet.directory import Topology
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.storage import ClientStorage
    from nymproxy.mixnet.traffic import TrafficProfile
    from nymproxy.tracing import Trace

_logger = logging.getLogger("nymproxy.client")

_READ_AT_ONCE: Final = 32
"""Pushed messages handled before other tasks get a turn."""

_OVERLAP_SECONDS: Final = 3600.0
"""How long nodes keep the keys of the previous rotation if the directory does not tell: an epoch
of the public network."""


class MessageClient(MachineShell):
    """A client of the mixnet. Make one with :meth:`connect`, then enter it with ``async with``."""

    def __init__(self, parts: ClientParts, *, on_status: StatusListener = ignore_status) -> None:
        """Put the parts together. Use :meth:`connect` instead.

        Args:
            parts: all of them.
            on_status: called with each status.
        """
        super().__init__(parts.machine, parts.clock)
        self._home = HomeLoop("a client")
        self._link = parts.link
        self._keeper = parts.keeper
        self._storage = parts.storage
        self._is_restored = parts.is_restored
        self._board = StatusBoard(
            ClientStatus(0.9, False, False, "connected, not started"), on_status
        )
        self._is_closed = False
        self._is_started = False
        self._supervisor: TaskGroup | None = None
        self._tasks: anyio.CancelScope | None = None
        self._departure = Alarm(parts.clock)
        self._deadline = Alarm(parts.clock)
        self._chores_wait = Signal()

    @classmethod
    async def connect(
        cls,
        network: NetworkDetails | str | os.PathLike[str] | None = None,
        *,
        storage: str | os.PathLike[str] | ClientStorage | None = None,
        gateway: NodeIdentity | str | None = None,
        avoided: Collection[NodeIdentity] = (),
        profile: TrafficProfile | str = DEFAULT,
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        random_bytes: RandomBytes = system_random_bytes,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        memory: MemoryAccount | None = None,
        watcher: ClientWatcher | None = None,
        recent: RecentAnswers | None = None,
        trace: Trace | None = None,
    ) -> Self:
        """Fetch the topology, choose a gateway, and register or authenticate with it.

        Args:
            network: the network, or the path of its env file; by default what the environment
                describes, or mainnet.
            storage: a directory that keeps the client (and so its address), or a storage
                object; ``None`` for a client that is forgotten.
            gateway: the gateway to use; by default the stored one, or any.
            avoided: gateways that are not chosen where any may be.
            profile: shapes the traffic; or the name of one of the named profiles.
            clock: monotonic seconds, the same as the event loop's.
            unix_time: wall-clock seconds.
            random_bytes: source of everything random.
            options: whether to use TLS, and whether to go through a proxy.
            memory: where everything is charged that others make the client keep. Clients of one
                event loop may share one; by default it has an account of its own.
            watcher: is told how the client fares.
            recent: what the directory of the network said lately, for clients of one event loop
                that start one after the other.
            trace: is told of the steps.

        Raises:
            DirectoryUnavailable, TopologyUnavailable: no usable answer from the directory.
            UnknownGateway: the requested (or stored) gateway is not in the network.
            GatewayUnreachable, GatewayRefused, OutOfBandwidth, PhaseTimeout: no connection.
            StorageError: the storage cannot be used.
            ConfigurationError: the env file, the profile or the storage is none.
            AddressError: the gateway is no node identity.
        """
        network, profile = NetworkDetails.of(network), profile_of(profile)
        if recent is not None:
            of_kind(recent, RecentAnswers, "RecentAnswers")
        gateway = None if gateway is None else NodeIdentity.of(gateway)
        memory = MemoryAccount() if memory is None else memory
        environment = Environment(clock, unix_time, random_bytes, options, memory)
        warn_of_weak_profile(network, profile)
        watcher = Unwatched() if watcher is None else watcher
        place = open_storage(storage)
        try:
            parts = await connect_parts(
                network,
                *(place, gateway, profile, environment),
                avoided=avoided,
                recent=recent,
                show=watcher.show,
                trace=trace,
            )
        except BaseException as error:
            watcher.failed(error if isinstance(error, NymError) else None)
            raise
        client = cls(parts, on_status=watcher.show)
        watcher.connected(client)
        return client

    # What users see.

    @property
    def profile(self) -> TrafficProfile:
        """What shapes the traffic."""
        return self._machine.profile

    @property
    def is_connected(self) -> bool:
        """True while messages can be sent: started, not closed, the gateway connected."""
        return self._machine.ended is None and self._is_started and self._link.is_connected

    @property
    def is_restored(self) -> bool:
        """True when the address was made by an earlier process, in the same storage."""
        return self._is_restored

    @property
    def status(self) -> ClientStatus:
        """What the client is doing."""
        return self._board.current

    def reaches(self, to: NymAddress) -> bool:
        """Tell whether the gateway of an address is in the present topology; True without one."""
        topology = self._keeper.current
        return topology is None or topology.has_egress(to.gateway)

    def status_changes(self) -> StatusChanges:
        """Iterate over the present status and each later one, until the client is closed."""
        return self._board.changes()

    async def aclose(self) -> None:
        """Close at once: what is still queued fails with ``DeliveryAbandoned``. Idempotent."""
        self.check_loop()
        self._end(None)
        if not self._is_closed:
            self._is_closed = True
            await close_all(self._link, self._storage)
            if self._tasks is not None:
                self._tasks.cancel()
        await anyio.lowlevel.checkpoint()

    # Running.

    async def __aenter__(self) -> Self:
        self.check_loop()
        if self._is_started or self._is_closed:
            raise UsageError("a client is entered once: connect a new one")
        self._is_started = True
        self._supervisor = anyio.create_task_group()
        await self._supervisor.__aenter__()
        self._supervisor.start_soon(until_cancelled, self._run)
        self._board.show(self._machine.status)
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
                    self._keep_time,
                    self._do_chores,
                    self._keeper.run,
                    self._follow_topology,
                    self._follow_link,
                ):
                    tasks.start_soon(until_cancelled, task)
                send = partial(self._until_disconnected, self._send_packets)
                tasks.start_soon(until_cancelled, send)
                await self._until_disconnected(partial(self._link.run, self._take_pushed))
                tasks.cancel_scope.cancel()
        finally:
            self._end(None)

    async def _until_disconnected(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task that ends with the link."""
        try:
            await run()
        except NymError as error:
            self._end(error)

    def _end(self, cause: NymError | None) -> None:
        """End: fail what is under way and wake everybody. Idempotent."""
        self._machine.end(cause, self._clock())
        self._changed()
        self._board.show(self._machine.status)

    def _check_running(self) -> None:
        super()._check_running()
        if not self._is_started:
            raise UsageError("enter the client first: async with client")

    def _changed(self) -> None:
        super()._changed()
        machine = self._machine
        self._departure.wake_before(machine.next_departure())
        self._deadline.wake_before(machine.next_deadline())
        if machine.has_chores:
            self._chores_wait.set()

    # Tasks.

    async def _send_packets(self) -> None:
        """Write packets when they are due; it is the only task that does."""
        machine = self._machine
        while True:
            departs_at = machine.next_departure()
            if departs_at <= self._clock():
                await anyio.lowlevel.checkpoint()  # no wait: others run all the same
            while departs_at > self._clock():
                await self._departure.wait_until(departs_at)
                departs_at = machine.next_departure()
            batch = machine.next_batch(self._clock())
            if batch.packets:
                await self._link.send(batch.packets)
            machine.batch_left(batch, self._clock())
            self._changed()

    async def _take_pushed(self, pushed: deque[bytes]) -> None:
        """Hand what was pushed to the machine."""
        machine = self._machine
        taken, has_changed = 0, False
        while pushed:
            if not machine.may_read:
                await self._until_readable()
            has_changed |= machine.frame_arrived(pushed.popleft(), self._clock())
            taken += 1
            if taken % _READ_AT_ONCE == 0:
                self._changed()
                await anyio.lowlevel.checkpoint()
        if has_changed:
            self._changed()

    async def _until_readable(self) -> None:
        """Wait while the application does not take its messages."""
        machine = self._machine
        _logger.debug("the application does not take its messages; the gateway is not read")
        machine.reading_paused(self._clock())
        self._changed()
        try:
            while not machine.may_read:
                await self._taken.wait()
        finally:
            machine.reading_resumed(self._clock())

    async def _keep_time(self) -> None:
        """Call the machine at its deadlines."""
        machine = self._machine
        while True:
            while (ticks_at := machine.next_deadline()) > self._clock():
                await self._deadline.wait_until(ticks_at)
            machine.tick(self._clock())
            self._changed()
            await anyio.lowlevel.checkpoint()

    async def _do_chores(self) -> None:
        """Do the machine's work for idle moments, a piece at a time."""
        machine = self._machine
        while True:
            while machine.has_chores:
                machine.do_chore(self._clock())
                self._changed()
                await anyio.lowlevel.checkpoint()
            await self._chores_wait.wait()

    async def _follow_topology(self) -> None:
        """Use each new topology."""
        generation = self._keeper.generation
        while True:
            self._use(self._keeper.current)
            generation = await self._keeper.wait_changed(generation)

    def _use(self, topology: Topology | None) -> None:
        info = self._keeper.key_rotation
        overlap = _OVERLAP_SECONDS if info is None else info.epoch_duration_ns / 1e9
        self._machine.use_topology(topology, overlap, self._clock())
        self._changed()
        self._board.show(self._machine.status)
        self._board.tell_again()

    async def _follow_link(self) -> None:
        """Tell the machine what the link does."""
        while True:
            status = self._link.status
            error = status.error
            if status.state is LinkState.CONNECTED:
                self._machine.link_changed(None, self._clock())
            else:
                why, code = ("", None) if error is None else (f": {error}", error.code)
                trouble = f"{status.state.value} to the gateway{why}"
                self._machine.link_changed(trouble, self._clock(), code)
            self._changed()
            self._board.show(self._machine.status)
            await self._link.wait_status()
