"""Plans: they fit their schema, and exactly they are applied, or nothing."""

from __future__ import annotations

import io
import json
import shutil
import sys
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from nymproxy_migrate import plan
from nymproxy_migrate.changes import FileChange, change
from nymproxy_migrate.cli import main
from nymproxy_migrate.model import Edit, Span
from nymproxy_migrate.refused import Refused
from tests.migrate.tools import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLIENT = f"nym-proxy-client -s {ADDRESS} --client-pool-reserve 4\n"
SERVER = "nym-proxy-server -u 127.0.0.1:22 -c /srv/nym\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a.sh").write_text(CLIENT)
    (root / "b.sh").write_bytes(b"# \xe9\nexec nym-proxy-client -s A\n")
    (root / "Procfile").write_text("x: $PROXY nym-proxy-client\n")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def plan_file(tree: Path, tmp_path: Path) -> Path:
    main(["plan", "-o", str(tmp_path / "plan.json")])
    return tmp_path / "plan.json"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def schema(name: str) -> dict[str, Any]:
    text = (files("nymproxy_migrate") / f"schemas/{name}.schema.json").read_text()
    document: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(document)
    return document


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}


def test_the_plan_fits_its_schema(plan_file: Path) -> None:
    document = read(plan_file)
    jsonschema.validate(document, schema("plan"))
    assert [file["path"] for file in document["files"]] == ["a.sh", "b.sh"]
    (decision,) = [each for each in document["decisions"] if each["code"] == "NYM060"]
    assert decision["choices"] == ["per-connection", "pool", "shared"]
    assert decision["taken"] is None


def test_scans_fit_their_schema(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["scan", "--json"])
    jsonschema.validate(json.loads(capsys.readouterr().out), schema("scan"))


def test_a_plan_does_what_a_rewrite_does(tree: Path, plan_file: Path, tmp_path: Path) -> None:
    before = contents(tree)
    shutil.copytree(tree, tmp_path / "copy")
    main(["rewrite", "--write", str(tmp_path / "copy")])
    assert main(["rewrite", "--plan", str(plan_file)]) == 0
    assert contents(tree) == contents(tmp_path / "copy") != before
    assert main(["rewrite", "--plan", str(plan_file)]) == 0  # nothing is left of it
    assert main(["rollback"]) == 0
    assert contents(tree) == before


def test_a_plan_follows_a_tree_that_was_moved(tree: Path, plan_file: Path, tmp_path: Path) -> None:
    moved = tree.rename(tmp_path / "moved")
    assert main(["rewrite", "--plan", str(plan_file)]) == 2
    assert main(["rewrite", "--plan", str(plan_file), "--root", str(moved)]) == 0
    assert (moved / "a.sh").read_text().startswith("nymproxy client ")


def test_a_plan_goes_through_a_pipe(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["plan", "-o", "-"])
    text = capsys.readouterr().out
    jsonschema.validate(json.loads(text), schema("plan"))
    assert not (tree / "-").exists()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["rewrite", "--plan", "-"]) == 0
    assert (tree / "a.sh").read_text().startswith("nymproxy client ")


def another_file(document: dict[str, Any]) -> None:
    document["files"][0]["path"] = "../a.sh"


def another_edit(document: dict[str, Any]) -> None:
    document["files"][0]["edits"][0]["replacement"] = "rm -rf"


def another_original(document: dict[str, Any]) -> None:
    document["files"][0]["edits"][0]["original"] = "x"


def twice(document: dict[str, Any]) -> None:
    document["files"] *= 2


def no_edits(document: dict[str, Any]) -> None:
    document["files"][0]["edits"] = None


def negative(document: dict[str, Any]) -> None:
    document["files"][0]["edits"][0]["start"] = -1


def another_version(document: dict[str, Any]) -> None:
    document["schema_version"] = 2


@pytest.mark.parametrize(
    "spoil",
    [another_file, another_edit, another_original, twice, no_edits, negative, another_version],
)
def test_a_plan_that_was_spoilt_is_refused(
    tree: Path,
    plan_file: Path,
    spoil: Callable[[dict[str, Any]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = contents(tree)
    document = read(plan_file)
    spoil(document)
    plan_file.write_text(json.dumps(document))
    capsys.readouterr()
    assert main(["rewrite", "--plan", str(plan_file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert contents(tree) == before


def test_a_file_that_has_changed_is_refused(tree: Path, plan_file: Path) -> None:
    (tree / "b.sh").write_text("else\n")
    before = contents(tree)
    with pytest.raises(Refused, match=r"b\.sh: it has changed since the plan was made"):
        plan.read(plan_file)
    assert main(["rewrite", "--plan", str(plan_file)]) == 2
    assert contents(tree) == before


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    each: FileChange = change("a", b"a\xe9b", [Edit(Span(1, 2), b"\xff")])
    (tmp_path / "a").write_bytes(each.before)
    document = {"schema_version": 1, "root": str(tmp_path), "files": [plan.file_entry(each)]}
    (tmp_path / "plan.json").write_text(json.dumps(document))
    assert plan.read(tmp_path / "plan.json", tmp_path) == plan.Read(tmp_path, [each], [])


STREAM = ("--decide", "NYM063=stream")


def test_decisions_and_the_stream_wire(tree: Path, tmp_path: Path) -> None:
    (tree / "b.sh").write_text(SERVER)
    output = tmp_path / "plan.json"
    main(["plan", "-o", str(output), "--decide", "nym060=shared", "--to", "stream", *STREAM])
    document = read(output)
    assert document["options"]["decisions"] == {"NYM060": "shared", "NYM063": "stream"}
    assert document["options"]["to"] == "stream"
    assert main(["rewrite", "--plan", str(output)]) == 0
    written = (tree / "a.sh").read_text()
    assert "--identity-mode shared" in written
    assert "--wire stream" in written


def test_a_plan_stands_alone(tree: Path, plan_file: Path) -> None:
    assert main(["rewrite", "--plan", str(plan_file), "--to", "stream"]) == 2
    assert main(["rewrite", "--root", "."]) == 2
