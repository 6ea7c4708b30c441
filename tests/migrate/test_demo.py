"""The demo: what it compares trees by, what it prints, and the story on a smaller scale."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nymproxy.testing.workloads import WorkloadResult
from nymproxy_migrate import demo
from nymproxy_migrate.cli import main
from nymproxy_migrate.demo import show, stage, story
from nymproxy_migrate.demo.tree import fingerprint
from nymproxy_migrate.parity.model import ParityReport, Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(demo.__file__).parent / "deployment"


def _rename(tree: Path) -> None:
    (tree / "a").rename(tree / "c")


def _make_executable(tree: Path) -> None:
    (tree / "a").chmod(0o755)


def _add_an_empty_file(tree: Path) -> None:
    (tree / "d").touch()


def _change_a_byte(tree: Path) -> None:
    (tree / "sub" / "b").write_bytes(b"\xff")


@pytest.mark.parametrize("change", [_rename, _make_executable, _add_an_empty_file, _change_a_byte])
def test_the_fingerprint_sees(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "a").chmod(0o644)
    (tmp_path / "sub" / "b").write_bytes(b"\xfe")
    before = fingerprint(tmp_path)
    (tmp_path / "empty").mkdir()
    assert fingerprint(tmp_path) == before, "folders have nothing to go back to"
    change(tmp_path)
    assert fingerprint(tmp_path) != before


def _result(*, ok: bool, seconds: float) -> WorkloadResult:
    problem = None if ok else "another SHA-256"
    return WorkloadResult("download", ok, problem, 200_000, 0.5, seconds, 1, 1)


def test_the_table_shows_both_wires(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(
        {"legacy": [_result(ok=True, seconds=4)], "stream": [_result(ok=False, seconds=2.5)]}
    )
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "workload measured --wire legacy --wire stream" in lines
    assert "download SHA-256 equal WRONG" in lines
    assert "goodput 50 kB/s 80 kB/s" in lines


def _report(*rows: Row) -> ParityReport:
    return ParityReport("0", "2026-01-01T00:00:00Z", 1.0, "localnet", {}, rows)


def test_the_comparison_leaves_out_what_says_the_same_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    same, worse = Verdict.SAME, Verdict.WORSE
    show.parity(
        _report(
            Row("download.digest", "Download: bytes are right", "download", "", True, True, same),
            Row("download.order", "Download: order", "download", "", True, True, same),
            Row("upload.order", "Upload: order", "upload", "", True, False, worse),
            Row("upload.goodput", "Upload: goodput", "upload", "kB/s", 1234.5, 2000, same),
        )
    )
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "Download bytes are right yes yes same" in lines
    assert "Upload order yes no worse" in lines
    assert "goodput 1,234.5 kB/s 2,000 kB/s same" in lines
    assert not [line for line in lines if line.startswith("Download order")]
    assert "4 comparisons: 3 same, 1 worse" in lines


def test_the_comparison_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    title = "Ten connections at once, each with an identity: the slowest first byte of them"
    show.parity(_report(Row("x.y", title, "x", "kB/s", 1_234_567.8, 1_234_567.8, Verdict.BETTER)))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("1,234,567.8 kB/s") for line in lines) == 2


def test_a_worse_row_fails_the_demo_and_the_report_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Row("upload.digest", "Upload: bytes are right", "upload", "", True, False, Verdict.WORSE)

    async def run(_parity: object) -> ParityReport:
        return _report(row)

    monkeypatch.setattr(story, "run_parity", run)
    one = story.Story(tmp_path, tmp_path, tmp_path / "build" / "parity.html")
    one.parity()
    assert one.problems == ["Upload: bytes are right is worse"]
    assert "<html" in (tmp_path / "build" / "parity.html").read_text()


def test_another_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", str(tmp_path)]) == 2
    assert "not the example deployment" in capsys.readouterr().err


@pytest.mark.slow
def test_the_story_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but the comparison at full speed, which has tests of its own."""
    original = fingerprint(EXAMPLE)
    monkeypatch.setattr(stage, "DOWNLOAD_BYTES", 3_000)
    monkeypatch.setattr(stage, "UPLOAD_BYTES", 3_000)
    monkeypatch.setattr(story.Story, "parity", lambda _story: None)
    assert main(["demo", str(EXAMPLE)]) == 0
    out = capsys.readouterr().out
    assert "rewritten: scripts/start-server.sh" in out
    assert "(--wire stream):" in out
    assert out.endswith("Everything held.\n")
    assert fingerprint(EXAMPLE) == original


def test_what_does_not_hold_is_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(one: story.Story) -> None:
        one.hold(False, "the tree is not what it was")

    monkeypatch.setattr(story.Story, "tell", tell)
    assert main(["demo", str(EXAMPLE)]) == 1
    assert "SOMETHING WENT WRONG: the tree is not what it was" in capsys.readouterr().out
