"""Reports: what other programs read, with names of files that try to break out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Finding, Kind, SourceFile, Span
from nymproxy_migrate.report import github, sarif, text
from nymproxy_migrate.report import json as json_report
from nymproxy_migrate.scan import ScanResult, scan

if TYPE_CHECKING:
    import pytest

PATH = "a b,c:\x1b[2J\udcff.sh"
DATA = b"#\n\xe9\xe9 old \\\n new\n"


def result() -> ScanResult:
    span = Span(DATA.index(b"old"), DATA.index(b"new") + 3)
    found = Finding(PATH, span, "NYM001", Kind.COMMAND_CLIENT, "50 %\nof it", "why", "do it")
    info = Finding("b", Span(0, 0), "NYM092", Kind.DOCS, "gone", "why", "look", Action.INFO)
    return ScanResult(Path("/x"), (found, info), {PATH: SourceFile(PATH, DATA)}, 2)


def test_text_cannot_steer_the_terminal() -> None:
    report = text.render(result())
    assert "\x1b" not in report
    assert report.splitlines()[0] == ("/x/a b,c:?[2J\\udcff.sh:2:4: NYM001 50 %?of it [report]")
    assert report.endswith(
        "2 files read: 0 to rewrite, 1 to look at, 1 for information; 0 need a human\n"
    )


def test_github_annotations_are_escaped() -> None:
    first, second = github.render(result()).splitlines()
    assert first.startswith("::warning file=/x/a b%2Cc%3A")
    assert first.endswith("line=2,endLine=3,col=4,title=NYM001::50 %25%0Aof it. do it")
    assert second == "::notice file=/x/b,line=1,endLine=1,col=1,title=NYM092::gone. look"


def test_sarif_names_places_and_rules() -> None:
    log = json.loads(sarif.render(result(), "1.2"))
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["NYM001", "NYM092"]
    assert [each["level"] for each in run["results"]] == ["warning", "note"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "/x/a%20b%2Cc%3A%1B%5B2J%FF.sh"
    start = place["region"]["byteOffset"]
    assert DATA[start : start + place["region"]["byteLength"]] == b"old \\\n new"


def test_json_counts_lines_and_bytes() -> None:
    first, second = json.loads(json_report.render(result(), "1"))["findings"]
    assert (first["line"], first["end_line"], first["column"]) == (2, 3, 4)
    assert (second["line"], second["end_line"], second["column"]) == (1, 1, 1)


def test_paths_are_as_one_opens_them_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "a.sh").write_text("nym-proxy-client -s A\n")
    monkeypatch.chdir(tmp_path)
    result = scan([Path("deploy")])
    assert text.render(result).startswith("deploy/a.sh:1:1: ")
    assert "file=deploy/a.sh,line=1" in github.render(result)
    assert '"uri": "deploy/a.sh"' in sarif.render(result, "1")
    monkeypatch.chdir("/")
    assert text.render(result).startswith(f"{str(tmp_path)[1:]}/deploy/a.sh:1:1: ")
    monkeypatch.chdir(tmp_path / "deploy")
    assert text.render(result).startswith("a.sh:1:1: ")
