"""nymproxy._bounded_read: regular files only, and no more than a limit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nymproxy._bounded_read import read_regular

if TYPE_CHECKING:
    from pathlib import Path


def test_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(path, 4)


def test_links_to_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 5) == b"x"


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(OSError, match=r"no regular file|Is a directory"):
            read_regular(tmp_path / name, 5)
