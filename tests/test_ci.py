"""Which Pythons ``.ci/run`` takes."""

from __future__ import annotations

import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHONS: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "pythons.py"))


def test_the_listed_versions_begin_with_the_required_one() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    oldest = min(PYTHONS["supported"](text))
    assert tomllib.loads(text)["project"]["requires-python"] == ">={}.{}".format(*oldest)


def script(folder: Path, name: str, answer: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return path


def test_only_what_answers_with_a_listed_version_counts(tmp_path: Path) -> None:
    pythons = [
        script(tmp_path, "python3.8", "echo 3 8 /old"),
        script(tmp_path, "python3.12", "echo 3 12 /a path/first"),
        script(tmp_path, "python3", "echo 3 12 /second"),
        script(tmp_path, "python3.13", "exit 127"),  # as a pyenv shim of a version that is not on
        script(tmp_path, "python3-config", "echo 3 11 /config"),
        tmp_path / "python3.14",  # not there at all
    ]
    wanted = {(3, minor) for minor in (11, 12, 13, 14)}
    assert PYTHONS["usable"](pythons, wanted) == {(3, 12): "/a path/first"}


def test_the_one_that_runs_the_tests_is_among_them() -> None:
    found = PYTHONS["usable"]([Path(sys.executable).with_name("python3")], {sys.version_info[:2]})
    assert set(found) == {sys.version_info[:2]}


@pytest.mark.parametrize(("arguments", "minors"), [([], (11, 13)), (["--all"], (11, 12, 13))])
def test_those_between_are_printed_where_they_are_asked_for(
    arguments: list[str],
    minors: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    found = [script(tmp_path, f"python3.{minor}", f"echo 3 {minor} /{minor}") for minor in minors]
    found += [script(tmp_path, "python3.12", "echo 3 12 /12")]
    monkeypatch.setitem(PYTHONS["main"].__globals__, "candidates", lambda: found)
    monkeypatch.setattr(sys, "argv", ["pythons.py", *arguments])
    assert PYTHONS["main"]() == 0
    assert capsys.readouterr().out == "".join(f"/{minor}\n" for minor in minors)


def test_none_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PYTHONS["main"].__globals__, "candidates", list)
    assert PYTHONS["main"]() == 1
    assert "no Python of 3.11" in capsys.readouterr().err
