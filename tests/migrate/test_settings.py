"""Settings: flag before environment before file; colour; quiet and verbose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.cli import main
from nymproxy_migrate.cli.shared import OUTPUT, Output, take
from nymproxy_migrate.report.style import PLAIN, style_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CLIENT = "nym-proxy-client -s A --client-pool-reserve 4\n"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("NYMPROXY_MIGRATE_") or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.sh").write_text(CLIENT)
    (tmp_path / "README.md").write_text("```sh\nnym-proxy-client -s A\n```\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, str]]:
    assert main([*arguments, "--show-settings"]) == 0
    found = {}
    for line in capsys.readouterr().out.splitlines():
        name, _, rest = line.partition(" = ")
        value, _, origin = rest.partition("  (")
        found[name.strip()] = (value, origin.removesuffix(")"))
    return found


def test_every_origin(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "pyproject.toml").write_text(
        '[tool.nymproxy-migrate]\nto = "stream"\ndocs = true\nquiet = true\n'
    )
    found = settings(capsys, "rewrite")
    assert found["to"] == ("stream", "file pyproject.toml")
    assert found["docs"] == ("true", "file pyproject.toml")
    assert found["quiet"] == ("true", "file pyproject.toml")
    assert found["write"] == ("false", "default")
    monkeypatch.setenv("NYMPROXY_MIGRATE_TO", "legacy")
    monkeypatch.setenv("NYMPROXY_MIGRATE_QUIET", "0")
    monkeypatch.setenv("NYMPROXY_MIGRATE_STATE_DIR", "elsewhere")
    found = settings(capsys, "rewrite")
    assert found["to"] == ("legacy", "environment NYMPROXY_MIGRATE_TO")
    assert found["quiet"] == ("false", "environment NYMPROXY_MIGRATE_QUIET")
    assert found["state-dir"] == ("elsewhere", "environment NYMPROXY_MIGRATE_STATE_DIR")
    found = settings(capsys, "rewrite", "--to", "stream", "-q")
    assert found["to"] == ("stream", "flag")
    assert found["quiet"] == ("true", "flag")


def test_settings_take_effect(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "nymproxy-migrate.toml").write_text('docs = true\n[scan]\nformat = "json"\n')
    assert main(["scan"]) == 1
    paths = {each["path"] for each in json.loads(capsys.readouterr().out)["findings"]}
    assert paths == {"README.md", "a.sh"}
    monkeypatch.setenv("NYMPROXY_MIGRATE_SCAN_FORMAT", "github")
    assert main(["scan"]) == 1
    assert capsys.readouterr().out.startswith("::")
    monkeypatch.setenv("NYMPROXY_MIGRATE_DOCS", "false")
    assert main(["scan", "--format", "text"]) == 1
    assert capsys.readouterr().out.startswith("a.sh:1:1: ")


def test_a_variable_of_one_subcommand(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NYMPROXY_MIGRATE_TO", "stream")
    monkeypatch.setenv("NYMPROXY_MIGRATE_REWRITE_TO", "legacy")
    monkeypatch.setenv("NYMPROXY_MIGRATE_FORMAT", "json")
    assert settings(capsys, "rewrite")["to"][1] == "environment NYMPROXY_MIGRATE_REWRITE_TO"
    assert settings(capsys, "plan", "-o", "x")["to"][1] == "environment NYMPROXY_MIGRATE_TO"
    assert settings(capsys, "scan")["format"] == ("text", "default")


def test_which_file_counts(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "pyproject.toml").write_text("[tool.nymproxy-migrate]\ndocs = true\n")
    (tree / "nymproxy-migrate.toml").write_text('to = "stream"\n')
    found = settings(capsys, "rewrite")
    assert found["docs"] == ("false", "default")
    assert found["to"][1] == "file nymproxy-migrate.toml"


def test_a_file_above_counts_within_the_repository(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "pyproject.toml").write_text("[tool.nymproxy-migrate]\ndocs = true\n")
    inside, outside = tree / "deep" / "er", tree / "other"
    inside.mkdir(parents=True)
    (outside / ".git").mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert settings(capsys, "scan")["docs"][0] == "true"
    monkeypatch.chdir(outside)
    assert settings(capsys, "scan")["docs"] == ("false", "default")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense = 1\n", "nonsense is no setting"),
        ("[scan]\nto = 'stream'\n", "to is no setting"),
        ("write = true\n", "write is said on the command line only"),
        ("[rewrite]\ndecide = 'NYM060=shared'\n", "decide is said on the command line only"),
        ("state-dir = 'runs'\n", "state-dir is said by a flag or a variable, not by a file"),
        ("format = 'json'\n", "format is set for one subcommand"),
        ("docs = [true]\n", "docs is no setting"),
        ("quiet = 'perhaps'\n", "a flag is true or false"),
        ("to = 'nowhere'\n[x]\n", "x is no setting"),
        ("not toml", "nymproxy-migrate.toml: "),
    ],
)
def test_wrong_files(
    tree: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "nymproxy-migrate.toml").write_text(text)
    assert main(["scan"]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert main(["--version"]) == 0


@pytest.mark.parametrize("text", ["[", "tool = 1\n# nymproxy-migrate\n", "\xff", "[tool.black]\n"])
def test_a_project_file_of_others_does_not_matter(tree: Path, text: str) -> None:
    (tree / "pyproject.toml").write_bytes(text.encode("latin-1"))
    (tree / "a.sh").write_text("ls\n")
    assert main(["scan", "a.sh"]) == 0


@pytest.mark.parametrize("text", ["[tool]\nnymproxy-migrate = 1\n", "[tool.nymproxy-migrate\n"])
def test_a_broken_table_of_ours_does(
    tree: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "pyproject.toml").write_text(text)
    assert main(["scan", "a.sh"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_wrong_value_of_a_setting_is_wrong_usage(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NYMPROXY_MIGRATE_TO", "nowhere")
    assert main(["rewrite"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_tree_cannot_make_the_tool_write(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NYMPROXY_MIGRATE_WRITE", "1")
    monkeypatch.setenv("NYMPROXY_MIGRATE_DECIDE", "NYM060=shared")
    assert main(["rewrite"]) == 1
    assert (tree / "a.sh").read_text() == CLIENT


def test_settings_and_a_plan_go_together(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "nymproxy-migrate.toml").write_text("docs = true\n")
    plan = tmp_path_factory.mktemp("plans") / "plan.json"
    main(["plan", "-o", str(plan)])
    assert json.loads(plan.read_text())["options"]["docs"] is True
    assert main(["rewrite", "--plan", str(plan)]) == 0
    assert "nymproxy client" in (tree / "a.sh").read_text()
    assert main(["rewrite", "--plan", str(plan), "--docs"]) == 2


def test_settings_need_a_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show-settings"]) == 2
    assert main(["--show-settings", "nonsense"]) == 2
    assert capsys.readouterr().out == ""


# How to talk.


def test_shared_flags_stand_anywhere() -> None:
    assert take(["-q", "scan", "--no-color", "x"]) == ({"quiet", "no-color"}, ["scan", "x"])
    assert take(["scan", "--", "-q"]) == (set(), ["scan", "--", "-q"])


@pytest.mark.parametrize(
    ("environ", "is_terminal", "no_color", "colour"),
    [
        ({}, True, False, True),
        ({}, False, False, False),
        ({}, True, True, False),
        ({"NO_COLOR": "1"}, True, False, False),
        ({"NO_COLOR": ""}, True, False, True),
        ({"FORCE_COLOR": "1"}, False, False, True),
        ({"FORCE_COLOR": "1"}, False, True, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False, False),
        ({"TERM": "dumb"}, True, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, False, True),
        ({"TERM": "xterm"}, True, False, True),
    ],
)
def test_when_there_is_colour(
    environ: Mapping[str, str], is_terminal: bool, no_color: bool, colour: bool
) -> None:
    style = style_for(is_terminal=is_terminal, environ=environ, no_color=no_color)
    assert style.colour is colour
    assert (style("x", "bad") == "x") is not colour


def test_colour_on_a_terminal_only(tree: Path) -> None:
    ours, theirs = os.openpty()
    environ = {**os.environ, "TERM": "xterm"}
    command = [sys.executable, "-c", "from nymproxy_migrate.cli import main; main(['scan'])"]
    try:
        subprocess.run(command, stdout=theirs, env=environ, cwd=tree, check=True)
        assert b"\x1b[1mNYM001\x1b[0m" in os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)


def test_no_colour_in_a_pipe_unless_forced(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["scan"])
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    main(["scan"])
    assert "\x1b[1mNYM001\x1b[0m" in capsys.readouterr().out
    main(["scan", "--no-color"])
    assert capsys.readouterr().out == plain
    main(["scan", "--json"])
    assert "\x1b" not in capsys.readouterr().out
    assert OUTPUT.get() == Output(out=PLAIN, err=PLAIN)


def test_decisions_are_shown_even_when_quiet(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", "-q"]) == 1
    out = capsys.readouterr().out
    assert "NYM060" in out
    assert "NYM001" not in out
    main(["-q", "rewrite"])
    assert "NYM060" in capsys.readouterr().err
    main(["rewrite", "--write", "--quiet"])
    captured = capsys.readouterr()
    assert "NYM060" in captured.err
    assert captured.out.startswith("undo it with: ")


def test_verbose_says_what_goes_on(tree: Path) -> None:
    code = (
        "import logging\n"
        "from nymproxy_migrate.cli import main\n"
        "import nymproxy_migrate.scan as scan\n"
        "scan._logger.debug('before')\n"
        "main(['scan', '-v'])\n"
        "scan._logger.debug('after')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tree
    )
    assert done.stderr == "DEBUG nymproxy.migrate: after\n"


def test_lists_of_a_file_and_of_the_environment(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "nymproxy-migrate.toml").write_text('docs = true\nexclude = ["*.md", "b/"]\n')
    assert settings(capsys, "scan")["exclude"] == ("*.md, b/", "file nymproxy-migrate.toml")
    assert main(["scan", "--json"]) == 1
    assert {each["path"] for each in json.loads(capsys.readouterr().out)["findings"]} == {"a.sh"}
    monkeypatch.setenv("NYMPROXY_MIGRATE_IGNORE", "NYM001,NYM060")
    assert main(["scan", "--json"]) == 0
    (tree / "nymproxy-migrate.toml").write_text("exclude = [1]\n")
    assert main(["scan"]) == 2
