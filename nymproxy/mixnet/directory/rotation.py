"""Epochs: which one is to be expected at a given time.

Arithmetic of nym-client-core 1.21.6 (src/client/replies/reply_controller/key_rotation_helpers.rs);
vectors: tests/vectors/directory.json, ``key_rotation``. Packets never depend on it: their keys and
their marker come from one topology. It tells when to ask for a topology.

Times are integer nanoseconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass


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

    def expected_epoch(self, at_ns: int) -> int:
        """Return the epoch that should be current at a time, counting on from the known one."""
        passed = (at_ns - self.epoch_start_ns) // self.epoch_duration_ns
        return self.epoch_id + max(0, passed)

    def next_epoch_start_ns(self, at_ns: int) -> int:
        """Return when the epoch that should be current at a time ends."""
        epochs = self.expected_epoch(at_ns) - self.epoch_id + 1
        return self.epoch_start_ns + epochs * self.epoch_duration_ns
