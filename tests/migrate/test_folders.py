"""Folders that are read: the same by descriptor and by path, and never through a link."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from nymproxy_migrate import folders, reading, scan, walk
from nymproxy_migrate.beneath import LinkInTheWay
from nymproxy_migrate.reading import Exclusion
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from nymproxy_migrate.folders import Folder

    Opened = Callable[[Path], AbstractContextManager[Folder]]


@pytest.fixture(
    params=[folders._opened_by_descriptor, folders._opened_by_path], ids=["descriptor", "path"]
)
def opened(request: pytest.FixtureRequest) -> Opened:
    chosen: Opened = request.param
    return chosen


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"outside")
    return root


B = PurePosixPath("a/b")


def test_what_is_there(opened: Opened, root: Path) -> None:
    (root / "a" / "b" / "link").symlink_to("file")
    os.mkfifo(root / "a" / "b" / "pipe")
    with opened(root) as tree, tree.below(B) as folder:
        entries = folder.entries()
        assert [each.name for each in entries] == ["file", "link", "pipe"]
        assert [folder.is_link(each) for each in entries] == [False, True, False]
        assert folder.has("file")
        assert not folder.has("nothing")
        file = folder.open_file("file")
        assert file is not None
        with file:
            assert file.read() == b"inside"
        assert folder.open_file("pipe") is None
        with pytest.raises(LinkInTheWay):
            folder.open_file("link")
        with pytest.raises(FileNotFoundError):
            folder.open_file("nothing")


def test_no_link_is_gone_through_below_the_root(opened: Opened, root: Path) -> None:
    (root / "a" / "b" / "file").unlink()
    (root / "a" / "b").rmdir()
    (root / "a" / "b").symlink_to(root.parent / "outside")
    with opened(root) as tree, pytest.raises(LinkInTheWay), tree.below(B):
        pass
    (root.parent / "named").symlink_to(root)
    with opened(root.parent / "named") as tree:  # the user's own
        assert tree.has("a")


def test_a_file_is_no_folder(opened: Opened, root: Path) -> None:
    with (
        opened(root) as tree,
        pytest.raises(NotADirectoryError),
        tree.below(B / "file"),
    ):
        pass


# By path alone: what is put in the place of a name after it was looked at.


def swap(root: Path) -> None:
    (root / "a").rename(root / "before")
    (root / "a").mkdir()
    (root / "a" / "b").symlink_to(root.parent / "outside")


def test_another_folder_in_the_place_of_one(root: Path) -> None:
    with folders._opened_by_path(root) as tree, tree.below(B) as folder:
        swap(root)
        for call in (folder.entries, lambda: folder.open_file("file")):
            with pytest.raises(OSError, match="in its place"):
                call()


@pytest.mark.parametrize("by", ["another file", "another folder"])
def test_another_file_in_the_place_of_one(
    by: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening, which is the last moment there is."""

    def open_late(path: str, mode: str) -> Any:
        if by == "another folder":
            swap(root)
        else:
            os.replace(root.parent / "outside" / "file", path)
        return open(path, mode)

    with folders._opened_by_path(root) as tree, tree.below(B) as folder:
        monkeypatch.setattr(folders, "open", open_late, raising=False)
        with pytest.raises(OSError, match="in its place") as caught:
            folder.open_file("file")
        assert caught.value.errno == errno.EAGAIN


def test_a_junction_of_windows_leads_elsewhere() -> None:
    link, other = 0xA0000003, 0x80000013  # a mount point, and deduplicated data
    status = {"st_mode": 0o40755}
    assert folders._is_link(SimpleNamespace(**status, st_reparse_tag=link))  # type: ignore[arg-type]
    assert not folders._is_link(SimpleNamespace(**status, st_reparse_tag=other))  # type: ignore[arg-type]


def test_paths_on_another_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", none)
    monkeypatch.setattr(os.path, "commonpath", none)
    assert reading.relative("/d/x", "/c") == "/d/x"
    assert scan.from_here(Path("/d"), "x") == "/d/x"
    assert Exclusion("/c", ("x",)).holds(Path("/d"), "y/x")
    with pytest.raises(Refused, match="different drives"):
        walk.common_root([Path("/c"), Path("/d")])
