"""What others start for us: completion by shells, and the hook of pre-commit."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from nymproxy_migrate.cli import main

ROOT = Path(__file__).resolve().parents[2]


def completed(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Ask for completions as the function does that bash runs."""
    monkeypatch.setenv("_NYMPROXY_MIGRATE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["nymproxy-migrate", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ro"], {"rollback"}),
        (["rewrite", "--to", ""], {"auto", "legacy", "stream"}),
        (["scan", "--doc"], {"--docs"}),
    ],
)
def test_completion(
    words: list[str],
    expected: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    completed(monkeypatch, *words)
    assert set(capsys.readouterr().out.split()) == expected


def test_every_subcommand_is_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    completed(monkeypatch, "")
    names = {"scan", "plan", "rewrite", "rollback", "explain", "doctor", "schema"}
    assert names <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_shown(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_NYMPROXY_MIGRATE_COMPLETE", f"source_{shell}")
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    script = capsys.readouterr().out
    assert "nymproxy-migrate" in script
    assert "_NYMPROXY_MIGRATE_COMPLETE" in script
    if shell == "bash":
        done = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
        assert done.returncode == 0


def test_the_flags_of_completion_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "--install-completion" in out
    assert "--show-completion" in out


@pytest.fixture
def hook() -> dict[str, Any]:
    hooks = YAML(typ="safe", pure=True).load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (found,) = hooks
    assert isinstance(found, dict)
    return found


def test_the_hook_has_the_fields_of_pre_commit(hook: dict[str, Any]) -> None:
    for field in ("id", "name", "entry", "language", "description"):
        assert isinstance(hook[field], str)
    assert hook["language"] == "python"
    assert hook["types"] == ["text"]
    assert hook["pass_filenames"] is True
    assert hook["require_serial"] is True
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for dependency in hook["additional_dependencies"]:
        extra = dependency.removeprefix(".[").removesuffix("]")
        assert extra in project["optional-dependencies"]


def test_the_hook_does_its_work(
    hook: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, *arguments = shlex.split(hook["entry"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"][program] == "nymproxy_migrate.cli:main"
    (tmp_path / "old.sh").write_text("nym-proxy-client -s A\n")
    (tmp_path / "other.sh").write_text("ls\n")
    (tmp_path / "not-staged.sh").write_text("nym-proxy-client -s A\n")
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "other.sh", "old.sh"]) == 1
    out = capsys.readouterr().out
    assert "old.sh:1:1: NYM001" in out
    assert "not-staged" not in out
    assert main([*arguments, "other.sh"]) == 0
    assert (tmp_path / "old.sh").read_text() == "nym-proxy-client -s A\n"
