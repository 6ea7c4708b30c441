"""The command line: what is printed, exit codes, one-line errors."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.cli import entry, main
from nymproxy_migrate.installing import INSTALL_MIGRATE
from nymproxy_migrate.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

OLD = "#!/bin/sh\n# start\nnym-proxy-client -s A --listen_port 81"
FIELDS = {
    "path",
    "line",
    "end_line",
    "column",
    "code",
    "kind",
    "message",
    "why",
    "next",
    "action",
    "safety",
    "needs_human",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a.sh").write_text(OLD)
    (tmp_path / "b.txt").write_text("prose about nym-proxy-client\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_scan_json(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"schema_version", "tool_version", "findings"}
    (found,) = [each for each in document["findings"] if each["code"] == "NYM001"]
    assert set(found) == FIELDS
    assert (found["path"], found["line"], found["end_line"], found["column"]) == ("a.sh", 3, 3, 1)
    assert (found["kind"], found["action"], found["safety"]) == (
        "command-client",
        "rewrite",
        "safe",
    )


def test_scan_text_has_counts(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan"]) == 1
    out = capsys.readouterr().out
    assert "a.sh:3:1: NYM001" in out
    assert out.endswith("need a human\n")


def test_nothing_found_is_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.sh").write_text("ls\n")
    assert main(["scan", str(tmp_path)]) == 0
    assert main(["rewrite", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("1 files read: 0 to rewrite")


def test_rewrite_shows_a_diff_and_changes_nothing(
    tree: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["rewrite"]) == 1
    out = capfdbinary.readouterr().out
    assert out.startswith(b"--- a/a.sh\n+++ b/a.sh\n@@ -1,3 +1,3 @@\n #!/bin/sh\n # start\n-nym-")
    assert b"+nymproxy client -s A --listen-port 81" in out
    assert out.count(b"\\ No newline at end of file\n") == 2
    assert (tree / "a.sh").read_text() == OLD


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "nym001"]) == 0
    assert capsys.readouterr().out.startswith("NYM001: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "NYM999"],
        ["scan", "--nonsense"],
        ["nonsense"],
        ["plan"],
        ["rewrite", "--to", "nowhere"],
        ["scan", "no-such-folder"],
        ["scan", "/dev/null"],
        ["sidecar", "/dev/zero"],
        ["rewrite", "--plan", "/dev/zero"],
        ["rewrite", "--decide", "NYM060=perhaps"],
        ["rewrite", "--decide", "NYM001=yes"],
        ["scan", "--select", "NYM8888"],
        ["scan", "--exclude", "[z-a]"],
    ],
)
def test_errors_are_one_line(
    tree: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("nymproxy-migrate: ")
    assert captured.err.count("\n") == 1


def test_a_missing_extra_says_how_to_install_it(tree: Path) -> None:
    modules = tree.with_name("modules")
    modules.mkdir(exist_ok=True)
    for name in ("pathspec", "tree_sitter"):
        (modules / f"{name}.py").write_text(f"raise ModuleNotFoundError('x', name={name!r})\n")
    code = "import sys; from nymproxy_migrate.cli import main; sys.exit(main(['scan']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(modules)},
    )
    assert done.returncode == 2
    assert INSTALL_MIGRATE in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("closed", "is_said"), [("2>&-", True), ("<&- >&- 2>&-", False)])
def test_closed_streams_are_nobody_elses(tree: Path, closed: str, is_said: bool) -> None:
    """Without stdout that was a bug, and without stderr nothing was printed."""
    command = f'exec "$0" -m nymproxy_migrate scan . {closed}'
    run = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=tree, capture_output=True, check=False
    )
    assert run.returncode == 1
    assert (b"files read" in run.stdout) is is_said
    assert run.stderr == b""


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (RuntimeError("x"), 2)])
def test_interrupts_and_bugs(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(entry, "app", fail)
    assert main(["scan"]) == code
    assert "Traceback" not in capsys.readouterr().err
    assert main(["--debug", "scan"]) == code
    assert ("Traceback" in capsys.readouterr().err) == (code == 2)


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("nym-proxy-client -s A\n", (), "NYM001"),
        ("@reboot nym-proxy-client -s A\n", (), "NYM001"),
        ("FROM debian\nCMD nym-proxy-client -s A\n", ("--stdin-name", "Dockerfile"), "NYM005"),
        ("echo\n", (), ""),
    ],
)
def test_standard_input(
    text: str,
    options: tuple[str, ...],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["scan", "-", *options]) == (1 if code else 0)
    assert code in capsys.readouterr().out


def test_standard_input_has_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "-", "--stdin-name", "../x"]) == 2
    assert main(["scan", "-", "."]) == 2


def test_explain_without_a_code_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("NYM")] == list(RULES)


def test_codes_that_are_wanted_or_not(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "s.sh").write_text("nym-proxy-server -u 127.0.0.1:22\n")

    def codes(*arguments: str) -> set[str]:
        main(["scan", "--json", *arguments])
        return {each["code"] for each in json.loads(capsys.readouterr().out)["findings"]}

    assert codes() == {"NYM001", "NYM002", "NYM050"}
    assert codes("--select", "nym00") == {"NYM001", "NYM002"}
    assert codes("--ignore", "NYM05", "--ignore", "NYM001") == {"NYM002"}
    assert codes("--select", "NYM00", "--ignore", "NYM002") == {"NYM001"}
    assert codes("--exclude", "s.*") == {"NYM001"}
    main(["rewrite", "--select", "NYM002", "--exclude", "*.txt"])
    assert "a.sh" not in capsys.readouterr().out
    main(["scan", "--exclude", "s.sh"])
    assert "files read, 1 left out: " in capsys.readouterr().out


def test_paths_lead_upwards_where_that_is_where_they_are(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "here").mkdir()
    monkeypatch.chdir(tree / "here")
    for arguments in (["scan"], ["scan", "--json"], ["scan", "--format", "sarif"], ["rewrite"]):
        main([*arguments, ".."])
        assert "../a.sh" in capsys.readouterr().out
    main(["rewrite", "--write", "../a.sh"])
    assert "rewritten: ../a.sh" in capsys.readouterr().out
