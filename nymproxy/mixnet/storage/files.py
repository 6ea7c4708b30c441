"""Reading and writing small private files: bounded, atomic, mode 0600."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from typing import TYPE_CHECKING

from nymproxy.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_SMALL_FILE_BYTES = 64 * 1024
TEMPORARY_PREFIX = ".nymproxy-new-"


@contextlib.contextmanager
def storage_errors(action: str, path: Path) -> Iterator[None]:
    """Turn what the system says into StorageError: "cannot <action> <path>: <reason>"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = ""
        if error.errno == errno.EACCES:
            advice = "; run as the owner of the files, or change their owner"
        elif error.errno == errno.ENOSPC:
            advice = "; free some space"
        raise StorageError(f"cannot {action} {path}: {reason}{advice}") from error


def make_private_directory(path: Path) -> None:
    """Create a directory, and its parents, that only its owner can enter, if it is not there.

    Raises:
        StorageError: something else is there, or it cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise StorageError(f"{path} is no directory: name another one")
    with storage_errors("create", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)


def read_small_file(path: Path) -> bytes:
    """Read a file of at most 64 KiB.

    Raises:
        StorageError: it cannot be read, or is larger.
    """
    with storage_errors("read", path), path.open("rb") as file:
        content = file.read(_MAX_SMALL_FILE_BYTES + 1)
    if len(content) > _MAX_SMALL_FILE_BYTES:
        raise StorageError(f"{path} is too large to be what it should be")
    return content


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file, mode 0600, through to the disk; an older one of that name goes first.

    Raises:
        OSError: it cannot be written.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make renames in a directory last.

    Raises:
        OSError: the directory cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that at any time either the old or the new content is there.

    Raises:
        StorageError: it cannot be written; the old content is still there.
    """
    temporary = path.with_name(TEMPORARY_PREFIX + path.name)
    with storage_errors("write", path):
        try:
            write_synced(temporary, content)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def private_temporary_directory() -> tempfile.TemporaryDirectory[str]:
    """Make a temporary directory that only we can enter and that is removed after use."""
    return tempfile.TemporaryDirectory(prefix="nymproxy-")
