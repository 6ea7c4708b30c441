"""D 13: a tree of somebody else cannot make ``rewrite --write`` or ``rollback`` write elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.apply import apply
from nymproxy_migrate.changes import change
from nymproxy_migrate.cli import main
from nymproxy_migrate.durable import DurableFiles
from nymproxy_migrate.model import Edit, Span
from nymproxy_migrate.refused import Refused
from tests.attack.hostile_trees import HOSTILE
from tests.migrate.corpus_cases import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attack.figures import AttackFigures

ROOT = Path(__file__).resolve().parents[2]
OLD = b"nym-proxy-client -s A\n"
NEW = b"nymproxy client -s A\n"
RACES = 60


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a.sh").write_bytes(OLD)
    (folder / "lock").write_bytes(b"precious\n")
    return folder


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a.sh").write_bytes(OLD)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(root)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("link", ["lock", "runs", ".gitignore", "."])
def test_links_in_place_of_the_state(tree: Path, outside: Path, link: str) -> None:
    before = contents(outside)
    state = tree / ".nymproxy-migrate"
    if link == ".":
        state.symlink_to(outside)
    else:
        state.mkdir()
        (state / link).symlink_to(outside / ("new" if link == ".gitignore" else link))
    assert main(["rewrite", "--write"]) == 0
    assert (tree / "a.sh").read_bytes() == NEW
    assert contents(outside) == before
    assert main(["rollback"]) == 0
    assert (tree / "a.sh").read_bytes() == OLD
    assert contents(outside) == before


def ship_a_journal(state: Path, root: Path, path: str, data: bytes) -> None:
    """Record in a state folder a run that never was, as an earlier version would have."""
    run = state / "runs" / "20260101T000000-000000000-0000"
    run.mkdir(parents=True)
    entry = {
        "path": path,
        "mode": 0o644,
        "before": sha256(data).hexdigest(),
        "after": sha256((root / path).read_bytes()).hexdigest(),
    }
    record = {"schema_version": 1, "run": run.name, "root": str(root), "files": [entry]}
    (run / "original-0").write_bytes(data)
    (run / "run.json").write_text(json.dumps(record))


def test_a_shipped_journal_is_not_trusted(
    tree: Path, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / ".git").mkdir()
    (tree / ".git/config").write_bytes(b"[core]\n")
    ship_a_journal(tree / ".nymproxy-migrate", tree, ".git/config", b"[core]\nfsmonitor = evil\n")
    assert main(["rollback"]) == 2
    assert (tree / ".git/config").read_bytes() == b"[core]\n"
    assert "neither read nor changed" in capsys.readouterr().err


def test_settings_of_the_tree_do_not_move_the_state(tree: Path, outside: Path) -> None:
    ship_a_journal(tree / "shipped", outside, "a.sh", b"evil\n")
    (tree / "nymproxy-migrate.toml").write_text('state-dir = "shipped"\n')
    assert main(["rollback"]) == 2
    assert main(["rewrite", "--write"]) == 2
    assert contents(outside)["a.sh"] == OLD
    assert (tree / "a.sh").read_bytes() == OLD


def test_no_state_in_the_tree_even_by_a_flag(tree: Path) -> None:
    """A key that came with the tree would authenticate records that came with it."""
    assert main(["rewrite", "--write", "--state-dir", str(tree / "state")]) == 2
    assert main(["rewrite", "--write", "--state-dir", "./sub/../state"]) == 2
    assert (tree / "a.sh").read_bytes() == OLD


@pytest.mark.parametrize("spoil", ["record", "key", "another tree"])
def test_records_that_this_user_did_not_make(tree: Path, tmp_path: Path, spoil: str) -> None:
    assert main(["rewrite", "--write"]) == 0
    state = tmp_path / "state/nymproxy-migrate"
    (record,) = state.glob("trees/*/runs/*/record")
    if spoil == "record":
        record.write_bytes(record.read_bytes().replace(b"a.sh", b"b.sh"))
    elif spoil == "key":
        (state / "key").write_bytes(bytes(32))
    else:
        other = tmp_path / "other"
        other.mkdir()
        (other / "a.sh").write_bytes(NEW)
        ours = sha256(os.fsencode(tree)).hexdigest()[:32]
        theirs = sha256(os.fsencode(other)).hexdigest()[:32]
        (state / "trees" / ours).rename(state / "trees" / theirs)
        tree = other
    assert main(["rollback", "--root", str(tree)]) == 2
    assert (tree / "a.sh").read_bytes() == NEW


def test_a_state_that_others_can_write_is_refused(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state/nymproxy-migrate"
    state.mkdir(parents=True)
    state.chmod(0o777)
    assert main(["rewrite", "--write"]) == 2
    assert f"chmod go-w '{state}'" in capsys.readouterr().err
    state.chmod(0o700)
    assert main(["rewrite", "--write"]) == 0
    (state / "key").chmod(0o644)
    assert main(["rollback"]) == 2


def plan_for(root: Path, path: str) -> str:
    data = (root / path).read_bytes()
    after = b"evil" + data[4:]
    edit = {"start": 0, "end": 4, "original": data[:4].decode(), "replacement": "evil"}
    file = {
        "path": path,
        "sha256": sha256(data).hexdigest(),
        "result_sha256": sha256(after).hexdigest(),
        "edits": [edit],
    }
    return json.dumps({"schema_version": 1, "root": str(root), "files": [file]})


@pytest.mark.parametrize("path", [".git/config", ".GIT/config", "sub/.git/config", ".hg/hgrc"])
@pytest.mark.parametrize("root", [".", "inside"])
def test_a_plan_does_not_write_version_control(tree: Path, path: str, root: str) -> None:
    target = tree / path
    target.parent.mkdir(parents=True)
    target.write_bytes(b"[core]\n")
    (tree / "plan.json").write_text(
        plan_for(tree, path) if root == "." else plan_for(target.parent, target.name)
    )
    assert main(["rewrite", "--plan", "plan.json"]) == 2
    assert target.read_bytes() == b"[core]\n"


def test_a_plan_does_not_choose_another_tree(tree: Path, outside: Path) -> None:
    (tree / "plan.json").write_text(plan_for(outside, "a.sh"))
    assert main(["rewrite", "--plan", "plan.json"]) == 2
    assert contents(outside)["a.sh"] == OLD


@contextmanager
def racing(sub: Path, outside: Path) -> Iterator[None]:
    """Put a link in the place of a folder and take it away again, all the time."""
    done = threading.Event()
    aside = sub.with_name("aside")

    def race() -> None:
        while not done.is_set():
            sub.rename(aside)
            sub.symlink_to(outside)
            sub.unlink()
            aside.rename(sub)

    thread = threading.Thread(target=race)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Swapping(DurableFiles):
    """Puts a link in the place of a folder once everything has been checked."""

    def __init__(self, sub: Path, outside: Path) -> None:
        self._sub = sub
        self._outside = outside

    def make_folder(self, path: Path) -> None:
        super().make_folder(path)
        if path.parent.name == "runs":
            self._sub.rename(self._sub.with_name("aside"))
            self._sub.symlink_to(self._outside)


def test_a_folder_that_becomes_a_link_after_the_check(tree: Path, outside: Path) -> None:
    sub = tree / "sub"
    sub.mkdir()
    (sub / "a.sh").write_bytes(OLD)
    before = contents(outside)
    wanted = [change("sub/a.sh", OLD, [Edit(Span(0, 3), b"new")])]
    with pytest.raises(Refused):
        apply(tree, wanted, tree.with_name("state"), Swapping(sub, outside))
    assert contents(outside) == before
    assert contents(tree)["aside/a.sh"] == OLD


def test_a_link_race_never_hits_a_file_outside(
    tree: Path, outside: Path, attack_figures: AttackFigures, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before, 113 of 1,000 tries wrote to the file outside."""
    before = contents(outside)
    sub = tree / "sub"
    sub.mkdir()
    (tree / "a.sh").unlink()
    written = 0
    with racing(sub, outside), attack_figures.attack(f"{RACES} rewrites in a race of links"):
        for _ in range(RACES):
            _put(sub, OLD)
            main(["rewrite", "--write", str(tree)])
            written += main(["rollback"]) == 0
            assert contents(outside) == before
    attack_figures.notes["undone meanwhile"] = f"{written} of {RACES}"


def _put(sub: Path, data: bytes) -> None:
    """Write the file where the folder is now, be it here or aside, but not through the link."""
    for folder in (sub, sub.with_name("aside")) * 1000:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with open(os.open("a.sh", flags, 0o644, dir_fd=descriptor), "wb") as file:
            file.write(data)
        os.close(descriptor)
        return


# What is opened for writing, as the interpreter sees it.

_AUDIT = """
import os, sys

allowed = tuple(os.environ["AUDIT_ALLOWED"].split(":"))
log = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND)
folder_of_open = []
real_open = os.open

def recording_open(path, flags, mode=0o777, *, dir_fd=None):
    folder_of_open.append(dir_fd)
    try:
        return real_open(path, flags, mode, dir_fd=dir_fd)
    finally:
        folder_of_open.pop()

os.open = recording_open

def place(path, folder=None):
    if isinstance(path, int):
        return None
    folder = os.readlink(f"/proc/self/fd/{folder}") if folder not in (None, -1) else os.getcwd()
    path = os.path.join(folder, os.fsdecode(path))
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))

def places(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            yield place(path, folder_of_open[-1] if folder_of_open else None)
    elif event in ("os.rename", "os.link"):
        source, target, source_folder, target_folder = arguments
        yield place(source, source_folder)
        yield place(target, target_folder)
    elif event in ("os.remove", "os.rmdir"):
        yield place(*arguments)
    elif event in ("os.mkdir", "os.chmod"):
        yield place(arguments[0], arguments[2])
    elif event == "os.chown":
        yield place(arguments[0], arguments[3])
    elif event in ("os.truncate", "os.symlink"):
        yield place(arguments[0])

def check(event, arguments):
    for each in places(event, arguments):
        if each not in (None, os.devnull) and not (each + "/").startswith(allowed):
            os.write(log, f"{os.getpid()} {event} {each}\\n".encode())

sys.addaudithook(check)
os.write(log, b"begins\\n")
"""
_COMMANDS = """
import os, sys
from nymproxy_migrate.cli import main
for folder in sys.argv[1:]:
    os.chdir(folder)
    for arguments in (["scan"], ["rewrite"], ["rewrite", "--write"], ["rollback"]):
        sys.stderr.write(f"{arguments} {main(arguments)}\\n")
"""


def audited(tmp_path: Path, *trees: Path) -> str:
    """Scan each tree, rewrite it and roll it back; return what was said.

    Nothing outside of them, of the state and of a folder for copies, which are gone at the end, may
    be opened for writing, moved, removed or changed.
    """
    modules, log = tmp_path / "modules", tmp_path / "log"
    modules.mkdir()
    (modules / "sitecustomize.py").write_text(_AUDIT)
    log.write_text("")
    copies = tmp_path / "copies"  # of databases, which are read under another name
    copies.mkdir()
    allowed = [*trees, tmp_path / "state", copies]
    if "COVERAGE_PROCESS_CONFIG" in os.environ:  # what measures the processes keeps its data
        allowed.append(ROOT / "build" / "coverage")
    done = subprocess.run(
        [sys.executable, "-P", "-B", "-c", _COMMANDS, *map(str, trees)],
        capture_output=True,
        text=True,
        errors="replace",  # a line of a file in another encoding
        check=False,
        env={
            **os.environ,
            "TMPDIR": str(copies),
            "PYTHONPATH": str(modules),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AUDIT_ALLOWED": ":".join(f"{folder}/" for folder in allowed),
            "AUDIT_LOG": str(log),
        },
    )
    lines = log.read_text().splitlines()
    assert lines.count("begins") >= 2, "the workers are not watched"
    assert [line for line in lines if line != "begins"] == []
    assert not list(copies.iterdir())
    return done.stderr


def test_nothing_outside_of_tree_and_state_is_opened_for_writing(
    tree: Path, outside: Path, tmp_path: Path
) -> None:
    (tree / ".nymproxy-migrate").symlink_to(outside)
    (tree / "sub").mkdir()
    (tree / "sub/b.sh").write_bytes(OLD)
    (tree / "link.sh").symlink_to(outside / "a.sh")
    (tree / "linked").symlink_to(outside)
    (tree / ".gitignore").symlink_to(outside / "lock")
    call = "import subprocess\nsubprocess.run(['nym-proxy-client', '-s', 'A'])\n"
    (tree / "x.py").write_text(call)
    said = audited(tmp_path, tree)
    # The link in place of .gitignore is left for a human.
    assert "['rewrite', '--write'] 1" in said, said
    assert "['rollback'] 0" in said


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", HOSTILE)
def test_nor_in_a_tree_that_is_made_to_stop_or_crash_us(
    tree: Path, tmp_path: Path, name: str
) -> None:
    HOSTILE[name](tree)
    said = audited(tmp_path, tree)
    subprocess.run(["rm", "-rf", str(tree)], check=True)  # Python's own way recurses
    assert "Traceback" not in said
    assert "['rollback'] 0" in said


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_nor_in_any_tree_of_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    trees = [tmp_path / "trees" / case.name / "tree" for case in load()]
    for case, tree in zip(load(), trees, strict=True):
        case.make(tree)
    said = audited(tmp_path, *trees)
    assert "Traceback" not in said
    assert said.count("['rollback'] 0") >= len(trees) // 2  # of the others nothing is rewritten
