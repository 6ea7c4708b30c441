"""Old proxies that run on this machine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.cli.entry import run
from nymproxy_migrate.finders import live
from nymproxy_migrate.finders.live import Process
from nymproxy_migrate.model import Action, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import Finding

ARCHIVE = Path(__file__).resolve().parents[1] / "vectors" / "rust_config_dir.tar"
SECRET = "a-secret-of-the-environment"

PROXY = """\
import socket
import sys

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


def found(*processes: Process) -> list[Finding]:
    return [one for _, findings in live.find(processes) for one in findings]


def test_a_client() -> None:
    arguments = ("/usr/bin/nym-proxy-client", "-s", "A", "--listen-port", "9000")
    process = Process(12, arguments, "nym", "/home/nym", ("127.0.0.1:9000",))
    (client,) = found(process)
    assert (client.path, client.code, client.kind) == (
        "process:12",
        "NYM001",
        Kind.COMMAND_CLIENT,
    )
    assert (client.action, client.needs_human, client.edits) == (Action.REPORT, True, ())
    assert "process 12 of nym" in client.message
    assert "127.0.0.1:9000" in client.message
    assert "/usr/bin/nym-proxy-client -s A --listen-port 9000" in client.message
    assert "nymproxy client -s A --listen-port 9000" in client.next


def test_a_server_and_its_effective_config_directory() -> None:
    server, directory = found(
        Process(
            1, ("nym-proxy-server", "-u", "a:1", "-c", "/my keys"), home="/srv/nym", listening=()
        )
    )
    assert (server.code, directory.code) == ("NYM002", "NYM050")
    assert "/srv/nym/my keys" in directory.message
    assert "HOME=/srv/nym nymproxy server" in server.next
    assert "--compat-config-dir -u a:1 -c '/my keys'" in server.next
    assert "listens" not in server.message


def test_a_server_with_keys(tmp_path: Path) -> None:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (keys,) = tmp_path.iterdir()
    arguments = ("nym-proxy-server", "-u", "a:1", "-c", f"/{keys.name}")
    _, directory = found(Process(1, arguments, home=str(tmp_path)))
    assert directory.code == "NYM052"
    assert "@" in directory.message
    assert str(keys) in directory.message


def test_what_cannot_be_read() -> None:
    server, directory = found(Process(1, ("nym-proxy-server", "-u", "a:1")))
    assert "cannot be read" in server.message
    assert directory.code == "NYM051"
    assert "HOME" in directory.message


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("",),
        ("bash", "-c", "nym-proxy-client -s A"),
        ("sudo", "nym-proxy-client", "-s", "A"),
        ("docker", "run", "image", "nym-proxy-client", "-s", "A"),
        ("vim", "nym-proxy-client"),
        ("grep", "nym-proxy-client", "-s"),
        ("python3", "-m", "nym-proxy-client"),
        ("proxy_server", "--config", "nginx"),
        ("nymproxy", "client", "-s", "A"),
        ("nym-socks5-client", "run", "--id", "x"),
        ("tail", "-f", "/var/log/nym-proxy-server"),
    ],
)
def test_other_processes(arguments: tuple[str, ...]) -> None:
    assert found(Process(1, arguments, "nym", "/home/nym", ())) == []


def test_a_script_counts_as_the_program_that_it_is_named_after() -> None:
    (client,) = found(Process(1, ("/usr/bin/python3.11", "/opt/nym-proxy-client", "-s", "A")))
    assert client.code == "NYM001"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    program = tmp_path / "nym-proxy-server"
    program.write_text(PROXY)
    environment = {"HOME": str(tmp_path), "TOKEN": SECRET, "PATH": os.environ.get("PATH", "")}
    arguments = [sys.executable, str(program), "-u", "127.0.0.1:80", "-c", "/keys"]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield process, port
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)


def test_a_real_process(proxy: tuple[subprocess.Popen[str], int], tmp_path: Path) -> None:
    process, port = proxy
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = run(["scan", "--live", "--json"])
    assert code == 1
    report = json.loads(output.getvalue())
    ours = [one for one in report["findings"] if one["path"] == f"process:{process.pid}"]
    assert [one["code"] for one in ours] == ["NYM002", "NYM050"]
    assert f"127.0.0.1:{port}" in ours[0]["message"]
    assert f"{tmp_path}/keys" in ours[1]["message"]
    assert SECRET not in output.getvalue()
    assert str(os.getpid()) not in {one["path"].partition(":")[2] for one in report["findings"]}


def test_processes_and_files(
    proxy: tuple[subprocess.Popen[str], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    process, _ = proxy
    (tmp_path / "a.sh").write_text("nym-proxy-client -s A\n")
    assert run(["scan", "--live", str(tmp_path / "a.sh")]) == 1
    text = capsys.readouterr().out
    assert f"process:{process.pid}:1:1: NYM002" in text
    assert "a.sh:1:1: NYM001" in text


def test_addresses_of_both_families() -> None:
    assert live._shown("::1", 80) == "[::1]:80"
    assert live._shown("127.0.0.1", 80) == "127.0.0.1:80"
