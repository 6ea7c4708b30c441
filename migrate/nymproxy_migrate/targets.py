"""A file that is about to be replaced: where it is, what it holds, why it may not be touched."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from nymproxy_migrate.durable import DurableFiles


@dataclass(frozen=True, slots=True)
class Target:
    """A regular file of the tree, as it is now.

    Attributes:
        full: its place.
        data: its bytes.
        mode: its permission bits.
        owner: user and group.
    """

    full: Path
    data: bytes
    mode: int
    owner: tuple[int, int]


def look(root: Path, path: str) -> Target:
    """Read a file that is to be replaced.

    Raises:
        Refused: it must not be replaced, or cannot be; the message says why.
    """
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts:
        raise Refused(f"{path}: it is outside of the tree; nothing is written there")
    full = root / path
    try:
        status = full.lstat()
        if stat.S_ISLNK(status.st_mode) or _is_below_link(root, relative):
            raise Refused(f"{path}: it is a symbolic link or below one; rewrite what it leads to")
        _check(path, full, status)
        data = full.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: {error.strerror or type(error).__name__}") from error
    return Target(full, data, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))


def _is_below_link(root: Path, relative: PurePosixPath) -> bool:
    """Tell whether a folder between the root and a file is a symbolic link."""
    folder = os.fspath(root)
    for part in relative.parts[:-1]:
        folder = os.path.join(folder, part)
        if os.path.islink(folder):
            return True
    return False


def replace(target: Target, data: bytes, mode: int, temporary: str, files: DurableFiles) -> None:
    """Give a file new bytes and a mode; whoever reads it sees the old or the new ones.

    Raises:
        Refused: somebody else has changed it since it was looked at.
    """
    new = target.full.with_name(temporary)
    files.create(new, data, mode, target.owner)
    if target.full.is_symlink() or target.full.read_bytes() != target.data:
        files.remove(new)
        raise Refused(f"{target.full}: somebody else has just changed it; run the tool again")
    files.replace(new, target.full)


def _check(path: str, full: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Refused(f"{path}: it is no regular file")
    # Asked of the mode, too: root may write to files that are meant to stay as they are.
    if not status.st_mode & 0o222 or not os.access(full, os.W_OK):
        raise Refused(f"{path}: it is read-only; allow writing (chmod u+w) or leave it out")
    if not os.access(full.parent, os.W_OK | os.X_OK):
        raise Refused(f"{path}: its folder is read-only")
    if status.st_nlink > 1:
        raise Refused(f"{path}: it has several hard links, and only one of them would change")
    user = os.geteuid()
    if user not in (0, status.st_uid):
        raise Refused(f"{path}: it belongs to another user; run the tool as that user")
    if user != 0 and status.st_gid not in {os.getegid(), *os.getgroups()}:
        raise Refused(f"{path}: it belongs to a group of which you are no member")
