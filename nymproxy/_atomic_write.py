"""Files that are there whole or not at all, also after a crash. All raise OSError."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TEMPORARY_PREFIX = ".nymproxy-new-"
"""What the name of a file that is being written begins with, in the directory of the file."""


def temporary_of(path: Path) -> Path:
    """Return where the next content of a file is written before it takes its place."""
    return path.with_name(TEMPORARY_PREFIX + path.name)


def create_private(path: Path) -> int:
    """Make an empty file, mode 0600; an older one of that name goes first.

    Returns:
        Its descriptor, for writing. No link is followed: what is there after all makes it fail.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file, mode 0600, through to the disk; an older one of that name goes first."""
    with os.fdopen(create_private(path), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make renames in a directory last."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file, mode 0600: at any time either the old or the new content is there.

    One process at a time may write a file: two would take each other's temporary away.
    """
    temporary = temporary_of(path)
    try:
        write_synced(temporary, content)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
