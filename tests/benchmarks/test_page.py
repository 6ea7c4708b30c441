"""The HTML page and its pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command
from benchmarks.environment import environment_record
from benchmarks.page import page
from benchmarks.picture import Series, bars, lines
from benchmarks.records import read_records, write_records
from tests.benchmarks.builders import micro, record

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.records import Record

ENV = environment_record(seed=1, scale="quick", processes=1, runs=1, t=0.0)


def _records() -> list[Record]:
    echoes = [record(0.1 + index / 1000, size=64, requests=30) for index in range(30)]
    losses = [
        record(
            1 / (1 + loss),
            "MB/s",
            workload="W9",
            profile="bare",
            metric=f"goodput_{direction}",
            loss=loss,
            burst=False,
        )
        for loss in (0.0, 0.05, 0.2)
        for direction in ("up", "down")
    ]
    areas = [
        record(0.4, "ms", workload="W7", profile="bare", metric="area_client", area=area)
        for area in ("sphinx", "event loop", "<other>")
    ]
    rust = [
        record(0.2, size=64, requests=30, peer="rust"),
        record(0.3, "ms", workload="W7", metric="area_client", area="whole", peer="rust"),
    ]
    return [ENV, *echoes, *losses, *areas, *rust, *micro("x25519", 30.0)]


def _svg(text: str) -> ElementTree.Element:
    begin, end = text.index("<svg"), text.index("</svg>") + len("</svg>")
    return ElementTree.fromstring(text[begin:end])


def test_the_page_shows_what_there_is() -> None:
    text = page(_records())
    assert text.count("<svg viewBox=") == 4  # the areas once for each profile
    assert "delays alone" in text
    assert "stream up" in text
    assert "client, stream, Rust" in text
    assert "ours to Rust" in text
    assert "&lt;other&gt;" in text
    assert "<other>" not in text
    assert "<script" not in text
    assert "http" not in text  # it opens offline
    assert page([ENV]).count("<svg") == 0


def test_lines_stay_within_their_axes() -> None:
    picture = _svg(lines("x", [Series("a", [(0, 0), (3, 7)]), Series("b", [(1, 1)], True)], "", ""))
    paths = [one.get("d", "") for one in picture if (one.get("class") or "").startswith("line")]
    assert len(paths) == 2
    numbers = [float(word) for path in paths for word in path.replace("L", " ")[1:].split()]
    assert min(numbers) >= 0
    assert max(numbers) <= 640


def test_bars_are_as_long_as_their_parts() -> None:
    picture = _svg(bars("x", [("one", {"a": 1.0, "b": 3.0}), ("two", {"a": 2.0})], "ms"))
    widths = [float(one.get("width", 0)) for one in picture if one.tag == "rect"]
    assert widths[1] == pytest.approx(3 * widths[0], abs=0.2)
    assert widths[2] == pytest.approx(2 * widths[0], abs=0.2)


def test_the_command_makes_a_page_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run_until_signal", lambda _: _records())
    out, kept = tmp_path / "page.html", tmp_path / "kept.jsonl"
    assert command.main(["--quick", "--html", str(out), "--json", str(kept)]) == 0
    assert out.read_text() == page(_records())
    write_records(tmp_path / "again.jsonl", read_records(kept))
    assert (tmp_path / "again.jsonl").read_text() == kept.read_text()
