"""Files that die at the nth operation: half of a file is written, or what was asked is done.

``python -m tests.migrate.dying POINT TREE STATE`` rewrites a tree and kills itself at that point.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nymproxy_migrate.apply import apply
from nymproxy_migrate.changes import changes_of
from nymproxy_migrate.durable import DurableFiles
from nymproxy_migrate.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable


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

    def create(self, path: Path, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
        if self._is_last():
            path.write_bytes(data[: len(data) // 2])
            self._die()
        super().create(path, data, mode, owner)
        if self._is_last():
            self._die()

    def replace(self, new: Path, path: Path) -> None:
        super().replace(new, path)
        if self._is_last():
            self._die()

    def remove(self, path: Path) -> None:
        super().remove(path)
        if self._is_last():
            self._die()


def fail() -> NoReturn:
    """Die as far as the code under test can see."""
    raise Died


def kill() -> NoReturn:
    """Die."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


if __name__ == "__main__":
    tree = Path(sys.argv[2])
    files = DyingFiles(int(sys.argv[1]), kill)
    apply(tree, changes_of(scan([tree])), Path(sys.argv[3]), files)
