"""The channels of one transport that are not over, each with the task that sends for it."""

from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from nymproxy._limited_log import LimitedLog
from nymproxy._timers import TimerQueue
from nymproxy.channel.channel import Channel
from nymproxy.channel.driver import ChannelDriver, UnderWay
from nymproxy.channel.riders import Riders
from nymproxy.errors import ClientDisconnected, ResetCode, StreamError
from nymproxy.mixnet.transport import DEFAULT_LANE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy._signal import Signal
    from nymproxy.address import NymAddress, SenderTag
    from nymproxy.channel.link import ChannelLink
    from nymproxy.channel.machine import ChannelMachine
    from nymproxy.channel.segment import ChannelKey
    from nymproxy.channel.strays import StraySender
    from nymproxy.channel.table import ChannelTable
    from nymproxy.errors import NymError
    from nymproxy.mixnet.transport import MessageTransport

logger = logging.getLogger("nymproxy.channel")


class Drivers:
    """Runs the channels of a table: whatever happens to one of them ends no other.

    Args:
        table: has their machines and links.
        transport: carries their messages.
        strays: sends what a channel's end makes to be said.
        under_way: where their messages are counted.
        timer_moved: woken when :attr:`next_deadline` is earlier than before.
    """

    def __init__(
        self,
        table: ChannelTable,
        transport: MessageTransport,
        strays: StraySender,
        under_way: UnderWay,
        timer_moved: Signal,
    ) -> None:
        self._table = table
        self._transport = transport
        self._strays = strays
        self._under_way = under_way
        self._timer_moved = timer_moved
        self.task_group: anyio.abc.TaskGroup | None = None
        """Where the tasks run, from then on."""
        self.error: ClientDisconnected | None = None
        """What all channels failed with."""
        self._closed = ClientDisconnected("the client was closed")
        self._by_key: dict[ChannelKey, ChannelDriver] = {}
        self._by_link: dict[ChannelLink, ChannelDriver] = {}
        self.channels: dict[ChannelKey, Channel] = {}
        self._timers: TimerQueue[ChannelDriver] = TimerQueue()
        self._lanes = count(DEFAULT_LANE + 1)
        self._riders = Riders()
        self._log = LimitedLog(logger)

    def get(self, key: ChannelKey) -> ChannelDriver | None:
        """Return a channel's driver, if it was started and is not over."""
        return self._by_key.get(key)

    def held(self, key: ChannelKey) -> Channel:
        """Give a channel to the application."""
        self._by_key[key].is_held = True
        return self.channels[key]

    def start(self, key: ChannelKey, peer: NymAddress | SenderTag) -> ChannelDriver:
        """Begin to send for a channel."""
        assert self.task_group is not None
        driver = ChannelDriver(
            self._table.links[key],
            key,
            peer,
            self._transport,
            self._lanes.__next__,
            self._schedule,
            self._released,
            self._under_way,
            self._riders,
        )
        self._by_key[key] = self._by_link[driver.link] = driver
        self.channels[key] = Channel(driver)
        self._transport.hold(peer)
        self.task_group.start_soon(self._drive, driver)
        return driver

    async def _drive(self, driver: ChannelDriver) -> None:
        try:
            await driver.run()
        except Exception as error:  # whatever it is, it is logged, and ends this channel alone
            self.fault(driver, error)
        finally:
            if not driver.link.is_over:  # cancelled, and that is only when the mux ends
                self.fail_all(None)
            self._timers.cancel(driver)
            del self._by_key[driver.key], self._by_link[driver.link], self.channels[driver.key]
            self._transport.let_go(driver.peer)
            now = anyio.current_time()
            self._table.remove(driver.key, driver.peer, now, is_held=driver.is_held)
            self._strays.wake()
            if driver.on_over is not None:
                driver.on_over()

    def fault(self, driver: ChannelDriver | None, error: Exception) -> None:
        """Let what should not have happened end the channel that it happened to."""
        now = anyio.current_time()
        self._log.warning(now, "A channel was ended by a fault in nymproxy", exc_info=error)
        if driver is not None:
            driver.machine.transport_failed(StreamError("a fault in nymproxy ended the channel"))
            driver.changed(now)

    def _released(self, driver: ChannelDriver) -> None:
        self._table.release(driver.key, anyio.current_time())

    # All of them.

    def changed(self, keys: Iterable[ChannelKey]) -> None:
        """Go on with channels whose machines had an event."""
        now = anyio.current_time()
        for key in keys:
            driver = self._by_key.get(key)
            if driver is not None:
                driver.changed(now)

    def links_changed(self, now: float) -> None:
        """Go on with the channels whose links changed by what concerns their peer."""
        for link in dict.fromkeys(self._table.take_changed()):
            driver = self._by_link.get(link)
            if driver is not None:
                driver.changed(now)

    def fail_all(self, cause: NymError | None) -> None:
        """Fail all that goes on: nobody may wait for a transport that is gone. Idempotent."""
        if self.error is not None:
            return
        if cause is not None:
            self._closed = ClientDisconnected(str(cause))
            self._closed.__cause__ = cause
        self.error = error = self._closed
        self.for_each(lambda machine: machine.transport_failed(error))

    def for_each(self, action: Callable[[ChannelMachine], None]) -> None:
        """Do something with every machine that is left."""
        now = anyio.current_time()
        for driver in list(self._by_key.values()):
            action(driver.machine)
            driver.changed(now)

    async def wait_for_all(self, is_so: Callable[[ChannelDriver], bool]) -> None:
        """Wait until every channel that is left fulfils a condition."""
        for driver in list(self._by_key.values()):
            while not driver.is_done and not is_so(driver):
                await driver.state.wait()

    def shut_down(self, *, flushed: bool) -> None:
        """Abort what was not flushed, or everything; and tell peers that may be sending that
        nobody reads any more, where what we have said stays whole."""
        if flushed:
            self.fail_unheard()
        for driver in list(self._by_key.values()):
            machine = driver.machine
            is_complete = machine.write_error is None and driver.link.is_flushed
            if not (flushed and is_complete):
                reason = "the client is shutting down"
                machine.abort(ResetCode.SHUTTING_DOWN, reason, self._closed)
            elif driver.link.may_say_farewell:
                machine.abort(ResetCode.UNKNOWN_STREAM, "", self._closed)
        self.for_each(lambda machine: None)

    def fail_unheard(self) -> bool:
        """Fail channels that were closed, and whose peers have not heard what makes that end good:
        they would wait for it. Returns whether there were any."""
        unheard = [
            driver
            for driver in self._by_key.values()
            if not driver.is_done and driver.machine.is_over and not driver.link.is_flushed
        ]
        for driver in unheard:
            driver.machine.fail(self._closed, ResetCode.SHUTTING_DOWN)
            driver.changed(anyio.current_time())
        return bool(unheard)

    # Timers.

    def _schedule(self, driver: ChannelDriver, deadline: float) -> None:
        if self._timers.schedule(driver, deadline):
            self._timer_moved.set()

    @property
    def next_deadline(self) -> float:
        """When :meth:`tick` is due."""
        return self._timers.next_deadline

    def tick(self, now: float) -> None:
        """Let the channels go on whose time has come."""
        for driver in self._timers.pop_due(now):
            try:
                driver.tick(now)
            except Exception as error:  # as above
                self.fault(driver, error)
