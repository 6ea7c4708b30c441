"""Open folders of a tree that is only read: by descriptor, or by path where there is no such way.

On POSIX all goes through :mod:`nymproxy_migrate.beneath`. Windows opens nothing relative to a
folder: there each name on the way is looked at, nothing that leads elsewhere (a symbolic link, a
junction) is gone through, and what was opened must be what was looked at, on the same way, before
and after. Who can write to the tree while it is read may still, for a moment, put another folder in
the place of one and back; so that nothing is ever written by path.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from nymproxy_migrate import beneath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path, PurePosixPath

_LEADS_ELSEWHERE = 0x20000000
"""A bit of a reparse tag of Windows: the name stands for another (IsReparseTagNameSurrogate)."""


class Folder(Protocol):
    """A folder that is open for reading. What cannot be read is an OSError; a link on the way is a
    :class:`nymproxy_migrate.beneath.LinkInTheWay`."""

    def below(self, path: PurePosixPath) -> AbstractContextManager[Folder]:
        """Open a folder below this one."""

    def entries(self) -> list[os.DirEntry[str]]:
        """Return what is in it, sorted by name."""

    def is_link(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry of it leads elsewhere."""

    def has(self, path: str) -> bool:
        """Tell whether something of that name is there, or is in a folder in it."""

    def open_file(self, name: str) -> BinaryIO | None:
        """Open a file in it for reading; None if it is no regular one. Nothing is waited for."""


def opened(root: Path) -> AbstractContextManager[Folder]:
    """Open a folder that the user has named; links in its own path count.

    Raises:
        OSError: it is no folder, or cannot be opened.
    """
    return _opened_by_descriptor(root) if os.open in os.supports_dir_fd else _opened_by_path(root)


@contextmanager
def _opened_by_descriptor(root: Path) -> Iterator[Folder]:
    descriptor = beneath.open_root(root)
    try:
        yield _ByDescriptor(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _opened_by_path(root: Path) -> Iterator[Folder]:
    real = os.path.realpath(root)
    yield _ByPath(((real, _status_of_folder(real)),))


@dataclass(frozen=True, slots=True)
class _ByDescriptor:
    descriptor: int

    @contextmanager
    def below(self, path: PurePosixPath) -> Iterator[Folder]:
        with beneath.opened_folder(self.descriptor, path) as descriptor:
            yield _ByDescriptor(descriptor)

    def entries(self) -> list[os.DirEntry[str]]:
        with os.scandir(self.descriptor) as found:
            return sorted(found, key=lambda entry: entry.name)

    def is_link(self, entry: os.DirEntry[str]) -> bool:
        return entry.is_symlink()

    def has(self, path: str) -> bool:
        try:
            os.stat(path, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError:
            return False
        return True

    def open_file(self, name: str) -> BinaryIO | None:
        return _if_regular(open(beneath.open_file(name, self.descriptor), "rb"))


@dataclass(frozen=True, slots=True)
class _ByPath:
    """A folder with those above it, down from the root: where each is, and what it was."""

    way: tuple[tuple[str, os.stat_result], ...]

    @contextmanager
    def below(self, path: PurePosixPath) -> Iterator[Folder]:
        way = self.way
        for name in path.parts:
            place = os.path.join(way[-1][0], name)
            way = (*way, (place, _status_of_folder(place)))
        yield _ByPath(way)

    def entries(self) -> list[os.DirEntry[str]]:
        with os.scandir(self._path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        self._check()
        return entries

    def is_link(self, entry: os.DirEntry[str]) -> bool:
        return _is_link(entry.stat(follow_symlinks=False))

    def has(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self._path, path))

    def open_file(self, name: str) -> BinaryIO | None:
        place = os.path.join(self._path, name)
        before = _status(place)
        if not stat.S_ISREG(before.st_mode):
            return None  # to open a pipe or a device could take for ever
        file = open(place, "rb")  # noqa: SIM115 - it is handed on
        try:
            if not os.path.samestat(before, os.fstat(file.fileno())):
                raise _replaced(place)
            self._check()
        except OSError:
            file.close()
            raise
        return file

    @property
    def _path(self) -> str:
        return self.way[-1][0]

    def _check(self) -> None:
        """See to it that each folder on the way is still the one that was looked at."""
        for place, before in self.way:
            if not os.path.samestat(before, _status(place)):
                raise _replaced(place)


def _status(place: str) -> os.stat_result:
    status = os.lstat(place)
    if _is_link(status):
        raise beneath.LinkInTheWay(os.path.basename(place))
    return status


def _status_of_folder(place: str) -> os.stat_result:
    status = _status(place)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), place)
    return status


def _is_link(status: os.stat_result) -> bool:
    tag = getattr(status, "st_reparse_tag", 0)
    return stat.S_ISLNK(status.st_mode) or bool(tag & _LEADS_ELSEWHERE)


def _replaced(place: str) -> OSError:
    return OSError(errno.EAGAIN, "somebody puts something else in its place", place)


def _if_regular(file: BinaryIO) -> BinaryIO | None:
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None
