"""Where POSIX is missing the library can be imported, `scan` and `explain` work as ever, and what
cannot work says so in one line. What is missing is taken away: this is no machine with Windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nymproxy.cli import main, root
from nymproxy_migrate.cli import main as migrate
from nymproxy_migrate.cli.app import app
from tests.migrate.corpus_cases import Case, load

ROOT = Path(__file__).resolve().parent.parent.parent
SIMULATION = Path(__file__).parent / "windows"
NEEDED = "anyio asyncio cryptography httpcore httpx nacl.bindings typer websockets"
LIBRARY = """
import importlib
import nymproxy
for name in nymproxy.__all__:
    getattr(nymproxy, name)
for name in ("stream.tls", "stream.httpx_transport", "stream.asyncio_streams", "testing.memory"):
    importlib.import_module(f"nymproxy.{name}")
"""
TOOL = """
import sys
import nymproxy.cli.root
nymproxy.cli.root.is_windows = lambda: True
from nymproxy_migrate.cli import main
sys.exit(main(sys.argv[1:]))
"""


WORKERS = """
from nymproxy_migrate.workers import call, limits
from tests.migrate.workers import jobs
print([call(jobs.double, number) for number in range(3)])
print(call(jobs.crash, 0).reason)
print(call(jobs.leave, 0).reason)
print(call(jobs.fail, 0).reason)
first = call(jobs.process_id, 0)
assert call(jobs.say, "x") == "x" and call(jobs.process_id, 0) == first
limits.CLOCK_SECONDS = 0.3
print(call(jobs.wait, 0) == limits.NO_ANSWER)
limits.CLOCK_SECONDS, limits.MEMORY_BYTES = 600, 1
print(call(jobs.wait, 0) == limits.OUT_OF_MEMORY)
"""


def run(
    code: str, *arguments: str, knows: str = "psutil", **environment: str
) -> subprocess.CompletedProcess[str]:
    paths = [str(SIMULATION), str(ROOT), str(ROOT / "migrate")]
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "KNOWS_WINDOWS": knows,
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_library_is_imported_without_anything_of_posix() -> None:
    finished = run(LIBRARY, knows=NEEDED)
    assert finished.returncode == 0, finished.stderr


def test_the_tool_explains_there_and_refuses_the_rest() -> None:
    explained = run(TOOL, "explain", "NYM050")
    assert (explained.returncode, explained.stderr) == (0, "")
    assert explained.stdout.startswith("NYM050")
    refused = run(TOOL, "rewrite")
    assert refused.returncode == 2
    assert refused.stderr.startswith("nymproxy-migrate rewrite needs Linux or macOS; ")


def make_trees(cases: list[Case], folder: Path) -> None:
    for case in cases:
        (folder / case.name).mkdir(parents=True)
        case.make(folder / case.name / "tree")
    (folder / "junk").mkdir()
    os.mkfifo(folder / "junk" / "start.sh")
    (folder / "junk" / "out.sh").symlink_to("/etc/passwd")
    (folder / "junk" / "na\u2192me.sh").write_text("nym-proxy-client -s x\n")
    (folder / ".gitignore").write_text("junk/ignored.sh\n")
    (folder / "junk" / "ignored.sh").write_text("nym-proxy-client -s x\n")


@pytest.mark.parametrize(
    "part", [pytest.param(1, marks=pytest.mark.exhaustive), 8], ids=["all trees", "an eighth"]
)
def test_a_scan_finds_there_what_it_finds_here(
    part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trees(load()[::part], tmp_path)
    there = run(
        TOOL, "scan", "--docs", "--json", "--exclude", "crontab*", str(tmp_path),
        PYTHONIOENCODING="cp1252",
    )  # fmt: skip
    assert (there.returncode, there.stderr) == (1, "")
    # Where nymproxy is on this machine says nothing on Windows: what is scanned is for others.
    monkeypatch.setattr("nymproxy_migrate.cli.commands.installed", lambda _: None)
    monkeypatch.chdir(ROOT)
    assert migrate(["scan", "--docs", "--json", "--exclude", "crontab*", str(tmp_path)]) == 1
    here = capsys.readouterr().out
    assert json.loads(there.stdout) == json.loads(here)
    assert len(json.loads(here)["findings"]) > 20 * len(load()) / part / 10


def test_workers_there() -> None:
    finished = run(WORKERS)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.splitlines() == [
        "[0, 2, 4]",
        "its parser crashes on it (SIGSEGV)",
        "reading it ends the process that reads it",
        "it cannot be judged (KeyError)",
        "True",
        "True",
    ]


COMMANDS = [
    each.name or each.callback.__name__ for each in app.registered_commands if each.callback
]


@pytest.mark.parametrize("command", sorted({*COMMANDS} - {"explain", "scan", "schema"}))
def test_what_writes_or_runs_something_is_refused(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(root, "is_windows", lambda: True)
    assert migrate([command, *(["-o", "-"] if command == "plan" else [])]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"nymproxy-migrate {command} needs Linux or macOS; ")
    assert len(error.splitlines()) == 1


def test_processes_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nymproxy_migrate.cli.commands.is_windows", lambda: True)
    assert migrate(["scan", "--live"]) == 2
    assert "scan --live needs Linux or macOS; " in capsys.readouterr().err


def test_other_commands_say_what_they_need(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(root, "is_windows", lambda: True)
    for command in (["demo"], ["server", "-u", "127.0.0.1:9"]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"nymproxy {command[0]} needs Linux or macOS; ")
        assert len(error.splitlines()) == 1
    assert main(["address", str(tmp_path)]) != 0
    assert "needs Linux" not in capsys.readouterr().err
