"""nymproxy._bounded_read: no more than a limit, and for no longer than a while."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from nymproxy._bounded_read import read_named, read_regular

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEN_GIGABYTES = 10 * 1000**3


@pytest.mark.parametrize("read", [read_regular, read_named])
def test_up_to_the_limit(read: Callable[[Path, int], bytes], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read(path, 4)
    os.truncate(path, TEN_GIGABYTES)  # it takes no room on the disk
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read(path, 4)


@pytest.mark.parametrize("read", [read_regular, read_named])
def test_links_to_files_are_read(read: Callable[[Path, int], bytes], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read(tmp_path / "link", 5) == b"x"


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(OSError, match=r"no regular file|Is a directory"):
            read_regular(tmp_path / name, 5)


@pytest.mark.parametrize(
    ("name", "complaint"), [("/dev/zero", "larger than 5 bytes"), ("/", "Is a directory")]
)
def test_what_has_no_end_or_no_content(name: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=complaint):
        read_named(tmp_path / name, 5)


def test_an_empty_device(tmp_path: Path) -> None:
    assert read_named(tmp_path / "/dev/null", 5) == b""


def test_a_pipe_is_read_to_its_end_however_late_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:  # waits for the reader
            for piece in (b"12", b"34", b"5"):
                pipe.write(piece)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_named(path, 5) == b"12345"
    writer.join(30)


@pytest.mark.parametrize("content", [b"12345", b""])
def test_what_a_shell_puts_in_the_place_of_a_command(content: bytes, tmp_path: Path) -> None:
    """``<(...)`` is the number of an open pipe, whose writer may have ended long ago."""
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    assert read_named(tmp_path / f"/dev/fd/{reader}", 5) == content
    os.close(reader)


@pytest.mark.parametrize("written", [None, b"", b"begun"])
def test_a_pipe_without_an_end_is_told_and_given_up(
    written: bytes | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("nymproxy._bounded_read._TELL_SECONDS", 0.01)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = None if written is None else os.open(path, os.O_RDWR)
    if writer is not None and written:
        os.write(writer, written)
    with pytest.raises(TimeoutError, match=r"its end did not come within 0\.05 s"):
        read_named(path, 100, wait_seconds=0.05)
    assert caplog.messages == [f"waiting for the end of what is written to {path}"]
    if writer is not None:
        os.close(writer)
