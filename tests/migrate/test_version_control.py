"""Nothing is written to what a version control keeps, by whatever name a file system finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.apply import apply
from nymproxy_migrate.changes import FileChange
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.version_control import is_version_control

if TYPE_CHECKING:
    from pathlib import Path

IGNORED = [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]

TAKEN_FOR_GIT = [
    ".git",
    ".GiT",
    *(f".g{chr(each)}it" for each in IGNORED),
    "\u200c.\u200dg\ufeffI\u206ft\u200e",
    "git~1",
    "GIT~1",
    ".git.",
    ".git . .",
    "git~1 ",
    ".git::$INDEX_ALLOCATION",
    ".git:hidden",
]


@pytest.mark.parametrize("name", TAKEN_FOR_GIT, ids=ascii)
def test_names_that_git_refuses(name: str) -> None:
    assert is_version_control(name)


@pytest.mark.parametrize(
    "name", [".hg", ".SVN", ".b\u200fzr", "SVN~1", ".nymproxy-migrate", "NYMPRO~1", ".hg.", ".hg:x"]
)
def test_what_others_keep(name: str) -> None:
    assert is_version_control(name)


@pytest.mark.parametrize(
    "name",
    [
        *("git", ".gitignore", ".github", ".gitmodules", ".git-x", "x.git", "git~2", "..git"),
        # Seen, or not ignored by HFS+: the neighbours of what it ignores, and a word joiner.
        *(f".g{chr(each)}it" for each in (0x200B, 0x2010, 0x2029, 0x202F, 0x2060, 0x2070, 0xFEFE)),
        *("", ".", " ", ":", "\u200c"),
    ],
    ids=ascii,
)
def test_other_names(name: str) -> None:
    assert not is_version_control(name)


@pytest.mark.parametrize("folder", [".g\u200cit", "GIT~1", ".Git. ", ".svn"], ids=ascii)
def test_nothing_is_written_there(folder: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    hook = tree / folder / "hooks/pre-commit"
    hook.parent.mkdir(parents=True)
    hook.write_bytes(b"as it was")
    path = f"{folder}/hooks/pre-commit"
    with pytest.raises(Refused, match="nothing is written to"):
        apply(tree, [FileChange(path, b"as it was", (), b"x")], tmp_path / "state")
    inside = hook.parent
    with pytest.raises(Refused, match="nothing is written there"):
        apply(inside, [FileChange("pre-commit", b"as it was", (), b"x")], tmp_path / "state")
    assert hook.read_bytes() == b"as it was"
