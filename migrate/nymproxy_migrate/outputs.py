"""Files that ``-o`` and its like name: written beside and put in place, never through a link."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nymproxy_migrate import beneath
from nymproxy_migrate.journal import TEMPORARY_PREFIX
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


def write(path: Path, data: bytes) -> None:
    """Write a file; whoever reads it sees the old or the new content.

    A relative path leads from the current folder, which may be a tree of somebody else, so that
    none of its parts may be a link. What an absolute path leads through is the user's own.

    Raises:
        Refused: it is a link, or below one in the current folder.
        OSError: it cannot be written.
    """
    try:
        with _opened_folder_of(path) as folder:
            _write(path.name, data, folder)
    except beneath.LinkInTheWay as error:
        raise Refused(f"{path}: {error.strerror}; name what it leads to") from error
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def _opened_folder_of(path: Path) -> Iterator[int]:
    start = beneath.open_root(path.parent if path.is_absolute() else Path())
    below = PurePosixPath() if path.is_absolute() else PurePosixPath(path).parent
    try:
        with beneath.opened_folder(start, below) as folder:
            yield folder
    finally:
        os.close(start)


def _write(name: str, data: bytes, folder: int) -> None:
    old = _status(name, folder)
    if old is not None and stat.S_ISLNK(old.st_mode):
        raise beneath.LinkInTheWay(name)
    if old is not None and not stat.S_ISREG(old.st_mode):
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        _fill(name, flags, folder, data)  # a device or a pipe stays what it is
        return
    temporary = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}.tmp"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        _fill(temporary, flags, folder, data, None if old is None else stat.S_IMODE(old.st_mode))
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        _remove(temporary, folder)
        raise


def _fill(name: str, flags: int, folder: int, data: bytes, mode: int | None = None) -> None:
    with open(os.open(name, flags, 0o666, dir_fd=folder), "wb") as file:
        file.write(data)
        if mode is not None:
            os.fchmod(file.fileno(), mode)


def _status(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _remove(name: str, folder: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
