"""A file that is about to be replaced: where it is, what it holds, why it may not be touched."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nymproxy_migrate import beneath
from nymproxy_migrate.durable import Place
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.version_control import is_version_control

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nymproxy_migrate.durable import DurableFiles

_LARGEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A regular file of the tree, as it is now.

    Attributes:
        path: relative to the root.
        data: its bytes.
        mode: its permission bits.
        owner: user and group.
    """

    path: str
    data: bytes
    mode: int
    owner: tuple[int, int]


@contextmanager
def opened(root: Path) -> Iterator[int]:
    """Open a tree for :func:`look` and :func:`replace`.

    Raises:
        Refused: it cannot be opened, or nothing is written there.
    """
    inside = [part for part in root.resolve().parts if is_version_control(part)]
    if inside:
        raise Refused(f"{root}: it is inside of {inside[0]}; nothing is written there")
    try:
        folder = beneath.open_root(root)
    except OSError as error:
        raise Refused(f"{root}: {error.strerror or type(error).__name__}") from error
    try:
        yield folder
    finally:
        os.close(folder)


def look(root: int, path: str) -> Target:
    """Read a file that is to be replaced.

    Args:
        root: the open tree.
        path: relative to it.

    Raises:
        Refused: it must not be replaced, or cannot be; the message says why.
    """
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts or not relative.name:
        raise Refused(f"{path}: it is outside of the tree; nothing is written there")
    for part in relative.parts:
        if is_version_control(part):
            raise Refused(f"{path}: nothing is written to {part}")
    try:
        with beneath.opened_folder(root, relative.parent) as folder:
            return _look(folder, relative)
    except beneath.LinkInTheWay as error:
        raise Refused(f"{path}: {error.strerror}; rewrite what it leads to") from error
    except OSError as error:
        raise Refused(f"{path}: {error.strerror or type(error).__name__}") from error


def _look(folder: int, path: PurePosixPath) -> Target:
    with open(beneath.open_file(path.name, folder), "rb") as file:
        status = os.fstat(file.fileno())
        _check(path, status)
        if not os.access(path.name, os.W_OK, dir_fd=folder):
            raise Refused(f"{path}: it cannot be written")
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=folder):
            raise Refused(f"{path}: its folder is read-only")
        data = file.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise Refused(f"{path}: it is larger than {_LARGEST_BYTES} bytes")
    return Target(str(path), data, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def replace(
    root: int, target: Target, data: bytes, mode: int, temporary: str, files: DurableFiles
) -> None:
    """Give a file new bytes and a mode; whoever reads it sees the old or the new ones.

    Raises:
        Refused: somebody else has changed it since it was looked at.
    """
    path = PurePosixPath(target.path)
    try:
        with beneath.opened_folder(root, path.parent) as folder:
            place = Place(path.name, folder)
            new = place.beside(temporary)
            files.create(new, data, mode, target.owner)
            if not _is_unchanged(place, target):
                files.remove(new)
                raise _changed(target)
            files.replace(new, place)
    except beneath.LinkInTheWay as error:
        raise _changed(target) from error


def _is_unchanged(place: Place, target: Target) -> bool:
    assert place.folder is not None
    try:
        with open(beneath.open_file(place.name, place.folder), "rb") as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            return is_regular and file.read(len(target.data) + 1) == target.data
    except (beneath.LinkInTheWay, FileNotFoundError):
        return False


def _changed(target: Target) -> Refused:
    return Refused(f"{target.path}: somebody else has just changed it; run the tool again")


def remove_temporary(root: int, path: str, temporary: str, files: DurableFiles) -> None:
    """Remove what a killed run left beside a file, if there is anything."""
    try:
        with beneath.opened_folder(root, PurePosixPath(path).parent) as folder:
            files.remove(Place(temporary, folder))
    except (beneath.LinkInTheWay, FileNotFoundError, NotADirectoryError):
        return


def _check(path: PurePosixPath, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Refused(f"{path}: it is no regular file")
    # Asked of the mode, too: root may write to files that are meant to stay as they are.
    if not status.st_mode & 0o222:
        raise Refused(f"{path}: it is read-only; allow writing (chmod u+w) or leave it out")
    if status.st_nlink > 1:
        raise Refused(f"{path}: it has several hard links, and only one of them would change")
    user = os.geteuid()
    if user not in (0, status.st_uid):
        raise Refused(f"{path}: it belongs to another user; run the tool as that user")
    if user != 0 and status.st_gid not in {os.getegid(), *os.getgroups()}:
        raise Refused(f"{path}: it belongs to a group of which you are no member")
