"""nymproxy._mistrust: who else could put a file in the place of ours."""

from __future__ import annotations

import grp
import os
import pwd
from typing import TYPE_CHECKING

import pytest

from nymproxy._mistrust import why_mistrusted

if TYPE_CHECKING:
    from pathlib import Path

OTHER_ID = 12_345
"""A user or group that is neither root nor ours."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder below ``tmp_path``, with nothing to complain of from there on."""
    for place in (tmp_path, *tmp_path.parents):
        status = place.stat()
        if status.st_uid == os.geteuid() and not status.st_mode & 0o1000:
            place.chmod(status.st_mode & 0o7755)
    made = tmp_path / "state" / "inner"
    made.mkdir(parents=True, mode=0o755)
    return made


def test_one_of_ours_is_trusted_whether_it_is_there_or_not(folder: Path) -> None:
    assert why_mistrusted(folder) is None
    assert why_mistrusted(folder / "not" / "yet") is None


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o702])
@pytest.mark.parametrize("below", [0, 1])
def test_one_that_anybody_can_write_is_not_nor_what_is_below(
    folder: Path, mode: int, below: int
) -> None:
    (folder, folder.parent)[below].chmod(mode)
    reason = why_mistrusted(folder)
    assert reason is not None
    assert f"mode {mode:04o}" in reason
    assert "chmod go-w" in reason


def test_a_sticky_folder_may_stand_above_but_not_be_it(folder: Path) -> None:
    folder.parent.chmod(0o1777)
    assert why_mistrusted(folder) is None
    assert why_mistrusted(folder.parent) is not None


def test_links_are_followed_first(folder: Path) -> None:
    bad = folder.parent / "bad"
    bad.mkdir()
    bad.chmod(0o777)
    link = folder / "link"
    link.symlink_to(bad)
    reason = why_mistrusted(link)
    assert reason is not None
    assert str(bad) in reason


def test_another_user_is_not_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(folder, OTHER_ID, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: OTHER_ID)
    reason = why_mistrusted(folder)
    assert reason is not None
    assert "another user" in reason


@pytest.fixture
def group(folder: Path) -> int:
    """The number of the group that may write into ``folder``; not root's, who may anyway."""
    if os.geteuid() == 0:
        os.chown(folder, -1, OTHER_ID)
    folder.chmod(0o770)
    return folder.stat().st_gid


@pytest.mark.parametrize(
    ("group_name", "members", "is_trusted"),
    [("me", [], True), ("me", ["me"], True), ("me", ["you"], False), ("staff", [], False)],
)
def test_a_group_is_trusted_if_it_is_the_users_alone(
    folder: Path,
    group: int,
    monkeypatch: pytest.MonkeyPatch,
    group_name: str,
    members: list[str],
    is_trusted: bool,
) -> None:
    user = pwd.struct_passwd(("me", "x", os.geteuid(), group, "", "/", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: user)
    entry = grp.struct_group((group_name, "x", group, members))
    monkeypatch.setattr(grp, "getgrgid", lambda _: entry)
    assert (why_mistrusted(folder) is None) == is_trusted


@pytest.mark.usefixtures("group")
def test_a_group_that_nobody_knows_is_not_trusted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(number: int) -> grp.struct_group:
        raise KeyError(number)

    monkeypatch.setattr(grp, "getgrgid", unknown)
    assert why_mistrusted(folder) is not None


def test_the_group_of_root_is_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o770)
    monkeypatch.setattr("nymproxy._mistrust._ROOT", folder.stat().st_gid)
    if folder.stat().st_uid == os.geteuid():
        assert why_mistrusted(folder) is None
