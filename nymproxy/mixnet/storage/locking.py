"""One process at a time in a client directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._file_lock import lock_file
from nymproxy.errors import StorageLocked
from nymproxy.mixnet.storage.files import storage_errors

if TYPE_CHECKING:
    from pathlib import Path

    from nymproxy._file_lock import FileLock

LOCK_NAME = "nymproxy.lock"


class DirectoryLock:
    """A lock on a file of our own.

    It keeps other nymproxy processes out. Rust clients know no lock: stop them first.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_NAME
        self._lock: FileLock | None = None

    @property
    def is_held(self) -> bool:
        """True between :meth:`acquire` and :meth:`release`."""
        return self._lock is not None

    def acquire(self) -> None:
        """Take the lock, without waiting.

        Raises:
            StorageLocked: another process, or another client of this one, has it.
            StorageError: the lock file cannot be made.
        """
        if self._lock is not None:
            return
        with storage_errors("lock", self._path):
            self._lock = lock_file(self._path)
        if self._lock is None:
            raise StorageLocked(
                f"another client uses {self._path.parent}: stop it, or name another directory"
            )

    def release(self) -> None:
        """Let go. Idempotent."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
