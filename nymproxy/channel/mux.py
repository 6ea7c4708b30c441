"""All channels of one transport: :class:`ChannelMux` reads it, and gives each message to its
channel by protocol (first byte), sender tag and channel id.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.lowlevel

from nymproxy._background_task import BackgroundTask
from nymproxy._home_loop import HomeLoop
from nymproxy._signal import Signal
from nymproxy.channel.acceptor import ChannelAcceptor
from nymproxy.channel.driver import ABORT_SECONDS, UnderWay
from nymproxy.channel.drivers import Drivers
from nymproxy.channel.failures import ChannelFault
from nymproxy.channel.link import LinkContext
from nymproxy.channel.strays import StraySender
from nymproxy.channel.table import ChannelTable
from nymproxy.errors import NymError, ResetCode, UsageError
from nymproxy.mixnet.randomness import system_random_bytes

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.channel import Channel
    from nymproxy.channel.limits import TableLimits
    from nymproxy.channel.protocol import ChannelProtocol
    from nymproxy.errors import ClientDisconnected
    from nymproxy.mixnet.randomness import RandomBytes
    from nymproxy.mixnet.transport import MessageTransport, Received


class ChannelMux:
    """Owns a transport's inbound messages and all channels on it, for the length of ``async with``.

    Leaving the block refuses new channels, flushes all, and waits until what was sent is
    acknowledged and peers have what they wait for: an acknowledgement of their end, word that
    nobody reads any more, or what a peer needs to believe our end (NX2, a stranger's SEAL); at most
    ``grace_seconds`` in all. After an exception the channels are aborted at once. Either way it may
    take :data:`ABORT_SECONDS` more to tell the peers.

    Args:
        transport: not closed by the mux.
        protocols: which messages to read; a channel can only be opened or accepted in one of
            these (by the name of the codec).
        random_bytes: for channel ids.
        limits: the bounds of all channels together.
        grace_seconds: how long leaving the block may flush.
        unix_time: the time of day in seconds.
    """

    def __init__(
        self,
        transport: MessageTransport,
        protocols: Sequence[ChannelProtocol],
        *,
        random_bytes: RandomBytes = system_random_bytes,
        limits: TableLimits | None = None,
        grace_seconds: float = 10.0,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self.transport = transport
        context = LinkContext(
            transport.addresses,
            transport.address_for,
            transport.sender_tag_for,
            transport.reply_surbs_held_by,
            random_bytes,
            unix_time,
            lambda: transport.is_connected,
            transport.connected_seconds_at,
            transport.is_restored,
        )
        self._table = ChannelTable(
            protocols, random_bytes=random_bytes, limits=limits, context=context
        )
        self._codecs = [protocol.codec for protocol in protocols]
        self._grace_seconds = grace_seconds
        self._early_share = transport.memory.share(None, self._drop_early)
        self._home: HomeLoop | None = None
        self._task_group: anyio.abc.TaskGroup | None = None
        self._acceptors: list[ChannelAcceptor] = []
        self._arrived = Signal()
        self._timer_moved = Signal()
        self._wakes_at = math.inf
        self._ended = Signal()
        self._under_way = UnderWay()
        self._strays = StraySender(
            transport, self._table.strays, self._table.counters, self._under_way
        )
        self._drivers = Drivers(
            self._table, transport, self._strays, self._under_way, self._timer_moved
        )
        self._background = BackgroundTask(self._run)

    @property
    def error(self) -> ClientDisconnected | None:
        """What the mux has ended with, if it has."""
        return self._drivers.error

    @property
    def counters(self) -> Counter[str]:
        """Messages that were dropped, and channels that were refused, by reason."""
        return self._table.counters

    @property
    def channels(self) -> list[Channel]:
        """The channels that are not over, accepted or not: a live view's snapshot."""
        return list(self._drivers.channels.values())

    # Running.

    async def __aenter__(self) -> Self:
        if self._home is not None:
            raise UsageError("streams are entered once: make new ones, on a new transport")
        self._home = HomeLoop("a client")
        await self._background.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with anyio.CancelScope(shield=True):
                await self.aclose(self._grace_seconds if error is None else 0.0)
        finally:
            await self._background.cancel(kind, error, traceback)

    async def wait_ended(self) -> None:
        """Wait until the transport has ended, or :meth:`aclose` was called."""
        while self.error is None:
            await self._ended.wait()

    async def _run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run until the transport ends or :meth:`aclose`; then every channel has failed."""
        cause: NymError | None = None
        try:
            async with anyio.create_task_group() as task_group:
                self._task_group = self._drivers.task_group = task_group
                task_group.start_soon(self._run_timers)
                task_group.start_soon(self._strays.run)
                self.transport.on_moved(self._client_moved, self._table.may_move)
                task_status.started()
                cause = await self._receive()
                self._end(cause)
                task_group.cancel_scope.cancel()
        finally:
            self._end(cause)

    async def _receive(self) -> NymError | None:
        """Read the transport to its end; returns the error that it ended with, if any."""
        try:
            async for received in self.transport.receive():
                self._message_received(received)
        except NymError as error:
            return error
        return None

    def _message_received(self, received: Received) -> None:
        payload, tag = received.payload, received.sender_tag
        # Dialers bring nothing along: a stranger's packet says one thing.
        for each in self._split(payload) if tag is None else (payload,):
            self._one_received(each, tag, received.given_to)

    def _split(self, payload: bytes) -> list[bytes]:
        codec = next((each for each in self._codecs if each.matches(payload)), None)
        return [payload] if codec is None else codec.split(payload)

    def _one_received(
        self, payload: bytes, tag: SenderTag | None, given_to: NymAddress | None
    ) -> None:
        now = anyio.current_time()
        try:
            key = self._table.message_received(payload, tag, now, given_to=given_to)
        except ChannelFault as fault:
            self._drivers.fault(self._drivers.get(fault.key), fault)
            return
        self._settle(now)
        if key is None:
            return
        driver = self._drivers.get(key)
        if driver is None and tag is not None:
            driver = self._drivers.start(key, tag)
        if any(acceptor.has_waiting for acceptor in self._acceptors):
            self._arrived.set()
        if driver is not None:
            driver.changed(now)

    def _settle(self, now: float) -> None:
        """Go on with what the table has to say besides the channel that it was told of."""
        self._early_share.hold(self._table.early_bytes)
        self._strays.wake()
        if self._table.next_deadline(now) < self._wakes_at:
            self._timer_moved.set()
        self._drivers.links_changed(now)

    def _client_moved(self) -> None:
        now = anyio.current_time()
        self._table.client_moved(now)
        self._drivers.for_each(lambda machine: None)
        self._settle(now)

    def _drop_early(self) -> None:
        self._table.drop_early()
        self._early_share.hold(0)

    def _end(self, cause: NymError | None) -> None:
        """Fail all that goes on: nobody may wait for a transport that is gone. Idempotent."""
        self._drivers.fail_all(cause)
        self._early_share.close()
        self._arrived.set()
        self._ended.set()

    # Timers and strays.

    async def _run_timers(self) -> None:
        while True:
            now = anyio.current_time()
            self._wakes_at = min(self._drivers.next_deadline, self._table.next_deadline(now))
            with anyio.CancelScope(deadline=self._wakes_at):
                await self._timer_moved.wait()
            now = anyio.current_time()
            self._drivers.tick(now)
            self._table.tick(now)
            self._settle(now)

    def check_entered(self) -> None:
        """Refuse what would wait for messages that nobody reads.

        Raises:
            UsageError: the mux was not entered.
        """
        if self._task_group is None:
            raise UsageError("enter it first (async with): streams need a running client")

    def _check_usable(self) -> None:
        if self._home is not None:
            self._home.check()
        if self.error is not None:
            raise self.error

    # Opening.

    async def open(
        self,
        protocol: ChannelProtocol,
        to: NymAddress,
        *,
        first: bytes = b"",
        wait: bool = False,
        timeout: float | None = None,
    ) -> Channel:
        """Open a channel.

        Args:
            protocol: one of the mux's, or another object with the same codec and other settings.
            to: the peer.
            first: the first bytes that are sent, at most a send window; they may take no message
                of their own then.
            wait: wait for a sign of the peer. Off by default: a Rust 1.21.6 acceptor gives none
                before its application writes.
            timeout: limit of that wait in seconds.

        Raises:
            UsageError: the mux was not entered, or in another event loop.
            UnknownGateway: the peer's gateway is not in the topology (protocols with OPEN; in the
                others the first ``send`` fails).
            ClientDisconnected: the transport has ended.
            StreamRefused, StreamReset: only with ``wait``.
            PhaseTimeout: only with ``wait``.
        """
        self.check_entered()
        self._check_usable()
        key, machine = self._table.open(protocol, to, anyio.current_time())
        machine.app_wrote(first)
        driver = self._drivers.start(key, to)
        channel = self._drivers.held(key)
        is_open = False
        try:
            if protocol.opens_explicitly:
                await driver.wait_for(lambda: machine.first_handed_over_at is not None)
            if wait:
                await driver.wait_established(timeout)
            is_open = True
        finally:
            if not is_open:
                driver.release()
                machine.abort(ResetCode.CANCELLED, "given up while it was opened")
                driver.changed(anyio.current_time())
        return channel

    # Accepting.

    def listen(self, protocol: ChannelProtocol, *, backlog: int = 128) -> ChannelAcceptor:
        """Accept channels in a protocol; its settings apply to them.

        Beyond ``backlog`` unaccepted channels new ones are refused. Channels that were opened
        less than 5 s before are accepted too.

        Raises:
            UsageError: another event loop.
            ListenerAlreadyTaken: there is, or was, one for this protocol.
            ClientDisconnected: the transport has ended.
        """
        self._check_usable()
        now = anyio.current_time()
        acceptor = ChannelAcceptor(
            self._table.listen(protocol, backlog, now), self._table, self._drivers, self._arrived
        )
        self._acceptors.append(acceptor)
        for key in list(self._table.links):
            if key.tag is not None and self._drivers.get(key) is None:
                self._drivers.start(key, key.tag).changed(now)
        return acceptor

    # Closing.

    async def aclose(self, grace_seconds: float = 10.0) -> None:
        """Refuse new channels, end all (flushing at most ``grace_seconds``), and end."""
        if self.error is not None or self._task_group is None:
            await anyio.lowlevel.checkpoint()
            return
        for acceptor in self._acceptors:
            acceptor.close()
        deadline = anyio.current_time() + grace_seconds
        try:
            if grace_seconds > 0:
                with anyio.CancelScope(deadline=deadline):
                    self._drivers.for_each(lambda machine: machine.app_finished())
                    await self._drivers.wait_for_all(lambda driver: driver.link.is_flushed)
            self._drivers.shut_down(flushed=grace_seconds > 0)
            await self._aborts_told()
            if self._drivers.fail_unheard():
                await self._aborts_told()
            if grace_seconds > 0:
                self._table.say_farewell()
                self._strays.wake()
            with anyio.CancelScope(deadline=deadline):
                await self._drivers.wait_for_all(lambda driver: driver.has_told)
                await self._all_told()
        finally:
            self._end(None)
            self._task_group.cancel_scope.cancel()

    async def _aborts_told(self) -> None:
        """Wait until those that do not go on are done."""
        with anyio.move_on_after(ABORT_SECONDS):
            await self._drivers.wait_for_all(lambda driver: driver.goes_on)

    async def _all_told(self) -> None:
        """Wait until nothing is left to be sent, or to be acknowledged."""
        await self._strays.all_sent()
        await self._under_way.settled()
