"""The topology in use: how old it may be, and when the next one is due. No I/O.

Policy of nym-client-core 1.21.6 (src/client/topology_control/accessor.rs, mod.rs): a failed refresh
keeps the last good topology, the 11th in a row clears it. In addition it is refreshed when an epoch
ends, since that may bring new keys, and asked for sooner after a failure when a whole epoch was
missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._backoff import doubled

if TYPE_CHECKING:
    from nymproxy.errors import NymError
    from nymproxy.mixnet.directory.rotation import KeyRotationInfo
    from nymproxy.mixnet.directory.topology import Topology

TOLERATED_FAILURES = 10

_MIN_DELAY_SECONDS = 0.5
_FIRST_RETRY_SECONDS = 5.0
_SETTLE_SECONDS = 5.0

OFTEN_SECONDS = 5.0
"""A directory that is wanted sooner again and again is asked no more often than this. Only a lying
or broken one wants that, by its times of epochs: those of networks take an hour, those of localnets
ten seconds, and three requests and the reading of some hundred nodes are not for twice a second."""


class TopologyState:
    """The topology in use and the history of its refreshes. Times are monotonic seconds.

    Attributes:
        current: the last good topology, or ``None``.
        key_rotation: the last known key rotation times, or ``None``.
        generation: counts the topologies that make other routes than the one before, and clears.
        failures: failed refreshes in a row.
        last_error: the last one's error, ``None`` after a success.
        is_held_back: the last delay is longer than the directory's times ask for.
    """

    def __init__(self) -> None:
        self.current: Topology | None = None
        self.key_rotation: KeyRotationInfo | None = None
        self.generation = 0
        self.failures = 0
        self.last_error: NymError | None = None
        self.is_held_back = False
        self._hurried = 0
        self._refreshed_at: float | None = None

    def age_seconds(self, now: float) -> float | None:
        """Return the time since the last successful refresh."""
        return None if self._refreshed_at is None else now - self._refreshed_at

    def succeeded(self, topology: Topology, now: float) -> bool:
        """Take a new topology. True when it differs in what routes are made of."""
        changed = topology != self.current
        self.current = topology
        self._refreshed_at = now
        self.failures = 0
        self.last_error = None
        self.generation += changed
        return changed

    def failed(self, error: NymError) -> bool:
        """Count a failure. True when it was one too many and the topology was cleared."""
        self.failures += 1
        self.last_error = error
        cleared = self.current is not None and self.failures > TOLERATED_FAILURES
        if cleared:
            self.current = None
        self.generation += cleared
        return cleared

    def next_delay_seconds(self, unix_ns: int, spread: float, refresh_seconds: float) -> float:
        """Return how long to wait for the next refresh: call this once for each.

        Args:
            unix_ns: the time of day, in nanoseconds since the Unix epoch.
            spread: random, 0 to 1, so that not all clients ask in the same instant.
            refresh_seconds: the regular interval.
        """
        wanted = self._wanted_delay_seconds(unix_ns, spread, refresh_seconds)
        least = doubled(_MIN_DELAY_SECONDS, self._hurried, OFTEN_SECONDS)
        self._hurried = self._hurried + 1 if wanted < OFTEN_SECONDS else 0
        self.is_held_back = wanted < least == OFTEN_SECONDS
        return min(refresh_seconds, max(least, wanted))

    def _wanted_delay_seconds(self, unix_ns: int, spread: float, refresh_seconds: float) -> float:
        if self.current is None:
            return doubled(_FIRST_RETRY_SECONDS, max(self.failures - 1, 0), refresh_seconds)
        info = self.key_rotation
        if info is None:
            return refresh_seconds
        behind = info.expected_epoch(unix_ns) - self.current.epoch_id
        if self.failures:
            if behind <= 1:
                return refresh_seconds
            # A whole epoch was missed, as by a machine that slept: the keys may be dead. What it
            # was asking when it fell asleep fails on waking, and says nothing of the directory.
            if self.failures == 1:
                return _MIN_DELAY_SECONDS
            return doubled(_FIRST_RETRY_SECONDS, self.failures - 2, refresh_seconds)
        epoch_end = (info.next_epoch_start_ns(unix_ns) - unix_ns) / 1e9
        epoch_seconds = info.epoch_duration_ns / 1e9
        if behind > 0:
            # The directory is late. Wait as long again as it is late by now.
            return epoch_seconds - epoch_end
        return epoch_end + (0.5 + spread) * min(_SETTLE_SECONDS, epoch_seconds / 20)
