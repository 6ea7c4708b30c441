"""Every JSON that the tool prints fits the schema that it publishes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from nymproxy_migrate import schemas
from nymproxy_migrate.cli import main
from nymproxy_migrate.model import Kind
from nymproxy_migrate.rules import RULES
from tests.migrate.tools import ADDRESS

if TYPE_CHECKING:
    from pathlib import Path

CLIENT = f"nym-proxy-client -s {ADDRESS} --client-pool-reserve 4\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a.sh").write_text(CLIENT)
    (tmp_path / "b.sh").write_bytes(b"# \xe9\nexec nym-proxy-client -s A\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(name: str, text: str) -> dict[str, Any]:
    schema = json.loads(schemas.text(name))
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, schema)
    return document


@pytest.mark.parametrize("name", schemas.names())
def test_each_schema_is_one_and_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(document)
    assert {"schema_version", "tool_version"} <= set(document["required"])


def test_an_unknown_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "nonsense"]) == 2
    assert "there are doctor, explain," in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scan", "plan", "rewrite"])
def test_the_schemas_know_every_kind(name: str) -> None:
    schema = json.loads(schemas.text(name))
    properties = schema["properties"]
    findings = properties["findings" if name == "scan" else "left_for_a_human"]
    assert findings["items"]["properties"]["kind"]["enum"] == [kind.value for kind in Kind]


def test_scan(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--json"]) == 1
    assert checked("scan", capsys.readouterr().out)["findings"]


@pytest.mark.parametrize("code", RULES)
def test_explain(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--json", code.lower()]) == 0
    assert checked("explain", capsys.readouterr().out)["code"] == code


def test_rewrite_and_rollback(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (tree / "a.sh").read_bytes(), (tree / "b.sh").read_bytes()
    assert main(["rewrite", "--json"]) == 1
    shown = checked("rewrite", capsys.readouterr().out)
    assert shown["run"] is None
    assert [file["path"] for file in shown["files"]] == ["a.sh", "b.sh"]
    assert ((tree / "a.sh").read_bytes(), (tree / "b.sh").read_bytes()) == before

    main(["rewrite", "--json", "--write"])
    written = checked("rewrite", capsys.readouterr().out)
    assert written["files"] == shown["files"]
    assert "nymproxy client" in (tree / "a.sh").read_text()

    assert main(["rollback", "--json"]) == 0
    undone = checked("rollback", capsys.readouterr().out)
    assert (undone["run"], undone["restored"], undone["root"]) == (written["run"], 2, str(tree))
    assert [file["sha256"] for file in undone["files"]] == [
        file["sha256"] for file in shown["files"]
    ]
    assert ((tree / "a.sh").read_bytes(), (tree / "b.sh").read_bytes()) == before


def test_nothing_to_write_has_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rewrite", "--json", "--write", str(tmp_path)]) == 0
    assert checked("rewrite", capsys.readouterr().out)["run"] is None


def test_a_plan_and_what_was_written_of_it(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    main(["plan", "-o", str(path)])
    planned = checked("plan", path.read_text())
    capsys.readouterr()
    state = tmp_path_factory.mktemp("state")
    assert main(["rewrite", "--json", "--plan", str(path), "--state-dir", str(state)]) == 0
    written = checked("rewrite", capsys.readouterr().out)
    assert written["files"] == planned["files"]
    assert main(["rollback", "--json", "--state-dir", str(state)]) == 0
    assert checked("rollback", capsys.readouterr().out)["run"] == written["run"]
