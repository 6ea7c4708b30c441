"""The parity command itself: on a localnet, against servers that run, and when it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import pytest

from nymproxy_migrate.cli import main
from tests.legacy.addresses import some_address

if TYPE_CHECKING:
    from pathlib import Path

CODE = "import sys; from nymproxy_migrate.cli import main; sys.exit(main())"
PROGRAM = (sys.executable, "-c", CODE)


@pytest.mark.exhaustive  # by default tests/test_migrating_guide.py runs it, and reads its exit code
def test_our_stream_way_is_as_good_as_our_legacy_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "parity.json"
    code = main(["parity", "--quick", "--json", "--output", str(output)])
    document = json.loads(output.read_text())
    assert document["worse"] == []
    assert code == 0
    assert {row["verdict"] for row in document["rows"]} <= {"same", "better"}
    values = {row["name"]: row["stream"] for row in document["rows"]}
    assert values["linkability.sender_tags"] == 3
    assert values["at_once.connections"] == 5
    assert values["upstream_down.visible"] is True
    assert len(document["series"]["echo_round_trips_seconds"]["stream"]) == 30
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "download, stream: 300,000 bytes" in captured.err


def test_an_interrupted_run_ends_its_children() -> None:
    process = subprocess.Popen(
        [*PROGRAM, "parity", "--quick"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stderr is not None
    said = [process.stderr.readline() for _ in range(3)]
    assert b"legacy side: nymproxy" in said[0]
    assert b"starting a local mixnet" in said[2]
    children: list[psutil.Process] = []
    deadline = time.monotonic() + 30
    while not children and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in rest
    assert children
    assert not any(child.is_running() for child in children)


def test_a_network_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = tmp_path / "network.env"
    env.write_text("NYM_API=http://127.0.0.1:9/\n")
    address = str(some_address())
    servers = ["--legacy", address, "--stream", address, "--env", str(env)]
    assert main(["parity", *servers]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("nymproxy-migrate: ")
    assert "did not start" in last


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--legacy", "x"], "running servers need all of"),
        (["--profile", "none"], "profiles are"),
        (["--profile", "fast"], "goes with --legacy"),
        (["--legacy", "x", "--stream", "y", "--env", "/nowhere"], "no such env file"),
        (["--legacy", "x", "--stream", "y", "--env", "/dev/null/x"], "no such env file"),
        (["--format", "pdf"], "'pdf'"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["parity", *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
