"""One process at a time: an exclusive lock on a file, which the system releases if we die."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from pathlib import Path


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
    # Without flock, a marker in its place could outlive a killed holder.
    lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock
