"""The proxies as tasks of their own: for ``async with``, and in a thread for blocking code, as the
old library's users had them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from nymproxy._background_task import BackgroundTask, without_group
from nymproxy.legacy.session_totals import ProxyStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from nymproxy._background_loop import BackgroundLoop
    from nymproxy._home_loop import HomeLoop
    from nymproxy.address import NymAddress
    from nymproxy.legacy.roster import ClientRoster
    from nymproxy.legacy.session import SessionSnapshot
    from nymproxy.legacy.session_totals import SessionTotals
    from nymproxy.mixnet.machine import ClientStatus


class Runnable(ABC):
    """What runs until it is disconnected, also as ``async with``."""

    _task: BackgroundTask | None = None
    _run_in: HomeLoop | None = None
    _roster: ClientRoster
    totals: SessionTotals
    """What was carried so far."""

    @property
    @abstractmethod
    def status(self) -> ClientStatus:
        """How far it is from carrying traffic, what it waits for, and what keeps it."""

    @abstractmethod
    def session_map(self) -> Mapping[int, SessionSnapshot]:
        """Return the sessions that are running now, by the number that names them in the log."""

    def statistics(self) -> ProxyStatistics:
        """Return what it has done so far, and what it and its mixnet clients are now."""
        running = self.session_map().values()
        return ProxyStatistics.of(self.status, self.totals, running, self._roster)

    @abstractmethod
    async def run(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Run until :meth:`disconnect` or cancelled."""

    @abstractmethod
    async def disconnect(self, grace_seconds: float = 0.0) -> None:
        """End what :meth:`run` does."""

    def _check_loop(self) -> None:
        """Refuse to be ended from another event loop than it runs in."""
        if self._run_in is not None:
            self._run_in.check()

    async def __aenter__(self) -> Self:
        """Run in a task of its own; returns when it serves."""
        task = BackgroundTask(self.run)
        await task.start()
        self._task = task
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect. What has ended it before is raised here."""
        assert self._task is not None
        try:
            if exc_value is None:
                await self.disconnect()
        finally:
            with without_group():
                await self._task.cancel(exc_type, exc_value, traceback)


class DisconnectSignal:
    """Stops a server when it is sent."""

    def __init__(self, event: anyio.Event, check_loop: Callable[[], None]) -> None:
        self._event = event
        self._check_loop = check_loop

    def send(self) -> None:
        """Ask the server to stop; returns at once.

        Raises:
            UsageError: called outside of the server's event loop, where it would not be noticed.
        """
        self._check_loop()
        self._event.set()


class RunningClient:
    """A proxy client in a background thread.

    Attributes:
        local_address: host and port where it listens, fit for :func:`socket.create_connection`.
    """

    def __init__(
        self,
        loop: BackgroundLoop,
        local_address: tuple[str, int],
        statistics: Callable[[], ProxyStatistics],
    ) -> None:
        self._loop = loop
        self._statistics = statistics
        self.local_address = local_address

    def statistics(self) -> ProxyStatistics:
        """Return what it has done so far, and what it and its mixnet clients are now."""
        return self._loop.call_now(self._statistics)


class RunningServer:
    """A proxy server in a background thread.

    Attributes:
        nym_address: what clients are given.
    """

    def __init__(
        self,
        loop: BackgroundLoop,
        nym_address: NymAddress,
        session_map: Callable[[], Mapping[Any, SessionSnapshot]],
        statistics: Callable[[], ProxyStatistics],
    ) -> None:
        self._loop = loop
        self._session_map = session_map
        self._statistics = statistics
        self.nym_address = nym_address

    def session_map(self) -> Mapping[Any, SessionSnapshot]:
        """Return the sessions that are running now."""
        return self._loop.call_now(self._session_map)

    def statistics(self) -> ProxyStatistics:
        """Return what it has done so far, and what it and its mixnet clients are now."""
        return self._loop.call_now(self._statistics)
