"""A rewrite over 200 files, killed at any operation on the disk, can be undone and resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = 200
# Folder, ignore file, key (half, whole, and its first name gone), folder of the tree and of the
# run; each original and the record, half and whole; the record in its place; each new file, half
# and whole, and in its place.
POINTS = 1 + 2 + 3 + 2 + 2 * FILES + 2 + 1 + 3 * FILES
EVERY = f"0:{POINTS + 1}:1"
ENDS = ("0:25:1", f"{POINTS - 15}:{POINTS + 1}:1")


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder in memory, where there is one: the disk is not what is tested."""
    import tempfile

    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(
        dir=memory if usable else tmp_path_factory.mktemp("points")
    ) as folder:
        yield Path(folder)


def make_tree(root: Path) -> None:
    for index in range(FILES):
        path = root / f"part-{index % 20}" / f"start-{index}.sh"
        path.parent.mkdir(parents=True, exist_ok=True)
        end = "\r\n" if index % 7 == 0 else "\n"
        lines = ["#!/bin/sh", f"# caf\xe9 {index}", f"exec nym-proxy-client -s A{index}", ""]
        path.write_bytes(end.join(lines).encode("latin-1"))
        path.chmod((0o755, 0o640, 0o600)[index % 3])


def walk(place: Path, how: str, *points: str) -> dict[str, int]:
    make_tree(place / "tree")
    arguments = [str(place / "tree"), str(place / "state"), how, *points]
    done = subprocess.run(
        [sys.executable, "-m", "tests.migrate.dying", *arguments],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr.decode()
    seen: dict[str, int] = json.loads(done.stdout)
    assert seen["files"] == FILES
    assert seen["damaged"] > 0
    return seen


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_killed_at_the_first_the_last_and_many_other_points(place: Path) -> None:
    seen = walk(place, "kill", *ENDS, f"25:{POINTS - 15}:101")
    assert seen["last"] == POINTS - 1
    assert seen["points"] >= 50


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", ["fill", "resume"])
def test_a_full_disk_and_resuming(place: Path, how: str) -> None:
    seen = walk(place, how, f"3:{POINTS}:151", f"{POINTS - 2}:{POINTS + 1}:1")
    assert seen["last"] == POINTS - 1


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["kill", "fill", "resume"])
def test_every_point(place: Path, how: str) -> None:
    assert walk(place, how, EVERY)["points"] == POINTS
