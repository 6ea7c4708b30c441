"""The state directory of a localnet: its secret, its epochs and its ports, and who uses it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nymproxy._atomic_write import write_atomically
from nymproxy._bounded_read import read_regular
from nymproxy._file_lock import lock_file
from nymproxy.errors import ConfigurationError, StorageError, StorageLocked
from nymproxy.localnet.epochs import EpochSchedule
from nymproxy.localnet.secrets import SECRET_BYTES, NetworkSecret

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy.localnet.config import LocalnetConfig
    from nymproxy.mixnet.randomness import RandomBytes

STATE_FILE = "network.json"
LOCK_FILE = "lock"
_MAX_STATE_BYTES = 1 << 20


@dataclass(slots=True)
class NetworkState:
    """What makes a network the same one in the next run.

    Attributes:
        secret: all keys follow from it.
        schedule: the epochs.
        ports: the last ports, by name: ``directory``, ``NODE`` and ``NODE/clients``.
    """

    secret: NetworkSecret
    schedule: EpochSchedule
    ports: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of the state file."""
        document = {
            "secret": self.secret.to_bytes().hex(),
            "reference_unix": self.schedule.reference_unix,
            "reference_epoch": self.schedule.reference_epoch,
            "epoch_seconds": self.schedule.epoch_seconds,
            "epochs_per_rotation": self.schedule.epochs_per_rotation,
            "ports": self.ports,
        }
        return json.dumps(document, indent=1)

    @classmethod
    def from_json(cls, text: str) -> NetworkState:
        """Read the text of a state file.

        Raises:
            StorageError: it is damaged.
        """
        try:
            document: Any = json.loads(text)
            return cls(
                NetworkSecret(bytes.fromhex(document["secret"])),
                EpochSchedule(
                    float(document["reference_unix"]),
                    int(document["reference_epoch"]),
                    float(document["epoch_seconds"]),
                    int(document["epochs_per_rotation"]),
                ),
                {str(name): int(port) for name, port in document["ports"].items()},
            )
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            ConfigurationError,
        ) as error:
            raise StorageError(
                f"{STATE_FILE} of the localnet is damaged: delete the directory for a new network"
            ) from error


class StateDirectory:
    """The directory, locked against a second localnet while open.

    Raises:
        StorageLocked: another process uses it.
        StorageError: it cannot be made or read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = lock_file(path / LOCK_FILE)
        except OSError as error:
            raise StorageError(f"cannot use the state directory {path}: {error}") from error
        if lock is None:
            raise StorageLocked(
                f"another localnet uses {path}: stop it, or choose another state directory"
            )
        self._lock = lock

    def close(self) -> None:
        """Release the lock."""
        self._lock.release()

    def gateway_file(self, name: str) -> Path:
        """Return the path of a gateway's store."""
        return self.path / f"{name}.sqlite"

    def load(
        self, config: LocalnetConfig, unix_time: float, random_bytes: RandomBytes
    ) -> NetworkState:
        """Return the state of the last run, adapted to the configuration, or a new one.

        Raises:
            ConfigurationError: the seed is another than that of the last run.
            StorageError: the state file is damaged.
        """
        seeded = None if config.seed is None else NetworkSecret.from_seed(config.seed)
        try:
            text = read_regular(self.path / STATE_FILE, _MAX_STATE_BYTES).decode()
        except FileNotFoundError:
            secret = seeded or NetworkSecret(random_bytes(SECRET_BYTES))
            return NetworkState(secret, _new_schedule(config, unix_time))
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"cannot read {self.path / STATE_FILE}: {error}") from error
        state = NetworkState.from_json(text)
        if seeded is not None and seeded.to_bytes() != state.secret.to_bytes():
            raise ConfigurationError(
                f"{self.path} belongs to a network with another seed: use that, or another one"
            )
        wanted = _new_schedule(config, unix_time)
        if (wanted.epoch_seconds, wanted.epochs_per_rotation) != (
            state.schedule.epoch_seconds,
            state.schedule.epochs_per_rotation,
        ):
            state.schedule = wanted
        return state

    def save(self, state: NetworkState) -> None:
        """Write the state file, atomically and readable by the owner only.

        Raises:
            StorageError: it cannot be written.
        """
        path = self.path / STATE_FILE
        try:
            write_atomically(path, state.to_json().encode())
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error}") from error


def _new_schedule(config: LocalnetConfig, unix_time: float) -> EpochSchedule:
    return EpochSchedule.starting(unix_time, config.epoch_seconds, config.epochs_per_rotation)
