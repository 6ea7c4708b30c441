"""The long-lived link to our gateway: one connection after another, for as long as it takes."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import anyio
import anyio.lowlevel

from nymproxy._background_task import until_cancelled
from nymproxy._backoff import Backoff
from nymproxy._log_fields import fields
from nymproxy._signal import Signal
from nymproxy.connection_options import DEFAULT_OPTIONS
from nymproxy.errors import (
    ClientDisconnected,
    GatewayProtocolError,
    GatewayRefused,
    GatewayUnreachable,
    NymError,
    OutOfBandwidth,
    PhaseTimeout,
    UsageError,
)
from nymproxy.mixnet.gateway.backlog import Backlog
from nymproxy.mixnet.gateway.connection import CONNECTION_LOST, GatewayConnection
from nymproxy.mixnet.gateway.establishing import Establisher
from nymproxy.mixnet.gateway.events import (
    BandwidthChanged,
    GatewayEvent,
    Pushed,
)
from nymproxy.mixnet.gateway.keys import ClientIdentityKey, SharedKey
from nymproxy.mixnet.gateway.limits import PhaseLimits
from nymproxy.mixnet.gateway.link_state import LinkState, LinkStatus
from nymproxy.mixnet.randomness import system_random_bytes, uniform_fraction

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Awaitable, Callable, Sequence

    from nymproxy.connection_options import ConnectionOptions
    from nymproxy.memory_account import MemoryAccount
    from nymproxy.mixnet.gateway.listener import GatewayListener
    from nymproxy.mixnet.messages import MixPacket
    from nymproxy.mixnet.randomness import RandomBytes

_log = logging.getLogger("nymproxy.gateway")

MAX_REFUSALS = 10
"""After so many refusals in a row, without a connection between them, the gateway is lost."""

STABLE_SECONDS = 10.0
"""A connection that lived so long was a good one: the next loss starts with short waits again."""

TakePushed: TypeAlias = "Callable[[deque[bytes]], Awaitable[None]]"
"""Takes all messages out of a queue, from the left, and waits while it can take no more."""


async def _ignore(_value: object) -> None:
    """The callback of callers that keep nothing."""


class GatewayLink:
    """Keeps a client connected to its gateway.

    Call :meth:`connect` once, then keep :meth:`run` running in a task group; it and :meth:`send`
    work across reconnections.

    Args:
        listener: the gateway.
        identity: the client's own key.
        shared_key: the 32 bytes of an earlier registration, or None to register.
        last_authentication: the Unix second of the latest authentication of this identity.
        clock: monotonic seconds.
        unix_time: wall-clock seconds.
        random_bytes: source of keys, nonces and jitter.
        on_registered: stores a new shared key (32 bytes), before the link is used.
        on_authenticating: stores the Unix second of an authentication, before it is sent.
        options: whether to reach it through a proxy, and what ``wss`` trusts.
        limits: time limits of the phases.
        memory: where the messages are charged that the gateway had stored.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        listener: GatewayListener,
        identity: ClientIdentityKey,
        *,
        shared_key: bytes | None = None,
        last_authentication: int = 0,
        clock: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        random_bytes: RandomBytes = system_random_bytes,
        on_registered: Callable[[bytes], Awaitable[None]] = _ignore,
        on_authenticating: Callable[[int], Awaitable[None]] = _ignore,
        options: ConnectionOptions = DEFAULT_OPTIONS,
        limits: PhaseLimits | None = None,
        memory: MemoryAccount | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._backlog = Backlog(memory)
        self._establisher = Establisher(
            listener=listener,
            identity=identity,
            key=None if shared_key is None else SharedKey(shared_key),
            last_second=last_authentication,
            store_key=on_registered,
            store_second=on_authenticating,
            clock=clock,
            unix_time=unix_time,
            random_bytes=random_bytes,
            sleep=sleep,
            limits=limits or PhaseLimits(),
            options=options,
            backlog=self._backlog,
        )
        self._clock = clock
        self._sleep = sleep
        self._random_bytes = random_bytes
        self._backoff = Backoff(first_seconds=2.0, longest_seconds=30.0)
        self._connection: GatewayConnection | None = None
        self._connected_at = 0.0
        self._status = LinkStatus(LinkState.IDLE)
        self._status_changed = Signal()
        self._changed = Signal()
        self._run_scope: anyio.CancelScope | None = None
        self._run_ended = anyio.Event()
        self._closing = False

    # What the owner sees.

    @property
    def listener(self) -> GatewayListener:
        """Where to connect; set it (same identity) when the directory has news."""
        return self._establisher.listener

    @listener.setter
    def listener(self, listener: GatewayListener) -> None:
        self._establisher.listener = listener

    @property
    def status(self) -> LinkStatus:
        """What the link is doing now."""
        return self._status

    @property
    def is_connected(self) -> bool:
        """True while there is a connection that packets can be written to."""
        return self._connection is not None

    @property
    def shared_key(self) -> bytes | None:
        """The current shared key, None before the first registration."""
        key = self._establisher.key
        return None if key is None else key.to_bytes()

    @property
    def last_authentication(self) -> int:
        """The latest Unix second that must not be used again."""
        return self._establisher.last_second

    @property
    def available_bandwidth(self) -> int:
        """Bytes left at the gateway, as last reported; 0 while not connected."""
        connection = self._connection
        return 0 if connection is None else connection.available_bandwidth

    async def wait_status(self) -> None:
        """Wait for the next change of the status."""
        await self._status_changed.wait()

    # Connecting.

    async def connect(self) -> None:
        """Make the first connection: register or authenticate, and claim bandwidth.

        Raises:
            GatewayUnreachable: neither URL answers, or the connection broke.
            GatewayRefused: the gateway said no; the subclasses and the message say why.
            OutOfBandwidth: the gateway grants nothing.
            GatewayProtocolError: the other side is not our gateway, or breaks the protocol.
            PhaseTimeout: a phase took too long.
            UsageError: the link was connected before, or closed.
        """
        if self._status.state is not LinkState.IDLE:
            raise UsageError("a link connects once: make a new one")
        self._set_status(LinkState.CONNECTING)
        try:
            await self._adopt(self._establisher.establish_first())
            if self._closing:
                await self._drop_connection()
                raise ClientDisconnected("the link was closed while it was connecting")
        except NymError as error:
            self._set_status(LinkState.IDLE, error)
            raise
        except BaseException:
            self._set_status(LinkState.IDLE)
            raise

    async def _adopt(self, attempt: Awaitable[GatewayConnection]) -> None:
        """Wait for a connection and make it the current one."""
        self._connection = await attempt
        self._connected_at = self._clock()
        self._set_status(LinkState.CONNECTED)

    # Running.

    async def run(self, take: TakePushed) -> None:
        """Read the connection, and make a new one whenever it ends.

        Returns when the link is closed.

        Args:
            take: is handed the messages and acks that were pushed.

        Raises:
            GatewayRefused: the gateway refused ten times in a row.
            StorageError: a callback could not store what has to be kept.
            UsageError: there was no connection yet, or this is running already.
        """
        if self._run_scope is not None or self._status.state is not LinkState.CONNECTED:
            raise UsageError("run() follows connect(), once")
        lost: NymError | None = None
        try:
            with anyio.CancelScope() as self._run_scope:
                while not self._closing:
                    if self._connection is None:
                        await self._reconnect()
                    else:
                        await self._serve(self._connection, take)
        except NymError as error:
            lost = error
            raise
        finally:
            await self._drop_connection()
            self._set_status(LinkState.LOST if lost else LinkState.CLOSED, lost)
            self._run_ended.set()

    async def _serve(self, connection: GatewayConnection, take: TakePushed) -> None:
        """Read and write one connection until it ends, then drop it."""
        failure: BaseException | None = None

        async def until_it_ends(work: Callable[[], Awaitable[None]]) -> None:
            nonlocal failure
            try:
                await work()
            except (NymError, *CONNECTION_LOST) as error:
                failure = failure or error
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for work in (connection.run_writer, connection.keep_time):
                tasks.start_soon(until_cancelled, partial(until_it_ends, work))
            await until_it_ends(partial(self._read, connection, take))
        await self._drop_connection()
        if self._clock() - self._connected_at >= STABLE_SECONDS:
            self._backoff.succeeded()
        reason = failure if isinstance(failure, NymError) else None
        _log.warning(
            "the connection to the gateway ended: %s; connecting again",
            reason or "it broke off",
            extra=fields("gateway-lost", reason=None if reason is None else reason.code),
        )
        self._set_status(LinkState.RECONNECTING, reason)

    async def _read(self, connection: GatewayConnection, take: TakePushed) -> None:
        """Take in what arrives, and hand messages on in order.

        Nobody sends a message again that the gateway has handed over. So each stays in the
        backlog until it is taken, even if the connection ends meanwhile.
        """
        while True:
            if self._backlog.messages:
                started = self._clock()
                await take(self._backlog.messages)
                self._backlog.taken()
                connection.did_not_read(self._clock() - started)
            for event in await connection.receive():
                self._handle(event)

    def _handle(self, event: GatewayEvent) -> None:
        match event:
            case Pushed(message=message):
                self._backlog.messages.append(message)
            case BandwidthChanged():
                self._changed.set()
            case _:
                _log.debug("the gateway answered with %s", type(event).__name__)

    async def _reconnect(self) -> None:
        """Try until there is a connection, with growing waits.

        An unreachable gateway is tried for ever; one that answers and refuses, ten times.
        """
        refusals = 0
        lost_at = self._clock()
        while True:
            await self._sleep(self._backoff.failed(uniform_fraction(self._random_bytes)))
            try:
                await self._adopt(self._establisher.establish())
                seconds = self._clock() - lost_at
                _log.info(
                    "connected to the gateway again, after %.1f s",
                    seconds,
                    extra=fields("gateway-back", seconds=round(seconds, 3)),
                )
                return
            except GatewayRefused as error:
                refusals += 1
                if refusals >= MAX_REFUSALS:
                    raise
                failure: NymError = error
            except (
                GatewayUnreachable,
                GatewayProtocolError,
                OutOfBandwidth,
                PhaseTimeout,
            ) as error:
                failure = error
            _log.warning(
                "reconnecting to the gateway failed: %s",
                failure,
                extra=fields("gateway-unreachable", reason=failure.code),
            )
            self._set_status(LinkState.RECONNECTING, failure)

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._changed.set()
            await connection.aclose()

    # Sending.

    async def send(self, packets: Sequence[MixPacket]) -> None:
        """Write packets to the gateway, in one go.

        Waits while there is no connection, no bandwidth, or no room in the write buffer; the
        caller cancels if that takes too long. Else it does not wait at all: whoever sends in a
        loop lets others run. Packets that are being written when the connection
        breaks are lost: their acks will be missing.

        Raises:
            ClientDisconnected: the link is closed, or lost for good.
        """
        connection = await self._ready_connection()
        try:
            await connection.send_packets(packets)
        except CONNECTION_LOST:
            _log.debug("the connection broke while %d packets were written", len(packets))

    async def _ready_connection(self) -> GatewayConnection:
        """Wait for a connection with bandwidth, claiming some when it is due."""
        while True:
            if self._closing or self._status.state in (LinkState.CLOSED, LinkState.LOST):
                raise ClientDisconnected(
                    "the link to the gateway is closed"
                ) from self._status.error
            connection = self._connection
            # One that broke is dropped by run() in a moment, which announces it.
            if connection is None or not connection.is_writable:
                await self._changed.wait()
                continue
            if connection.renew_bandwidth():
                return connection
            changed = self._changed.upcoming()
            try:
                await connection.flush()
            except CONNECTION_LOST:
                _log.debug("the connection broke before bandwidth could be claimed")
            await changed.wait()

    # Changes and the end.

    def _set_status(self, state: LinkState, error: NymError | None = None) -> None:
        self._status = LinkStatus(state, error)
        self._status_changed.set()
        self._changed.set()

    async def aclose(self) -> None:
        """Close the connection properly and end :meth:`run`. Idempotent."""
        self._closing = True
        self._backlog.close()
        self._changed.set()
        if self._run_scope is not None:
            self._run_scope.cancel()
            await self._run_ended.wait()
        else:
            await self._drop_connection()
            self._set_status(LinkState.CLOSED)
        await anyio.lowlevel.checkpoint()
