"""The few operations that change the disk: each is either done and on disk, or not done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class DurableFiles:
    """Changes files and folders; tests put one in its place that fails or dies at any of them."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it; their names are on disk then."""
        new = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for folder in new:
            self._sync_folder(folder.parent)

    def create(self, path: Path, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
        """Write a new file and wait until it is on disk; an older one of that name is removed.

        Args:
            path: the file.
            data: its bytes.
            mode: its permission bits.
            owner: user and group; None for those of this process.
        """
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            status = os.fstat(file.fileno())
            if owner is not None and owner != (status.st_uid, status.st_gid):
                os.fchown(file.fileno(), *owner)
            # After the owner: a change of owner clears set-user-id bits.
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())

    def replace(self, new: Path, path: Path) -> None:
        """Let ``new`` take the place of ``path``, at once or not at all."""
        os.replace(new, path)
        self._sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""
        path.unlink(missing_ok=True)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
