"""Where the Rust programs come from, and what is said when they cannot be built."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from interop.__main__ import EXIT_INTERRUPTED, EXIT_USAGE, main
from interop.programs import (
    CLIENT_VARIABLE,
    INTEROP,
    PEERS_VARIABLE,
    SERVER_VARIABLE,
    TARGET,
    ProgramMissing,
    build,
    build_peers,
    locate,
    parse_rust_version,
    require_cargo,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty PATH, and programs that are named but not there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in (CLIENT_VARIABLE, SERVER_VARIABLE, PEERS_VARIABLE):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    return tmp_path


def _program(path: Path, text: str = "") -> None:
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)


def test_versions_of_cargo() -> None:
    assert parse_rust_version("cargo 1.87.0 (99624be96 2025-05-06)") == (1, 87)
    with pytest.raises(ProgramMissing, match="not a version of cargo"):
        parse_rust_version("rustc something")


def test_cargo_is_needed_to_build(tools: Path) -> None:
    with pytest.raises(ProgramMissing, match=r"Rust 1\.87 or later"):
        build()


def test_a_build_ends_with_who_runs_it_compilers_included(tools: Path) -> None:
    cargo = tools / "cargo"
    cargo.write_text(
        "#!/bin/sh\necho cargo 1.90.0\n"
        'if [ "$1" = build ]; then sleep 1000 & echo a compiler runs; wait; fi\n'
    )
    cargo.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", "interop", "--only", "patches"],
        cwd=INTEROP.parent,
        env={**os.environ, "PATH": f"{tools}:/usr/bin:/bin"},
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said: list[bytes] = []
        while b"a compiler runs" not in (line := process.stderr.readline()):
            assert line, b"".join(said).decode()
            said.append(line)
        assert any(b"compiling 3 programs" in line for line in said)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()  # ends when the last of them has
    assert process.returncode == EXIT_INTERRUPTED


def test_an_old_cargo_is_named(tools: Path) -> None:
    _program(tools / "cargo", "cargo 1.86.3 (abc 2025-01-01)")
    with pytest.raises(ProgramMissing, match=r"1\.86\.3 .* too old: Rust 1\.87 is needed"):
        require_cargo()


def test_a_new_cargo_is_used(tools: Path) -> None:
    _program(tools / "cargo", "cargo 1.90.0 (abc 2025-01-01)")
    assert require_cargo() == str(tools / "cargo")


def test_named_programs_are_not_built(tools: Path) -> None:
    programs = locate()
    assert len(programs.missing) == 3
    for path in programs.missing:
        _program(path)
    assert build() == programs


def test_our_own_programs_are_left_to_cargo(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees what has changed; what is there may be of an older checkout."""
    monkeypatch.delenv(PEERS_VARIABLE)
    log = tools / "log"
    cargo = tools / "cargo"
    cargo.write_text(f"#!/bin/sh\necho cargo 1.90.0\necho $CARGO_TARGET_DIR $* >> {log}\n")
    cargo.chmod(0o755)
    assert build_peers() == build_peers() == TARGET / "release" / "nymproxy-interop-peers"
    manifest = INTEROP / "peers" / "Cargo.toml"
    wanted = f"{TARGET} build --release --locked --manifest-path {manifest}"
    assert log.read_text().splitlines().count(wanted) == 2


def test_a_generator_of_vectors_that_fails_is_one_line(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peers = tools / PEERS_VARIABLE.lower()
    peers.write_text("#!/bin/sh\nexit 3\n")
    peers.chmod(0o755)
    assert main(["--vectors", str(tools / "made")]) == EXIT_USAGE
    assert "vectors failed" in capsys.readouterr().err


def test_the_command_says_what_is_missing(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--build"]) == EXIT_USAGE
    assert "cargo was not found" in capsys.readouterr().err


def test_an_unknown_cell_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "no such cell"]) == EXIT_USAGE
    assert "no such cell" in capsys.readouterr().err


def test_an_unknown_workload_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workload", "no such thing"]) == EXIT_USAGE
    assert "no such thing" in capsys.readouterr().err
