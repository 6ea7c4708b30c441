"""The few operations that change the disk: each is either done and on disk, or not done."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is or will be.

    Attributes:
        name: in an open folder a single name, else a path.
        folder: a descriptor of that folder: what happens to the path above it does not matter.
    """

    name: str
    folder: int | None = None

    def beside(self, name: str) -> Place:
        """Return the place of another file in the same open folder."""
        return Place(name, self.folder)


class DurableFiles:
    """Changes files and folders; tests put one in its place that fails or dies at any of them."""

    def make_folder(self, path: Path) -> None:
        """Make a folder for this user alone, and those above it; their names are on disk then."""
        new = [each for each in (path, *path.parents) if not each.exists()]
        for folder in reversed(new):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._sync_folder(Place(str(folder)))

    def create(self, place: Place, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
        """Write a new file and wait until it is on disk; an older one of that name is removed.

        Args:
            place: the file.
            data: its bytes.
            mode: its permission bits.
            owner: user and group; None for those of this process.
        """
        self._unlink(place)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(place.name, flags, 0o600, dir_fd=place.folder), "wb") as file:
            file.write(data)
            file.flush()
            status = os.fstat(file.fileno())
            if owner is not None and owner != (status.st_uid, status.st_gid):
                os.fchown(file.fileno(), *owner)
            # After the owner: a change of owner clears set-user-id bits.
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())

    def replace(self, new: Place, place: Place) -> None:
        """Let ``new`` take the place of another, at once or not at all."""
        os.replace(new.name, place.name, src_dir_fd=new.folder, dst_dir_fd=place.folder)
        self._sync_folder(place)

    def remove(self, place: Place) -> None:
        """Remove a file if it is there."""
        self._unlink(place)

    def _unlink(self, place: Place) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.name, dir_fd=place.folder)

    def _sync_folder(self, place: Place) -> None:
        if place.folder is not None:
            os.fsync(place.folder)
            return
        above = os.path.dirname(place.name) or "."
        descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
