"""Every tree of the corpus: found, rewritten as expected, rewritten once only, and restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nymproxy_migrate.apply import apply
from nymproxy_migrate.changes import changes_of
from nymproxy_migrate.model import Action
from nymproxy_migrate.report.json import as_object
from nymproxy_migrate.rollback import roll_back
from nymproxy_migrate.rules import RULES
from nymproxy_migrate.scan import ScanResult, scan
from tests.migrate.corpus_cases import Case, files_below, load
from tests.migrate.tools import parses

if TYPE_CHECKING:
    from pathlib import Path

CASES = load()
SOMEBODY = "/home/whoever-runs-the-tool"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", SOMEBODY)


def found(result: ScanResult, *, info: bool) -> list[str]:
    """Return what a scan found, as the corpus writes it."""
    return sorted(
        f"{each.path}:{as_object(each, result)['line']} {each.code}"
        for each in result.findings
        if (each.action is Action.INFO) == info
    )


def snapshot(root: Path) -> dict[str, tuple[bytes, int, str]]:
    """Return bytes, modes and targets of links of all files."""
    return {
        str(path.relative_to(root)): (
            path.read_bytes() if path.is_file() else b"",
            path.lstat().st_mode,
            str(path.readlink()) if path.is_symlink() else "",
        )
        for path in root.rglob("*")
    }


def test_there_are_enough_cases_and_each_says_what_it_is_about() -> None:
    assert len(CASES) >= 60
    assert len({case.about for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    case.make(root)
    before = snapshot(root)
    files = files_below(root)

    result = scan([root], case.options)
    assert found(result, info=False) == sorted(case.findings)
    assert set(case.info) <= set(found(result, info=True))
    assert {each.code for each in result.findings} <= set(RULES)
    assert snapshot(root) == before

    changes = changes_of(result)
    state = tmp_path / "state"
    if changes:
        apply(root, changes, state)
    after = files_below(root)
    assert after == {**files, **case.expected}
    assert {path: mode for path, (_, mode, _) in snapshot(root).items()} == {
        path: mode for path, (_, mode, _) in before.items()
    }
    for path, data in files.items():
        assert SOMEBODY.encode() not in after[path]
        assert parses(path, after[path]) or not parses(path, data), path

    assert changes_of(scan([root], case.options)) == []
    if changes:
        roll_back(root, base=state)
    assert snapshot(root) == before
