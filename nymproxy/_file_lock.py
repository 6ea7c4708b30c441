"""One process at a time: an exclusive lock on a file, which the system releases if we die."""

from __future__ import annotations

import contextlib
import os
from io import FileIO
from typing import TYPE_CHECKING

with contextlib.suppress(ModuleNotFoundError):  # on Windows, where nothing is locked
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """A lock that is held. Made by :func:`lock_file`.

    Args:
        file: the locked one, taken over.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file

    def release(self) -> None:
        """Let go. Idempotent."""
        self._file.close()


def lock_file(path: Path) -> FileLock | None:
    """Take the lock on a file, without waiting; the file is made, mode 0600, if it is not there.

    The file stays when the lock is released: removing it would let two in at once. Its content is
    not touched, and a symbolic link is refused.

    Returns:
        The lock, to be released; ``None`` when another process, or another lock of this one, has
        it.

    Raises:
        OSError: the file cannot be made or locked.
    """
    file = FileIO(path, "r+", opener=_open)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except BaseException:
        file.close()
        raise
    return FileLock(file)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
