"""Small private files: what is there, bounded, and what the system says about it in our words."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from nymproxy._bounded_read import read_regular
from nymproxy._mistrust import why_mistrusted
from nymproxy.errors import StorageError, UnsafePermissions

if TYPE_CHECKING:
    import tempfile
    from collections.abc import Iterator
    from pathlib import Path

_MAX_SMALL_FILE_BYTES = 64 * 1024
TRUST_VARIABLE = "NYMPROXY_TRUST_DIRECTORIES"
"""An environment variable that turns the look at directories off, but not that at key files."""


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


def refuse_mistrusted(path: Path) -> None:
    """Refuse a directory for keys in which others could put keys of theirs.

    Raises:
        UnsafePermissions: others can write to it or to a directory above it.
    """
    reason = why_mistrusted(path)
    if reason is not None and not os.environ.get(TRUST_VARIABLE):
        raise UnsafePermissions(
            f"keys are not safe in {path}: {reason}; where that cannot be helped, as with some "
            f"volumes of containers, set {TRUST_VARIABLE}=1"
        )


def read_small_file(path: Path) -> bytes:
    """Read a file of at most 64 KiB.

    Raises:
        StorageError: it cannot be read, is larger, or is no regular file.
    """
    with storage_errors("read", path):
        return read_regular(path, _MAX_SMALL_FILE_BYTES)


def private_temporary_directory() -> tempfile.TemporaryDirectory[str]:
    """Make a temporary directory that only we can enter and that is removed after use."""
    import tempfile  # it brings what packs archives: a server that makes its keys needs none

    return tempfile.TemporaryDirectory(prefix="nymproxy-")
