"""Epochs and key rotations: which rotation is current, and which keys are alive.

Rules of nym-mixnet-contract-common 1.21.6 (src/key_rotation.rs) and of the node (nym-node 1.31.0,
src/node/key_rotation): the next key is announced in the last epoch of a rotation, the previous one
stays valid during the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from nymproxy.errors import ConfigurationError

DEFAULT_EPOCH_SECONDS = 30 * 86400.0
DEFAULT_EPOCHS_PER_ROTATION = 24
_FIRST_ROTATION_ID = 2


@dataclass(frozen=True, slots=True)
class EpochSchedule:
    """Maps Unix time to epochs and rotations. The first epoch of all has id 0.

    Attributes:
        reference_unix: start of the epoch ``reference_epoch``, in Unix seconds.
        reference_epoch: an epoch id.
        epoch_seconds: length of an epoch.
        epochs_per_rotation: at least 2, so that at most one odd and one even key are alive.
    """

    reference_unix: float
    reference_epoch: int
    epoch_seconds: float = DEFAULT_EPOCH_SECONDS
    epochs_per_rotation: int = DEFAULT_EPOCHS_PER_ROTATION

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epoch_seconds) and self.epoch_seconds > 0):
            raise ConfigurationError("an epoch must take a positive number of seconds")
        if self.epochs_per_rotation < 2:
            raise ConfigurationError(
                "a key rotation must have at least 2 epochs: the old key is valid in the first "
                "and the next key in the last"
            )

    @classmethod
    def starting(
        cls,
        unix_time: float,
        epoch_seconds: float = DEFAULT_EPOCH_SECONDS,
        epochs_per_rotation: int = DEFAULT_EPOCHS_PER_ROTATION,
    ) -> EpochSchedule:
        """Return the schedule of a network born now: rotation 2, no longer in its first epoch.

        Rotation 0 would be marked "unknown" in every packet. The second epoch has one valid key
        only (with two epochs in a rotation it is the last one, where the next key is announced).
        """
        epoch = _FIRST_ROTATION_ID * epochs_per_rotation + 1
        return cls(unix_time, epoch, epoch_seconds, epochs_per_rotation)

    def epoch_at(self, unix_time: float) -> int:
        """Return the id of the epoch at a time; before the reference, the reference epoch."""
        elapsed = math.floor((unix_time - self.reference_unix) / self.epoch_seconds)
        return self.reference_epoch + max(elapsed, 0)

    def epoch_start(self, epoch: int) -> float:
        """Return when an epoch starts, in Unix seconds."""
        return self.reference_unix + (epoch - self.reference_epoch) * self.epoch_seconds

    def rotation_of(self, epoch: int) -> int:
        """Return the rotation id of an epoch."""
        return epoch // self.epochs_per_rotation

    def rotation_bounds(self, rotation_id: int) -> tuple[int, int]:
        """Return the first and the last epoch of a rotation."""
        first = rotation_id * self.epochs_per_rotation
        return first, first + self.epochs_per_rotation - 1

    def alive_rotations(self, epoch: int) -> tuple[int, ...]:
        """Return the rotation ids whose keys a node accepts in an epoch, the current one first."""
        current = self.rotation_of(epoch)
        first, last = self.rotation_bounds(current)
        if epoch == first and current > 0:
            return current, current - 1
        if epoch == last:
            return current, current + 1
        return (current,)

    def advanced_to(self, epoch: int, unix_time: float) -> EpochSchedule:
        """Return the schedule in which ``epoch`` starts now."""
        return replace(self, reference_unix=unix_time, reference_epoch=epoch)


class EpochClock:
    """The schedule that all parts of a network in one process share; it can be moved forward."""

    def __init__(self, schedule: EpochSchedule) -> None:
        self.schedule = schedule

    def epoch_at(self, unix_time: float) -> int:
        """Return the id of the epoch at a time."""
        return self.schedule.epoch_at(unix_time)

    def advance_epochs(self, unix_time: float, count: int = 1) -> None:
        """Start the epoch that is ``count`` after the current one, now."""
        self._start(self.epoch_at(unix_time) + count, unix_time)

    def advance_rotation(self, unix_time: float) -> None:
        """Start the first epoch of the next rotation, now."""
        rotation = self.schedule.rotation_of(self.epoch_at(unix_time)) + 1
        self._start(self.schedule.rotation_bounds(rotation)[0], unix_time)

    def _start(self, epoch: int, unix_time: float) -> None:
        self.schedule = self.schedule.advanced_to(epoch, unix_time)
