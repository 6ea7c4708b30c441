"""The comparison of two files, and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command
from benchmarks.compare import compare
from benchmarks.records import Record, read_records, write_records
from tests.benchmarks.builders import micro, record

if TYPE_CHECKING:
    from pathlib import Path


def _packets(*values: float, wire: str = "stream") -> list[Record]:
    return [
        record(
            value,
            "ms",
            workload="W3",
            profile="bare",
            wire=wire,
            metric="cpu_per_packet_relative",
            direction="up",
            bytes=1_000_000,
        )
        for value in values
    ]


def test_only_the_minimum_counts() -> None:
    [one] = compare(_packets(2.0, 9.0), _packets(2.1, 50.0))
    assert (one.before, one.after) == (2.0, 2.1)
    assert one.change == pytest.approx(0.05)
    assert not one.is_regression


@pytest.mark.parametrize(("after", "regression"), [(1.9, False), (2.3, False), (2.31, True)])
def test_more_than_the_allowance_is_a_regression(after: float, regression: bool) -> None:
    [one] = compare(_packets(2.0), _packets(after))
    assert one.is_regression is regression


def test_wall_times_are_not_compared() -> None:
    assert compare([record(1.0, size=64)], [record(9.0, size=64)]) == []


def test_quick_and_full_runs_meet() -> None:
    quick = [
        *micro("x25519", 30.0),
        record(
            90.0, "us", workload="W15", wire="both", metric="cpu", operation="unwrap", divisor=4
        ),
    ]
    [one] = compare(micro("unwrap", 100.0, 105.0) + micro("x25519", 30.0), quick)
    assert one.change == pytest.approx(-0.1)


def test_a_slower_machine_is_no_regression() -> None:
    before = micro("x25519", 30.0) + micro("unwrap", 90.0)
    after = micro("x25519", 60.0) + micro("unwrap", 180.0)
    assert [one.change for one in compare(before, after)] == [0.0]
    assert compare(before, micro("unwrap", 90.0)) == []  # no yardstick in one file


def test_the_primitives_of_others_are_not_judged() -> None:
    assert compare(micro("x25519", 30.0), micro("x25519", 60.0)) == []


def test_wires_are_not_mixed() -> None:
    assert compare(_packets(1.0, wire="legacy"), _packets(9.0, wire="stream")) == []


def test_failed_runs_are_not_compared() -> None:
    failed = [
        record(None, workload="W3", metric="cpu_per_packet_relative", error="another SHA-256")
    ]
    assert compare(failed, failed) == []


def _files(tmp_path: Path, before: list[Record], after: list[Record]) -> list[str]:
    paths = [tmp_path / "before.jsonl", tmp_path / "after.jsonl"]
    for path, records in zip(paths, (before, after), strict=True):
        write_records(path, records)
    return ["compare", *map(str, paths)]


def test_the_command_fails_on_a_regression(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(_files(tmp_path, _packets(2.0), _packets(2.5))) == 1
    output = capsys.readouterr().out
    assert "+25.0%" in output
    assert "REGRESSION" in output
    assert command.main(_files(tmp_path, _packets(2.0), _packets(2.0))) == 0


def test_a_baseline_keeps_the_least_of_each(tmp_path: Path) -> None:
    new = micro("x25519", 30.0, 31.0) + micro("unwrap", 95.0, 90.0) + [record(1.0)]
    arguments = _files(tmp_path, [], new)
    assert command.main([arguments[0], "--update", *arguments[1:]]) == 0
    kept = read_records(tmp_path / "before.jsonl")
    assert [one.sample.value for one in kept if one.sample] == [30.0, 90.0]


def test_the_command_refuses_what_cannot_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(_files(tmp_path, _packets(1.0), [record(1.0)])) == 2
    assert "in common" in capsys.readouterr().err
    assert command.main(["compare", str(tmp_path / "absent"), str(tmp_path / "absent")]) == 2
    (tmp_path / "bad").write_text("no JSON\n")
    assert command.main(["compare", str(tmp_path / "bad"), str(tmp_path / "bad")]) == 2


@pytest.mark.parametrize("arguments", [["--only", "W99"], ["--runs", "0"], ["--profile", "x"]])
def test_bad_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert "usage" in capsys.readouterr().err
