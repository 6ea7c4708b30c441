"""A reserve of connected clients with fresh identities: ``ClientPool`` of nym-sdk 1.21.6.

Names as in src/client_pool/mixnet_client_pool.rs. Clients are consumed, never returned: whoever
takes one disconnects it.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.lowlevel

from nymproxy._arguments import check_number
from nymproxy._background_task import BackgroundTask
from nymproxy._backoff import Backoff
from nymproxy._limited_log import LimitedLog
from nymproxy._log_fields import fields
from nymproxy._signal import Signal
from nymproxy.address import NodeIdentity
from nymproxy.errors import (
    ClientDisconnected,
    DirectoryUnavailable,
    NymError,
    TopologyUnavailable,
    UsageError,
)
from nymproxy.legacy.pooled_client import PooledClient as PooledClient
from nymproxy.mixnet.randomness import system_random_bytes, uniform_fraction

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from nymproxy.legacy.connector import Connector

logger = logging.getLogger("nymproxy.legacy")

MAX_CONCURRENT_CONNECTS = 4
MAX_AGE_SECONDS = 3600.0
_REFILL_PAUSE_SECONDS = 0.25
"""So long after one was taken the reserve is left as it is, while there is some: connecting the
next one would compete with the first answer that whoever took it is waiting for."""
_LONG_WAIT_SECONDS = 5.0
"""Who waits for longer for one identity waits for a processor or for gateways that have no time."""
_FAILURES_BEFORE_REFUSAL = 3
"""So many failures in a row, and those who wait for a client are told instead of kept waiting."""


@dataclass(eq=False, slots=True)
class _Waiter:
    """Somebody in ``acquire``: gets a client or an error."""

    event: anyio.Event = field(default_factory=anyio.Event)
    taken: PooledClient | None = None
    error: NymError | OSError | None = None


class ClientPool:
    """Keeps ``client_pool_reserve_number`` connected clients ready.

    ``async with ClientPool(2) as pool: async with await pool.acquire() as client: ...``, or as the
    old module: run ``start()`` in a task, ``get_mixnet_client()``, ``disconnect_pool()``.

    Args:
        client_pool_reserve_number: clients to keep ready; 0 connects on demand only.
        connector: connects one client.
        max_concurrent_connects: connections being set up at once, on demand or not.
        max_age_seconds: an unused client is replaced when it is that old.
        backoff: pauses after failures, 1 to 60 s by default.
    """

    def __init__(
        self,
        client_pool_reserve_number: int,
        connector: Connector,
        *,
        max_concurrent_connects: int = MAX_CONCURRENT_CONNECTS,
        max_age_seconds: float = MAX_AGE_SECONDS,
        backoff: Backoff | None = None,
    ) -> None:
        check_number(client_pool_reserve_number, "the reserve of a pool", whole=True)
        check_number(max_concurrent_connects, "the connections at once", least=1, whole=True)
        self._reserve = client_pool_reserve_number
        self._connector = connector
        self._max_concurrent_connects = max_concurrent_connects
        self._max_age_seconds = max_age_seconds
        self._backoff = backoff or Backoff()
        self._ready: deque[PooledClient] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._patient: deque[_Waiter] = deque()
        self._starting: deque[_Waiter] = deque()
        self._connecting = 0
        self._retry_at = 0.0
        self._refill_at = 0.0
        self._last_error: NymError | OSError | None = None
        self._wake = Signal()
        self._scope: anyio.CancelScope | None = None
        self._stopped = anyio.Event()
        self._background = BackgroundTask(self.start)
        self._log = LimitedLog(logger)

    # The names of the old module.

    async def start(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Fill the pool, and keep it full, until :meth:`disconnect_pool` or cancelled.

        Returns when the clients that were taken are disconnected too; cancelled, it disconnects
        them.

        Raises:
            UsageError: it runs already.
        """
        await self._run(None, task_status)

    async def start_with_specified_gateway(
        self,
        gateway: NodeIdentity | str,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Like :meth:`start`, all clients through one gateway."""
        await self._run(NodeIdentity.of(gateway), task_status)

    async def get_mixnet_client(self) -> PooledClient | None:
        """Take the oldest client, or return ``None`` at once when there is none."""
        await anyio.lowlevel.checkpoint()
        return self._take()

    async def disconnect_pool(self) -> None:
        """Stop filling and disconnect the reserve; clients that were taken are not touched."""
        if self._scope is not None:
            self._scope.cancel()
            await self._stopped.wait()

    async def get_client_count(self) -> int:
        """Return how many clients are ready."""
        await anyio.lowlevel.checkpoint()
        return len(self._ready)

    def get_pool_reserve(self) -> int:
        """Return how many are kept ready."""
        return self._reserve

    # Ours.

    async def acquire(self, *, is_patient: bool = False) -> PooledClient:
        """Take the oldest client, waiting for one to connect when there is none.

        Args:
            is_patient: wait behind all those who are not.

        Raises:
            UsageError: the pool is not running.
            ClientDisconnected: the pool was stopped meanwhile.
            NymError: connecting has failed several times in a row, and it is not yet time to try
                again.
        """
        if self._scope is None:
            raise UsageError("start the pool before taking clients from it")
        await anyio.lowlevel.checkpoint()
        others = self._patient if is_patient else self._waiters
        if not others and (taken := self._take()) is not None:
            return taken
        if self._last_error is not None and self._is_failing:
            raise self._last_error
        return await self._wait_for_client(self._patient if is_patient else self._waiters)

    async def wait_ready(self) -> None:
        """Wait until a client of the reserve is ready. That is no demand for one more.

        Raises:
            UsageError: the pool is not running, or has no reserve.
            DirectoryUnavailable, TopologyUnavailable: at once, as another gateway does not help.
            NymError: as :meth:`acquire`.
        """
        if self._scope is None or not self._reserve:
            raise UsageError("start a pool with a reserve before waiting for it")
        await anyio.lowlevel.checkpoint()
        if self._ready:
            return
        if self._last_error is not None and self._is_failing:
            raise self._last_error
        waiter = _Waiter()
        self._starting.append(waiter)
        try:
            await waiter.event.wait()
        finally:
            if waiter in self._starting:
                self._starting.remove(waiter)
        if waiter.error is not None:
            raise waiter.error

    async def __aenter__(self) -> Self:
        await self._background.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._background.cancel(exc_type, exc_value, traceback)

    # Hosting.

    async def _run(
        self, gateway: NodeIdentity | None, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        if self._scope is not None:
            raise UsageError("the pool is running already")
        self._stopped = anyio.Event()
        try:
            async with anyio.create_task_group() as hosts:
                with anyio.CancelScope() as self._scope:
                    task_status.started()
                    async with anyio.create_task_group() as connects:
                        await self._fill(gateway, connects, hosts)
                await self._disconnect_reserve()
        finally:
            self._end()

    async def _disconnect_reserve(self) -> None:
        self._end()
        reserve, self._ready = self._ready, deque()
        for pooled in reserve:
            pooled.release()
        for pooled in reserve:
            await pooled.disconnect()

    def _end(self) -> None:
        self._scope = None
        self._fail_all(ClientDisconnected("the pool was stopped"))
        self._stopped.set()

    async def _fill(
        self,
        gateway: NodeIdentity | None,
        connects: anyio.abc.TaskGroup,
        hosts: anyio.abc.TaskGroup,
    ) -> None:
        while True:
            self._drop_unfit()
            # One time for both: if the pause ended in between, nobody would wake this loop again.
            now = anyio.current_time()
            for _ in range(self._connects_wanted(now)):
                logger.debug(
                    "Clients in reserve = %d, reserve amount = %d, spawning new client",
                    len(self._ready),
                    self._reserve,
                )
                self._connecting += 1
                connects.start_soon(self._connect, gateway, hosts)
            with anyio.move_on_after(self._seconds_to_next_change(now)):
                await self._wake.wait()

    def _connects_wanted(self, now: float) -> int:
        waiting = len(self._waiters) + len(self._patient)
        missing = self._reserve + waiting - len(self._ready) - self._connecting
        if now < self._retry_at or (self._ready and now < self._refill_at):
            return 0
        # After a failure one attempt must succeed before there are several again.
        at_once = 1 if self._backoff.failures else self._max_concurrent_connects
        return max(0, min(missing, at_once - self._connecting))

    def _seconds_to_next_change(self, now: float) -> float:
        times = [self._ready[0].created_at + self._max_age_seconds] if self._ready else []
        times += [at for at in (self._retry_at, self._refill_at) if at > now]
        return max(0.0, min(times, default=math.inf) - now)

    async def _connect(self, gateway: NodeIdentity | None, hosts: anyio.abc.TaskGroup) -> None:
        try:
            pooled = PooledClient(await self._connector(gateway), anyio.current_time())
            await hosts.start(pooled.host)
        except (NymError, OSError) as error:
            self._connect_failed(error)
        else:
            self._backoff.succeeded()
            self._last_error = None
            self._hand_out(pooled)
        finally:
            self._connecting -= 1
            self._wake.set()

    def _connect_failed(self, error: NymError | OSError) -> None:
        now = anyio.current_time()
        if now < self._retry_at:
            return  # one of several that were under way: the pause holds already
        pause = self._backoff.failed(uniform_fraction(system_random_bytes))
        self._retry_at = now + pause
        self._last_error = error
        no_network = isinstance(error, (DirectoryUnavailable, TopologyUnavailable))
        # Whoever waits for the start is told all of it by the error.
        logger.log(
            logging.DEBUG if self._starting else logging.WARNING,
            "Error creating client: %s, will retry in %.1f s",
            error,
            pause,
            extra=fields("client-failed", reason=getattr(error, "code", "system")),
        )
        if self._is_failing or (self._starting and no_network):
            self._fail_all(error)

    @property
    def _is_failing(self) -> bool:
        return (
            self._backoff.failures >= _FAILURES_BEFORE_REFUSAL
            and anyio.current_time() < self._retry_at
        )

    # Handing out.

    def _hand_out(self, pooled: PooledClient) -> None:
        if self._scope is None:
            pooled.release()
        elif line := self._waiters or self._patient:
            self._settle(line.popleft(), taken=pooled)
        else:
            self._ready.append(pooled)
            while self._starting:
                self._settle(self._starting.popleft())

    def _fail_all(self, error: NymError | OSError) -> None:
        for line in (self._waiters, self._patient, self._starting):
            while line:
                self._settle(line.popleft(), error=error)

    def _settle(
        self,
        waiter: _Waiter,
        *,
        taken: PooledClient | None = None,
        error: NymError | OSError | None = None,
    ) -> None:
        waiter.taken, waiter.error = taken, error
        waiter.event.set()

    async def _wait_for_client(self, line: deque[_Waiter]) -> PooledClient:
        waiter = _Waiter()
        line.append(waiter)
        self._wake.set()
        if len(self._waiters) + len(self._patient) > self._max_concurrent_connects:
            self._tell_of_a_queue(f"of which {self._max_concurrent_connects} are made at a time")
        try:
            with anyio.move_on_after(_LONG_WAIT_SECONDS):
                await waiter.event.wait()
            if not waiter.event.is_set():
                self._tell_of_a_queue(f"one for {_LONG_WAIT_SECONDS:g} s by now")
                await waiter.event.wait()
        except BaseException:  # cancelled; what was taken meanwhile goes to the next one
            if waiter in line:
                line.remove(waiter)
            elif waiter.taken is not None:
                self._hand_out(waiter.taken)
            raise
        if waiter.error is not None:
            raise waiter.error
        assert waiter.taken is not None
        return waiter.taken

    def _tell_of_a_queue(self, how: str) -> None:
        waiting = len(self._waiters) + len(self._patient)
        self._log.warning(
            anyio.current_time(),
            "connections wait for an identity each, %d now, %s: use fewer identities "
            "(--identity-mode), or expect them to wait",
            waiting,
            how,
            extra=fields("identities-queued", count=waiting),
        )

    def _take(self) -> PooledClient | None:
        self._drop_unfit()
        if not self._ready:
            return None
        now = anyio.current_time()
        if self._refill_at <= now:
            self._refill_at = now + _REFILL_PAUSE_SECONDS
        self._wake.set()
        return self._ready.popleft()

    def _drop_unfit(self) -> None:
        oldest = anyio.current_time() - self._max_age_seconds
        for pooled in list(self._ready):
            if pooled.created_at <= oldest or not pooled.client.status.is_ready:
                self._ready.remove(pooled)
                pooled.release()
                self._wake.set()
