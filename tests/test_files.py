"""Files that are there whole or not at all, and the lock on a file."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nymproxy._atomic_write import temporary_of, write_atomically
from nymproxy._file_lock import lock_file

if TYPE_CHECKING:
    from pathlib import Path


def test_content_is_replaced_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"old", b"new, and longer"):
        write_atomically(path, content)
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_crash_left_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    temporary_of(path).write_bytes(b"half of something longer")
    write_atomically(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_the_temporary_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    path = tmp_path / "file"
    temporary_of(path).symlink_to(victim)
    write_atomically(path, b"whole")
    assert victim.read_bytes() == b"untouched"
    assert not path.is_symlink()


def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = lock_file(path)
    assert first is not None
    assert path.stat().st_mode & 0o777 == 0o600
    assert lock_file(path) is None
    assert _lock_elsewhere(path) == "held"
    first.release()
    assert path.exists()
    assert _lock_elsewhere(path) == "free"
    second = lock_file(path)
    assert second is not None
    second.release()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert _lock_elsewhere(path) == "free"
    lock = lock_file(path)
    assert lock is not None
    lock.release()


def test_a_lock_does_not_touch_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(b"content")
    lock = lock_file(path)
    assert lock is not None
    lock.release()
    assert path.read_bytes() == b"content"
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="link"):
        lock_file(link)


def _lock_elsewhere(path: Path) -> str:
    """Try it in another process, which ends without releasing it."""
    code = (
        "import os, pathlib, sys\n"
        "from nymproxy._file_lock import lock_file\n"
        "lock = lock_file(pathlib.Path(sys.argv[1]))\n"
        "print('held' if lock is None else 'free', flush=True)\n"
        "os._exit(0)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
