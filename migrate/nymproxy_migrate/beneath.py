"""Opening what is below a folder: by descriptor, one name at a time, never through a link.

Whoever else can write to a tree may put a link in the place of a folder at any moment. A path that
is checked and then opened may lead elsewhere by then; a descriptor stays where it is.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path, PurePosixPath

# A system that has none of these cannot do what is done here; its Python can import this.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
# Non-blocking: opening a pipe must not wait for its other end.
_FILE = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class LinkInTheWay(OSError):
    """A name below the root is a symbolic link."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ELOOP, "it is a symbolic link or below one", name)


def open_root(path: Path) -> int:
    """Open a folder that the user has named; links in its own path count.

    Raises:
        OSError: it is no folder, or cannot be opened.
    """
    return os.open(path, _FOLDER)


@contextmanager
def opened_folder(root: int, path: PurePosixPath) -> Iterator[int]:
    """Open a folder below an open one.

    Raises:
        LinkInTheWay: it is a link, or below one.
        OSError: it cannot be opened.
    """
    descriptor = os.dup(root)
    try:
        for name in path.parts:
            below = _open(name, _FOLDER | _NO_FOLLOW, descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(name: str, folder: int) -> int:
    """Open a file of an open folder for reading; it need not be a regular one.

    Raises:
        LinkInTheWay: it is a link.
        OSError: it cannot be opened.
    """
    return _open(name, _FILE, folder)


def _open(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        # What is said about a link depends on the system and on the other flags.
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK) and _is_link(name, folder):
            raise LinkInTheWay(name) from error
        raise


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
