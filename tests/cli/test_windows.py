"""Where POSIX is missing the library can be imported, and what cannot work says so in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy.cli import main, root

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# The standard library and what we depend on know Windows; what is ours must not ask for these.
PROBE = """
import asyncio, importlib, multiprocessing, os, signal, socket, subprocess, sys, tempfile
import anyio, cryptography, filelock, httpcore, httpx, nacl.bindings, typer, websockets
MODULES = {"fcntl", "grp", "pwd", "resource", "termios"}

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(name)

for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Refuse())
for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGPROF"):
    delattr(signal, name)
for name in (
    *("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "register_at_fork"),
    *("fork", "fchmod", "getuid", "geteuid", "getegid", "getgroups"),
):
    delattr(os, name)
del socket.AF_UNIX
"""
LIBRARY = """
import nymproxy
for name in nymproxy.__all__:
    getattr(nymproxy, name)
for name in ("stream.tls", "stream.httpx_transport", "stream.asyncio_streams", "testing.memory"):
    importlib.import_module(f"nymproxy.{name}")
"""
TOOL = """
import nymproxy.cli.root
nymproxy.cli.root.is_windows = lambda: True
from nymproxy_migrate.cli import main
sys.exit(main(sys.argv[1:]))
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROBE + code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_library_is_imported_without_anything_of_posix() -> None:
    finished = run(LIBRARY)
    assert finished.returncode == 0, finished.stderr


def test_the_tool_explains_there_and_refuses_the_rest() -> None:
    explained = run(TOOL, "explain", "NYM050")
    assert (explained.returncode, explained.stderr) == (0, "")
    assert explained.stdout.startswith("NYM050")
    refused = run(TOOL, "scan")
    assert refused.returncode == 2
    assert refused.stderr.startswith("nymproxy-migrate scan needs Linux or macOS; ")


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
