"""Writing and undoing: killed at any point, nothing is lost; refusals leave files alone."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path

import pytest

from nymproxy_migrate.apply import apply
from nymproxy_migrate.changes import FileChange, change, changes_of
from nymproxy_migrate.cli import main
from nymproxy_migrate.durable import DurableFiles, Place
from nymproxy_migrate.model import Edit, Span
from nymproxy_migrate.refused import Refused
from nymproxy_migrate.rollback import roll_back
from nymproxy_migrate.scan import scan
from tests.migrate import dying
from tests.migrate.dying import roll_back_if_it_wrote, snapshot

CONTENT = {
    "a.sh": (b"nym-proxy-client -s A\r\n# \xe9\r\n", 0o755),
    "deep/b.sh": (b"exec nym-proxy-client -s A", 0o640),
    "deep/c.sh": (b"nym-proxy-server -u [::1]:22 -c /x\n", 0o600),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for path, (data, mode) in CONTENT.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        (root / path).chmod(mode)
    return root


def changes(root: Path) -> list[FileChange]:
    return [
        change(path, (root / path).read_bytes(), [Edit(Span(0, 3), b"new")]) for path in CONTENT
    ]


def test_write_and_roll_back(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(tree)
    main(["rewrite", "--write", str(tree)])
    after = snapshot(tree)
    assert after["a.sh"] == (b"nymproxy client -s A\r\n# \xe9\r\n", 0o755)
    assert {path: mode for path, (_, mode) in after.items()} == {
        path: mode for path, (_, mode) in before.items()
    }
    assert changes_of(scan([tree])) == []
    assert main(["rollback", "--root", str(tree)]) == 0
    assert snapshot(tree) == before
    assert main(["rollback", "--root", str(tree)]) == 2
    assert "no run to roll back" in capsys.readouterr().err


def test_a_state_folder_elsewhere(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    state = tmp_path / "state"
    main(["rewrite", "--write", str(tree), "--state-dir", str(state)])
    assert snapshot(tree) != before
    assert main(["rollback", "--root", str(tree), "--state-dir", str(state)]) == 0
    assert snapshot(tree) == before


def test_two_runs_are_undone_one_after_the_other(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    first = apply(tree, changes(tree), tmp_path / "state")
    between = snapshot(tree)
    apply(tree, [change("a.sh", between["a.sh"][0], [Edit(Span(0, 0), b"#")])], tmp_path / "state")
    with pytest.raises(Refused, match=r"nothing is restored: a\.sh: it has been changed") as it:
        roll_back(tree, first.name, base=tmp_path / "state")
    assert f"give --keep FILE for each; the originals are in {first.folder}" in str(it.value)
    assert (first.folder / "original-0").is_file()
    roll_back(tree, base=tmp_path / "state")
    assert snapshot(tree) == between
    assert roll_back(tree, base=tmp_path / "state")[0] == first
    assert snapshot(tree) == before
    with pytest.raises(Refused, match="already"):
        roll_back(tree, first.name, base=tmp_path / "state")


def test_a_write_that_dies_anywhere_can_be_rolled_back(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    for point in count():
        state = tmp_path / f"state-{point}"
        try:
            apply(tree, changes(tree), state, dying.DyingFiles(point, dying.fail))
        except dying.Died:
            roll_back_if_it_wrote(tree, state)
            assert snapshot(tree) == before, point
        else:
            break
    assert point > 3 * len(CONTENT)


def test_a_rollback_that_dies_anywhere_can_be_repeated(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    for point in count():
        state = tmp_path / f"state-{point}"
        apply(tree, changes(tree), state)
        try:
            roll_back(tree, base=state, files=dying.DyingFiles(point, dying.fail))
        except dying.Died:
            roll_back_if_it_wrote(tree, state)
            assert snapshot(tree) == before, point
        else:
            break
    assert snapshot(tree) == before
    assert point > 2 * len(CONTENT)


def test_a_write_that_died_anywhere_can_be_resumed(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    changes = changes_of(scan([tree]))
    wanted = {each.path: (each.after, before[each.path][1]) for each in changes}
    for point in count():
        state = tmp_path / f"state-{point}"
        try:
            apply(tree, changes, state, dying.DyingFiles(point, dying.fail))
        except dying.Died:
            apply(tree, changes_of(scan([tree])), state)
        else:
            break
        assert snapshot(tree) == wanted, point
        dying.roll_back_all(tree, state)
        assert snapshot(tree) == before, point
    assert point > 3 * len(CONTENT)


def test_a_disk_that_is_full_at_any_point(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    for point in count():
        state = tmp_path / f"state-{point}"
        reason = dying.refusal_at(point, tree, changes(tree), state)
        if not reason:
            break
        wrote = dying.records(state)
        assert reason.startswith("stopped after" if wrote else "nothing is written"), point
        assert "No space left" in reason
        assert wrote or not list(state.glob("trees/*/runs/*")), point
        roll_back_if_it_wrote(tree, state)
        assert snapshot(tree) == before, point
    assert point > 3 * len(CONTENT)


def test_a_disk_that_is_full_while_undoing(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    for point in count():
        state = tmp_path / f"state-{point}"
        apply(tree, changes(tree), state)
        try:
            roll_back(tree, base=state, files=dying.DyingFiles(point, dying.fill))
        except OSError:
            if not dying.undone(state):
                roll_back(tree, base=state)
        else:
            break
        assert snapshot(tree) == before, point
    assert point > 2 * len(CONTENT)


def test_a_full_disk_names_the_run_to_undo(tree: Path, tmp_path: Path) -> None:
    class Full(DurableFiles):
        def create(
            self, place: Place, data: bytes, mode: int, owner: tuple[int, int] | None
        ) -> None:
            if place.name.endswith("-1.tmp"):
                raise OSError(28, "No space left on device")
            super().create(place, data, mode, owner)

    before = snapshot(tree)
    with pytest.raises(Refused, match=r"after 1 of 3 files: No space left.*rollback 2"):
        apply(tree, changes(tree), tmp_path / "state", Full())
    roll_back(tree, base=tmp_path / "state")
    assert snapshot(tree) == before


def test_an_editor_that_saves_meanwhile_wins(tree: Path, tmp_path: Path) -> None:
    class Editor(DurableFiles):
        def create(
            self, place: Place, data: bytes, mode: int, owner: tuple[int, int] | None
        ) -> None:
            super().create(place, data, mode, owner)
            if place.name.endswith("-0.tmp"):
                (tree / "a.sh").write_bytes(b"mine\n")

    with pytest.raises(Refused, match="somebody else has just changed it"):
        apply(tree, changes(tree), tmp_path / "state", Editor())
    assert snapshot(tree) == {**CONTENT, "a.sh": (b"mine\n", 0o755)}


def read_only(tree: Path) -> None:
    (tree / "deep/b.sh").chmod(0o444)


def symlink(tree: Path) -> None:
    (tree / "deep/b.sh").rename(tree / "deep/x.sh")
    (tree / "deep/b.sh").symlink_to("x.sh")


def symlinked_folder(tree: Path) -> None:
    (tree / "deep").rename(tree / "other")
    (tree / "deep").symlink_to("other")


def hard_link(tree: Path) -> None:
    os.link(tree / "deep/b.sh", tree / "x.sh")


def changed(tree: Path) -> None:
    (tree / "deep/b.sh").write_bytes(b"else")


def gone(tree: Path) -> None:
    (tree / "deep/b.sh").unlink()


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (read_only, "read-only"),
        (symlink, "symbolic link"),
        (symlinked_folder, "symbolic link"),
        (hard_link, "hard links"),
        (changed, "has changed"),
        (gone, "No such file"),
    ],
)
def test_refusals_leave_everything_as_it_is(
    tree: Path, tmp_path: Path, happens: object, reason: str
) -> None:
    wanted = changes(tree)
    assert callable(happens)
    happens(tree)
    before = snapshot(tree)
    with pytest.raises(Refused, match=f"nothing is written: deep/b.sh: .*{reason}"):
        apply(tree, wanted, tmp_path / "state")
    assert snapshot(tree) == before
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("path", ["../x.sh", "/etc/passwd"])
def test_nothing_outside_of_the_tree_is_written(tree: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(Refused, match="outside of the tree"):
        apply(tree, [FileChange(path, b"", (), b"x")], tmp_path / "state")


def test_a_damaged_journal_is_refused(tree: Path, tmp_path: Path) -> None:
    run = apply(tree, changes(tree), tmp_path / "state")
    after = snapshot(tree)
    (run.folder / "original-1").write_bytes(b"")
    with pytest.raises(Refused, match="saved original 1"):
        roll_back(tree, base=tmp_path / "state")
    (run.folder / "record").write_text("{}")
    with pytest.raises(Refused, match="not made by this user"):
        roll_back(tree, base=tmp_path / "state")
    assert snapshot(tree) == after


def test_overlapping_edits_are_refused() -> None:
    with pytest.raises(Refused, match="overlap"):
        change("a", b"abc", [Edit(Span(0, 2), b""), Edit(Span(1, 3), b"")])


def test_one_file_blocks_itself_only(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tree.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    before = snapshot(tree)
    read_only(tree)
    assert main(["rewrite", "--write", "--strict", str(tree)]) == 2
    assert "nothing is written: deep/b.sh: it is read-only" in capsys.readouterr().err
    assert main(["rewrite", "--write", str(tree)]) == 1
    told = capsys.readouterr().err
    assert "NYM094 it is not rewritten: it is read-only" in told
    assert "../tree/deep/b.sh:1:6: NYM094" in told
    after = snapshot(tree)
    assert {path for path in before if after[path][0] != before[path][0]} == {"a.sh", "deep/c.sh"}
    assert main(["rollback", "--root", str(tree)]) == 0
    assert {path: data for path, (data, _) in snapshot(tree).items()} == {
        path: data for path, (data, _) in before.items()
    }


def test_a_plan_leaves_out_what_cannot_be_written(tree: Path, tmp_path: Path) -> None:
    read_only(tree)
    output = tmp_path / "plan.json"
    assert main(["plan", "-o", str(output), str(tree)]) == 1
    found = json.loads(output.read_text())
    assert {each["path"] for each in found["files"]} == {"a.sh", "deep/c.sh"}
    assert "NYM094" in {each["code"] for each in found["left_for_a_human"]}


def test_a_file_that_was_changed_can_be_kept(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(tree)
    main(["rewrite", "--write", str(tree)])
    (tree / "a.sh").write_bytes(b"mine\n")
    assert main(["rollback", "--root", str(tree)]) == 2
    assert main(["rollback", "--root", str(tree), "--keep", "no.sh"]) == 2
    capsys.readouterr()
    assert main(["rollback", "--root", str(tree), "--list"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    name, originals = line.partition(":")[0], Path(line.partition("originals in ")[2])
    assert line.startswith(f"{name}: 3 files; ")
    assert (originals / "original-0").read_bytes() == before["a.sh"][0]
    assert main(["rollback", "--root", str(tree), "--keep", "./a.sh"]) == 0
    assert snapshot(tree) == {**before, "a.sh": (b"mine\n", 0o755)}
    main(["rollback", "--root", str(tree), "--list"])
    assert "rolled back" in capsys.readouterr().out


def test_paths_are_those_of_where_one_stands(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree)
    for form in ("text", "github"):
        main(["scan", "deep", "--format", form])
        assert "deep/b.sh" in capsys.readouterr().out
    main(["rewrite", "deep"])
    assert "+++ b/deep/b.sh" in capsys.readouterr().out
    assert main(["rewrite", "--write", "deep"]) == 0
    assert main(["rollback"]) == 0
