"""Keeping the topology fresh: refreshes, what to do when they fail, and news of changes.

Policy of nym-client-core 1.21.6 (src/client/topology_control/accessor.rs, mod.rs): every 300
seconds; a failure keeps the last good topology, the 11th in a row clears it. In addition it is
refreshed when an epoch ends, since that may bring new keys, and at once after a sleep of the
machine.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

import anyio

from nymproxy._limited_log import LimitedLog
from nymproxy._signal import Signal
from nymproxy.errors import NymError, TopologyUnavailable
from nymproxy.mixnet.directory.topology_state import OFTEN_SECONDS, TopologyState
from nymproxy.mixnet.randomness import system_random_bytes, uniform_fraction

if TYPE_CHECKING:
    from collections.abc import Callable

    from nymproxy.address import NodeIdentity
    from nymproxy.mixnet.directory.rotation import KeyRotationInfo
    from nymproxy.mixnet.directory.topology import Topology
    from nymproxy.mixnet.randomness import RandomBytes

_logger = logging.getLogger("nymproxy.mixnet.directory")
_log = LimitedLog(_logger, interval_seconds=3600.0)  # of all identities of the process together
_TOO_OFTEN = (
    "the times of epochs that the directory tells would have it asked all the time: it is asked "
    "every %g s"
)

REFRESH_SECONDS = 300.0

_KEY_ROTATION_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 5.0
"""How often it is looked whether the time of day has jumped."""


class TopologySource(Protocol):
    """Where topologies come from: a :class:`~nymproxy.mixnet.directory.DirectoryClient`."""

    async def fetch_topology(self) -> Topology:
        """Fetch a topology, or raise a NymError."""
        ...

    async def fetch_key_rotation(self) -> KeyRotationInfo:
        """Fetch the key rotation times, or raise a NymError."""
        ...


class TopologyKeeper:
    """Keeps the last good topology and tells when it changes.

    :meth:`run` belongs into the owner's task group. :attr:`current` may be read at any time; take
    it once for each message, so that its keys and rotation marker belong together.

    Args:
        source: is asked.
        first: is asked in its place for the first topology.
        refresh_seconds: the regular interval.
        unix_time: wall-clock seconds.
        random_bytes: source of when exactly.
    """

    def __init__(
        self,
        source: TopologySource,
        *,
        first: TopologySource | None = None,
        refresh_seconds: float = REFRESH_SECONDS,
        unix_time: Callable[[], float] = time.time,
        random_bytes: RandomBytes = system_random_bytes,
    ) -> None:
        self._source = source
        self._first = first or source
        self._refresh_seconds = refresh_seconds
        self._unix_time = unix_time
        self._random_bytes = random_bytes
        self._state = TopologyState()
        self._changed = Signal()
        self._own_gateway: NodeIdentity | None = None
        self._under_way: anyio.Event | None = None

    @property
    def current(self) -> Topology | None:
        """The last good topology, or ``None`` before the first and after too many failures."""
        return self._state.current

    @property
    def key_rotation(self) -> KeyRotationInfo | None:
        """The last known key rotation times, or ``None``."""
        return self._state.key_rotation

    @property
    def generation(self) -> int:
        """Grows with each topology that makes other routes than the one before."""
        return self._state.generation

    @property
    def failures(self) -> int:
        """Failed refreshes in a row."""
        return self._state.failures

    @property
    def last_error(self) -> NymError | None:
        """Why the last refresh failed, if it did."""
        return self._state.last_error

    @property
    def age_seconds(self) -> float | None:
        """The time since the last successful refresh, ``None`` before the first."""
        return self._state.age_seconds(anyio.current_time())

    def avoid_as_mix(self, gateway: NodeIdentity) -> None:
        """From now on, keep topologies in which the client's own gateway is no mix node.

        Raises:
            TopologyUnavailable: the present one has no routes then.
        """
        self._own_gateway = gateway
        if self._state.current is not None:
            self._state.current = self._usable(self._state.current)

    def _usable(self, topology: Topology) -> Topology:
        if self._own_gateway is None:
            return topology
        usable = topology.without_mix(self._own_gateway)
        if not usable.is_routable:
            raise TopologyUnavailable(
                "our own gateway is the only mix node of a layer: choose another gateway, or wait"
                " for the next epoch"
            )
        return usable

    def require(self) -> Topology:
        """Return the current topology.

        Raises:
            TopologyUnavailable: there is none.
        """
        if self._state.current is None:
            reason = self._state.last_error or "none was fetched yet"
            raise TopologyUnavailable(f"no topology now ({reason}): wait, or refresh")
        return self._state.current

    async def wait_changed(self, generation: int) -> int:
        """Wait until the generation differs from the given one, and return the new one."""
        while self._state.generation == generation:
            await self._changed.wait()
        return self._state.generation

    async def refresh(self) -> Topology:
        """Fetch now, or join the fetch that is under way.

        Raises:
            NymError: the fetch failed (``DirectoryUnavailable``, ``TopologyUnavailable``);
                :attr:`current` may still be usable.
        """
        while (under_way := self._under_way) is not None:
            before = (self._state.current, self._state.failures)
            await under_way.wait()
            if self._state.last_error is not None and self._state.failures > before[1]:
                raise self._state.last_error
            if self._state.current is not None and self._state.current is not before[0]:
                return self._state.current
            # That fetch was cancelled: fetch here.
        self._under_way = anyio.Event()
        try:
            topology = await self._fetch()
        except NymError as error:
            if self._state.failed(error):
                _logger.warning("the topology is dropped after %d failures", self.failures)
                self._changed.set()
            raise
        else:
            if self._state.succeeded(topology, anyio.current_time()):
                self._changed.set()
            return topology
        finally:
            self._under_way.set()
            self._under_way = None

    async def run(self) -> None:
        """Refresh for ever: at once if there is no topology yet, then on schedule."""
        if self._state.current is None and not self._state.failures:
            await self._refresh_quietly()
        while True:
            delay_seconds = self._state.next_delay_seconds(
                int(self._unix_time() * 1e9),
                uniform_fraction(self._random_bytes),
                self._refresh_seconds,
            )
            if self._state.is_held_back:
                _log.warning(anyio.current_time(), _TOO_OFTEN, OFTEN_SECONDS)
            await self._pass_time(delay_seconds)
            await self._refresh_quietly()

    async def _pass_time(self, seconds: float) -> None:
        """Wait until so much time has passed by either clock: that of the event loop stands still
        while a laptop is suspended, and what is refreshed then is long out of date."""
        due_at, due_at_unix = anyio.current_time() + seconds, self._unix_time() + seconds
        while True:
            left = min(due_at - anyio.current_time(), due_at_unix - self._unix_time())
            if left <= 0:
                return
            await anyio.sleep(min(left, _LOOK_SECONDS))

    async def _refresh_quietly(self) -> None:
        try:
            await self.refresh()
        except NymError as error:
            _logger.warning("the topology could not be refreshed: %s", error)

    async def _fetch(self) -> Topology:
        """Fetch the topology and, as far as it comes in time, the key rotation times."""
        errors: list[NymError] = []
        topologies: list[Topology] = []
        source, self._first = self._first, self._source
        async with anyio.create_task_group() as group:
            group.start_soon(self._fetch_key_rotation, source)
            try:
                topologies.append(await source.fetch_topology())
            except NymError as error:
                errors.append(error)
                group.cancel_scope.cancel()
            else:
                group.cancel_scope.deadline = anyio.current_time() + _KEY_ROTATION_GRACE_SECONDS
        if errors:
            raise errors[0]
        return self._usable(topologies[0])

    async def _fetch_key_rotation(self, source: TopologySource) -> None:
        try:
            self._state.key_rotation = await source.fetch_key_rotation()
        except NymError as error:
            # Only the housekeeping of reply SURBs and the early refresh depend on it.
            _logger.debug("no key rotation times from the directory: %s", error)
