"""One process at a time in a client directory."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from nymproxy.errors import StorageLocked
from nymproxy.mixnet.storage.files import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

LOCK_NAME = "nymproxy.lock"


class DirectoryLock:
    """An exclusive lock (flock) on a file of our own; the system releases it if we die.

    It keeps other nymproxy processes out. Rust clients know no lock: stop them first.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_NAME
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """True between :meth:`acquire` and :meth:`release`."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock, without waiting.

        Raises:
            StorageLocked: another process, or another client of this one, has it.
            StorageError: the lock file cannot be made.
        """
        if self._descriptor is not None:
            return
        with storage_errors("lock", self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with storage_errors("lock", self._path):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error.__cause__, BlockingIOError):
                raise StorageLocked(
                    f"another client uses {self._path.parent}: stop it, or name another directory"
                ) from error
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. Idempotent. The file stays: removing it would let two processes in at once."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
