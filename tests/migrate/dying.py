"""Files that die at the nth operation: half of a file is written, or what was asked is done.

``python -m tests.migrate.dying TREE STATE kill|fill|resume FIRST:LAST:STRIDE...`` rewrites a tree
again and again, stops it at each of these points, undoes it, and compares. It forks, so that
nothing has to be imported or judged anew, and so it must not have threads: not in a test's process.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nymproxy_migrate.apply import apply
from nymproxy_migrate.changes import changes_of
from nymproxy_migrate.durable import DurableFiles, Place
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.rollback import roll_back
from nymproxy_migrate.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nymproxy_migrate.changes import FileChange

Snapshot = dict[str, tuple[bytes, int]]


class Died(BaseException):
    """In place of the end of the process: nothing may handle it."""


class DyingFiles(DurableFiles):
    """Counts operations; dies in the middle of one."""

    def __init__(self, point: int, die: Callable[[], NoReturn]) -> None:
        self._left = point
        self._die = die

    def _is_last(self) -> bool:
        self._left -= 1
        return self._left < 0

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        if self._is_last():
            self._die()

    def create(self, place: Place, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
        if self._is_last():
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with open(os.open(place.name, flags, dir_fd=place.folder), "wb") as file:
                file.write(data[: len(data) // 2])
            self._die()
        super().create(place, data, mode, owner)
        if self._is_last():
            self._die()

    def replace(self, new: Place, place: Place) -> None:
        super().replace(new, place)
        if self._is_last():
            self._die()

    def remove(self, place: Place) -> None:
        super().remove(place)
        if self._is_last():
            self._die()


def fail() -> NoReturn:
    """Die as far as the code under test can see."""
    raise Died


def kill() -> NoReturn:
    """Die."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fill() -> NoReturn:
    """Find the disk full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def snapshot(root: Path) -> Snapshot:
    """Return all files, temporary ones included."""
    found: Snapshot = {}
    folders = [os.fspath(root)]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif entry.is_file():
                with open(entry.path, "rb") as file:
                    data = file.read()
                mode = entry.stat().st_mode & 0o7777
                found[os.path.relpath(entry.path, root)] = data, mode
    return found


def records(state: Path) -> list[Path]:
    """Return the records of the runs in a state folder that may have written."""
    return list(state.glob("trees/*/runs/*/record"))


def undone(state: Path) -> list[Path]:
    """Return the marks of the runs in a state folder that have been undone."""
    return list(state.glob("trees/*/runs/*/rolled-back"))


def roll_back_if_it_wrote(tree: Path, state: Path) -> None:
    """Undo the run of a state folder, if there is one that wrote and has not been undone."""
    if records(state) and not undone(state):
        roll_back(tree, base=state)
        return
    with contextlib.suppress(Refused):
        roll_back(tree, base=state)
        raise AssertionError("a run without a record was undone")


def _is_killed_at(point: int, tree: Path, changes: list[FileChange], state: Path) -> bool:
    """Let a child apply the changes and die; False when it comes to its end before the point."""
    child = os.fork()
    if not child:
        try:
            apply(tree, changes, state, DyingFiles(point, kill))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        return False
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    return True


def refusal_at(point: int, tree: Path, changes: list[FileChange], state: Path) -> str:
    """Apply changes on a disk that is full from a point on; return why it is refused, or ""."""
    try:
        apply(tree, changes, state, DyingFiles(point, fill))
    except Refused as refusal:
        return str(refusal)
    return ""


def _is_refused_at(point: int, tree: Path, changes: list[FileChange], state: Path) -> bool:
    reason = refusal_at(point, tree, changes, state)
    assert not reason or "No space left" in reason, reason
    return reason != ""


def _range(part: str) -> range:
    """Return the points of ``FIRST:LAST:STRIDE``."""
    first, last, stride = part.split(":")
    return range(int(first), int(last), int(stride))


def roll_back_all(tree: Path, state: Path) -> int:
    """Undo all runs of a state folder, the last one first, and return how many there were."""
    runs = len(records(state))
    for _ in range(runs):
        roll_back(tree, base=state)
    return runs


def walk(tree: Path, state: Path, how: str, points: Iterator[int]) -> dict[str, int]:
    """Stop a rewrite at each of some points, and show that it can be undone.

    Args:
        tree: what is rewritten.
        state: the folder of the journal, which does not exist yet.
        how: ``kill`` the process, ``fill`` the disk, or kill the process and ``resume``.
        points: operations on the disk, counted from 0.

    Returns:
        At how many points it was stopped, how many of them left files of the tree changed or new,
        and the last one.
    """
    # A killed process loses nothing that it wrote: waiting for the disk would show nothing here.
    os.fsync = lambda fd: None
    before = snapshot(tree)
    changes = changes_of(scan([tree]))
    wanted = {each.path: (each.after, before[each.path][1]) for each in changes}
    stops_at = _is_refused_at if how == "fill" else _is_killed_at
    seen = {"files": len(changes), "points": 0, "damaged": 0, "last": -1}
    for point in points:
        stopped = stops_at(point, tree, changes, state)
        if stopped:
            seen["points"] += 1
            seen["damaged"] += snapshot(tree) != before
            seen["last"] = point
        if stopped and how == "resume":
            apply(tree, changes_of(scan([tree])), state)
        if not stopped or how == "resume":
            assert snapshot(tree) == {**before, **wanted}, f"stopped at {point}, it is not all done"
        if how == "resume":
            roll_back_all(tree, state)
        else:
            roll_back_if_it_wrote(tree, state)
        assert snapshot(tree) == before, f"stopped at {point}, it is not what it was"
        shutil.rmtree(state)
        if not stopped:
            break
    return seen


if __name__ == "__main__":
    places = sorted({int(each) for part in sys.argv[4:] for each in _range(part)})
    print(json.dumps(walk(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], iter(places))))
