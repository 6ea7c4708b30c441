"""What is read from logs of Rust programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interop.warnings import Warnings

if TYPE_CHECKING:
    from pathlib import Path

WARNING = (
    b"2026-01-01T00:00:00Z \x1b[33m WARN\x1b[0m chunking: duplicate fragment received! - frag - 3\n"
)


def test_each_line_is_found_once_wherever_it_is_written(tmp_path: Path) -> None:
    warnings = Warnings(tmp_path)
    home = tmp_path / "home-1"
    home.mkdir()
    (home / "log").write_bytes(b"INFO started\n" + WARNING)
    assert [line.encode() + b"\n" for line in warnings.take()] == [WARNING]
    assert warnings.take() == []
    with (home / "log").open("ab") as log:
        log.write(WARNING[:70])
    (tmp_path / "stream-acceptor.log").write_bytes(WARNING)
    assert len(warnings.take()) == 1
    with (home / "log").open("ab") as log:
        log.write(WARNING[70:])
    assert len(warnings.take()) == 1


def test_what_else_a_program_says_is_no_warning_of_a_copy(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b" WARN nothing to read\nINFO duplicate fragment received\n")
    assert Warnings(tmp_path).take() == []
