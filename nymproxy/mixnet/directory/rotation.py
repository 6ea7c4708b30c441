"""Epochs and key rotations: which ones are to be expected at a given time.

Arithmetic of nym-mixnet-contract-common 1.21.6 (src/key_rotation.rs) and nym-client-core 1.21.6
(src/client/replies/reply_controller/key_rotation_helpers.rs); vectors:
tests/vectors/directory.json, ``key_rotation``. Packets never depend on it: their keys and their
marker come from one topology. It tells when reply SURBs expire, and when to ask for a topology.

Times are integer nanoseconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

_STUCK_LEEWAY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class KeyRotationInfo:
    """The answer to ``/v1/epoch/key-rotation-info``.

    Attributes:
        validity_epochs: how many epochs a rotation lasts, at least 1.
        initial_epoch_id: the epoch in which rotation 0 began.
        epoch_id: the epoch that was current when the directory answered.
        epoch_start_ns: when it began.
        epoch_duration_ns: how long an epoch lasts, more than 0.
    """

    validity_epochs: int
    initial_epoch_id: int
    epoch_id: int
    epoch_start_ns: int
    epoch_duration_ns: int

    def rotation_of_epoch(self, epoch_id: int) -> int:
        """Return the rotation that an epoch belongs to; 0 before the first one."""
        return max(0, epoch_id - self.initial_epoch_id) // self.validity_epochs

    def first_epoch_of_rotation(self, rotation_id: int) -> int:
        """Return the epoch with which a rotation begins."""
        return self.initial_epoch_id + self.validity_epochs * rotation_id

    def expected_epoch(self, at_ns: int) -> int:
        """Return the epoch that should be current at a time, counting on from the known one."""
        passed = (at_ns - self.epoch_start_ns) // self.epoch_duration_ns
        return self.epoch_id + max(0, passed)

    def expected_rotation(self, at_ns: int) -> int:
        """Return the rotation that should be current at a time."""
        return self.rotation_of_epoch(self.expected_epoch(at_ns))

    def rotation_start_ns(self, rotation_id: int) -> int:
        """Return when a rotation begins, or began."""
        known = max(0, self.epoch_id - self.initial_epoch_id)
        epochs = rotation_id * self.validity_epochs - known
        return self.epoch_start_ns + epochs * self.epoch_duration_ns

    def next_epoch_start_ns(self, at_ns: int) -> int:
        """Return when the epoch that should be current at a time ends."""
        epochs = self.expected_epoch(at_ns) - self.epoch_id + 1
        return self.epoch_start_ns + epochs * self.epoch_duration_ns

    @property
    def rotation_lifetime_ns(self) -> int:
        """How long a rotation's keys work: its epochs, and one more of overlap."""
        return (self.validity_epochs + 1) * self.epoch_duration_ns

    def is_epoch_stuck(self, epoch_id: int, refreshed_at_ns: int) -> bool:
        """Tell whether the network is in another epoch than the clock says.

        Args:
            epoch_id: the topology's epoch.
            refreshed_at_ns: when the directory made the topology.
        """
        return epoch_id not in (
            self.expected_epoch(refreshed_at_ns - _STUCK_LEEWAY_NS),
            self.expected_epoch(refreshed_at_ns + _STUCK_LEEWAY_NS),
        )
