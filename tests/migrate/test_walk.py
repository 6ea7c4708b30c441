"""Which files are read: ignored, vendored, linked and binary ones are not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate import walk
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.reading import Exclusion, Unreadable
from nymproxy_migrate.walk import GivenUp, Visit, common_root, sources, visit
from nymproxy_migrate.workers import limits
from tests.migrate.workers import jobs

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1000
OPTIONS = ScanOptions(size_limit=LIMIT)


def _write(root: Path, *names: str, data: bytes = b"x\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _names(root: Path, *paths: Path) -> list[str]:
    return list(sources(paths or (root,), root, OPTIONS).results)


def test_order_is_stable_and_each_file_comes_once(tmp_path: Path) -> None:
    _write(tmp_path, "b.sh", "a/c.sh", "a.sh")
    assert _names(tmp_path, tmp_path, tmp_path / "a", tmp_path / "b.sh") == [
        "a/c.sh",
        "a.sh",
        "b.sh",
    ]


def test_ignored_files_and_nested_rules(tmp_path: Path) -> None:
    _write(tmp_path, "keep.sh", "x.log", "sub/x.log", "sub/y.sh", "out/a.sh", "sub/out/a.sh")
    (tmp_path / ".gitignore").write_text("*.log\n/out/\n")
    (tmp_path / "sub/.gitignore").write_text("!x.log\ny.sh\n")
    assert _names(tmp_path) == [
        ".gitignore",
        "keep.sh",
        "sub/.gitignore",
        "sub/out/a.sh",
        "sub/x.log",
    ]
    assert _names(tmp_path, tmp_path / "x.log") == ["x.log"]  # named, so read


def test_rules_of_the_repository_above_count(tmp_path: Path) -> None:
    _write(tmp_path, "sub/a.sh", "sub/b.log")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert _names(tmp_path, tmp_path / "sub") == ["sub/a.sh"]


@pytest.mark.parametrize("folder", ["node_modules", ".git", "vendor", ".venv", ".nymproxy-migrate"])
def test_vendored_trees(tmp_path: Path, folder: str) -> None:
    _write(tmp_path, f"{folder}/a.sh", f"sub/{folder}/b.sh", "c.sh")
    assert _names(tmp_path) == ["c.sh"]


def test_cargo_targets_but_not_any_target(tmp_path: Path) -> None:
    _write(tmp_path, "target/a.sh", "sub/target/CACHEDIR.TAG", "sub/target/b.sh")
    assert _names(tmp_path) == ["target/a.sh"]


def test_links_are_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    _write(outside, "a.sh")
    _write(root, "b.sh")
    (root / "in.sh").symlink_to(root / "b.sh")
    (root / "out.sh").symlink_to(outside / "a.sh")
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to(root)
    assert _names(root) == ["b.sh"]
    named = sources([root / "out.sh"], root, OPTIONS)
    assert named.unreadable == [Unreadable("out.sh", "it is a link out of the tree")]


def test_binaries_pipes_and_large_files(tmp_path: Path) -> None:
    _write(tmp_path, "bin", data=b"nym-proxy-client\0")
    _write(tmp_path, "large.sh", data=b"x" * (LIMIT + 1))
    _write(tmp_path, "large.bin", data=b"\0" * (LIMIT + 1))
    os.mkfifo(tmp_path / "pipe")
    found = sources([tmp_path], tmp_path, OPTIONS)
    assert found.unreadable == [Unreadable("large.sh", f"larger than {LIMIT} bytes", True)]
    assert found.results == {}
    assert sources([tmp_path / "pipe"], tmp_path, OPTIONS) == Visit()


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_unreadable_files_are_said(tmp_path: Path) -> None:
    _write(tmp_path, "a.sh")
    (tmp_path / "a.sh").chmod(0)
    found = sources([tmp_path], tmp_path, OPTIONS)
    assert found.unreadable == [Unreadable("a.sh", "Permission denied")]


def test_missing_files_are_said(tmp_path: Path) -> None:
    found = sources([tmp_path / "no.sh"], tmp_path, OPTIONS)
    assert found.unreadable == [Unreadable("no.sh", "No such file or directory")]


def test_mode_and_root(tmp_path: Path) -> None:
    _write(tmp_path, "a/x.sh", "b/y.sh")
    (tmp_path / "a/x.sh").chmod(0o755)
    first, second = sources([tmp_path], tmp_path, OPTIONS).results.values()
    assert (first.executable, second.executable) == (True, False)
    assert common_root([tmp_path / "a/x.sh", tmp_path / "b"]) == tmp_path


def _without(root: Path, here: Path, *patterns: str, paths: tuple[Path, ...] = ()) -> Visit[object]:
    options = ScanOptions(exclude=Exclusion(os.path.realpath(here), patterns))
    return visit(paths or (root,), root, str, options)


def test_patterns_are_read_from_where_one_stands(tmp_path: Path) -> None:
    _write(tmp_path, "a.sh", "old/a.sh", "old/deep/b.sh", "new/old/a.sh", "new/b.log")
    assert list(_without(tmp_path, tmp_path, "/old/").results) == [
        "a.sh",
        "new/b.log",
        "new/old/a.sh",
    ]
    found = _without(tmp_path, tmp_path, "old/", "*.log", "!/old/")
    assert list(found.results) == ["a.sh", "old/a.sh", "old/deep/b.sh"]
    assert found.left_out == 2
    inside = _without(tmp_path, tmp_path / "new", "/old/")
    assert "new/old/a.sh" not in inside.results
    assert "old/a.sh" in inside.results
    named = _without(tmp_path, tmp_path, "*.log", paths=(tmp_path / "new/b.log",))
    assert (named.results, named.left_out) == ({}, 1)
    with pytest.raises(ValueError, match="no patterns"):
        Exclusion("/", ("[z-a]",))


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("TOTAL_ENTRIES", 3, "more than 3 files and folders"),
        ("TOTAL_ANSWER_BYTES", 1 << 20, "takes more than 1 MiB"),
        ("", 0, "take more than 0 s"),
    ],
)
def test_what_all_files_together_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, reason: str
) -> None:
    """Each file that is left says so; what was read before counts."""
    names = [f"{number}.sh" for number in range(100)]
    _write(tmp_path, *names, data=b"x" * 40_000)
    if limit:
        monkeypatch.setattr(limits, limit, value)
    seconds = 3600.0 if limit else 0.0
    found = visit([tmp_path], tmp_path, str, ScanOptions(time_limit_seconds=seconds))
    assert all(reason in each.reason for each in found.unreadable)
    told = {each.path for each in found.unreadable}
    assert told
    assert sorted([*found.results, *told]) == sorted(names)
    if len(told) > 2:
        monkeypatch.setattr(walk, "_MOST_NAMED", 2)
        found = visit([tmp_path], tmp_path, str, ScanOptions(time_limit_seconds=0))
        rest = next(each.reason for each in found.unreadable if each.path == ".")
        assert rest.startswith("98 more files and folders are not, either")


def test_what_was_given_up_is_not_tried_again(tmp_path: Path) -> None:
    _write(tmp_path, "a.sh", "b.sh")
    given_up = GivenUp()
    first: Visit[str] = visit([tmp_path], tmp_path, jobs.crash, OPTIONS, given_up)
    second = visit([tmp_path], tmp_path, str, OPTIONS, given_up)
    assert [each.path for each in first.failed] == ["a.sh", "b.sh"]
    assert (second.failed, second.results, second.files_read) == (first.failed, {}, 2)


def test_an_error_of_a_parser_is_that_of_one_job(tmp_path: Path) -> None:
    _write(tmp_path, "a.sh")
    given_up = GivenUp()
    assert visit([tmp_path], tmp_path, jobs.fail, OPTIONS, given_up).failed
    assert list(visit([tmp_path], tmp_path, str, OPTIONS, given_up).results) == ["a.sh"]


def test_gitignore_files_that_were_given_up_are_told_by_each_visit(tmp_path: Path) -> None:
    _write(tmp_path, "sub/.gitignore", data=b"*.sh\n")
    _write(tmp_path, "sub/a.sh", "deep/a.sh")
    said = Unreadable(".", "what .gitignore files leave out here is searched: why")
    assert _names(tmp_path) == ["deep/a.sh", "sub/.gitignore"]
    given_up = GivenUp(rules={(): said})
    found = visit([tmp_path], tmp_path, str, OPTIONS, given_up)
    assert list(found.results) == ["deep/a.sh", "sub/.gitignore", "sub/a.sh"]
    assert found.unreadable == [said]


def test_a_folder_that_cannot_be_listed_is_told_by_each_visit(tmp_path: Path) -> None:
    _write(tmp_path, "deep/a.sh", "b.sh")
    why = Unreadable("deep", "why")
    given_up = GivenUp(folders={"deep": why}, rules={(): Unreadable(".", "rules")})
    found = visit([tmp_path], tmp_path, str, OPTIONS, given_up)
    assert list(found.results) == ["b.sh"]
    assert why in found.unreadable


def test_more_gitignore_files_than_those_that_were_given_up_take_no_less() -> None:
    given_up = GivenUp(rules={("/a",): Unreadable("a", "why")})
    distrusted = [("/a",), ("/a", "/a/b"), (), ("/b",), ("/b", "/a"), None]
    assert [given_up.distrusts(rules) for rules in distrusted] == [True] * 2 + [False] * 4
