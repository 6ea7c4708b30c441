"""Scans of whole trees: order, suppressions, both ends known, files that cannot be judged."""

from __future__ import annotations

import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from nymproxy import nym_address_of
from nymproxy_migrate import survey
from nymproxy_migrate.finders import FINDERS
from nymproxy_migrate.model import Action, Finding, Kind, Span, Unparsable
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.rules import RULES, explain
from nymproxy_migrate.scan import scan, scan_source
from tests.migrate.tools import ADDRESS, apply, check, codes, findings, source
from tests.migrate.workers import jobs

ARCHIVE = Path(__file__).resolve().parents[1] / "vectors" / "rust_config_dir.tar"
STREAM = ScanOptions(to="stream")


def test_findings_are_sorted_and_come_with_their_sources(tmp_path: Path) -> None:
    (tmp_path / "b.sh").write_text("ls\nnym-proxy-client -s B\nnym-proxy-client -s A\n")
    (tmp_path / "a.service").write_text("[Service]\nExecStart=nym-proxy-client -s A\n")
    (tmp_path / "c.txt").write_text("nothing\n")
    result = scan([tmp_path])
    places = [(found.path, found.span.start) for found in result.findings]
    assert places == sorted(places)
    assert [found.path for found in result.findings] == ["a.service", "b.sh", "b.sh"]
    assert list(result.sources) == ["a.service", "b.sh"]
    assert (result.root, result.files_read) == (tmp_path, 3)


def test_a_file_that_was_given_up_is_told_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan goes through a tree more than once, and a limit is one of the whole scan."""
    (tmp_path / "a.sh").write_text("nym-proxy-client -s A\n")
    monkeypatch.setattr(survey, "of_file", jobs.crash)
    for options in (None, STREAM):
        assert [each.code for each in scan([tmp_path], options).findings] == ["NYM090"]


def test_the_root_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.sh").write_text("nym-proxy-client -s A\n")
    (found,) = scan([tmp_path / "sub/a.sh"], root=tmp_path).findings
    assert found.path == "sub/a.sh"
    (found,) = scan([tmp_path / "sub/a.sh"]).findings
    assert found.path == "a.sh"


@pytest.mark.parametrize(
    "text",
    [
        "nym-proxy-client -s A  # nymproxy: ignore[NYM001]\n",
        "nym-proxy-client -s A  # nymproxy: ignore\n",
        "# nymproxy: ignore[nym001, NYM060]\nnym-proxy-client \\\n  -s A\n",
        "nym-proxy-client -s A \\\n  --close-timeout 1 # nymproxy: ignore[NYM001]\n",
    ],
)
def test_suppressions(text: str) -> None:
    assert findings("a.sh", text) == []


def test_a_suppression_counts_only_for_its_code_and_line() -> None:
    text = "# nymproxy: ignore[NYM002]\nnym-proxy-client -s A\n"
    assert [found.code for found in findings("a.sh", text)] == ["NYM091", "NYM001"]
    text = "# nymproxy: ignore\n\nnym-proxy-client -s A\n"
    assert [found.code for found in findings("a.sh", text)] == ["NYM091", "NYM001"]
    (unused,) = findings("a.txt", "nothing here  # nymproxy: ignore\n")
    assert (unused.code, unused.action) == ("NYM091", Action.INFO)


def test_unreadable_files_are_findings(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_bytes(b"x" * 100)
    (large,) = scan([tmp_path], ScanOptions(size_limit=10)).findings
    assert (large.code, large.action) == ("NYM092", Action.INFO)
    (missing,) = scan([tmp_path / "b.sh"]).findings
    assert (missing.code, missing.action) == ("NYM092", Action.REPORT)


@pytest.mark.parametrize("error", [Unparsable("broken", 5), ValueError("x"), RecursionError()])
def test_a_failing_finder_is_a_finding(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_source: object, _options: object) -> list[Finding]:
        raise error

    monkeypatch.setattr("nymproxy_migrate.finders.commands.find", find)
    found = scan_source(source("a.sh", "nym-proxy-client -s A\n"), ScanOptions())
    assert [finding.code for finding in found] == ["NYM090"]


def test_deep_nesting_is_no_crash() -> None:
    deep = "( " * 3000 + "nym-proxy-client -s A" + " )" * 3000
    assert codes("a.sh", deep) in (["NYM001"], ["NYM090"])
    yaml = "run: " + "[" * 500 + "nym-proxy-client" + "]" * 500
    assert codes("a.yml", yaml) in ([], ["NYM090"])
    json = '{"run": ' + "[" * 2000 + '"nym-proxy-client"' + "]" * 2000 + "}"
    assert codes("a.json", json) in ([], ["NYM090"])


def _tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        (root / f"{name}.sh").write_text(text)
    return root


def test_stream_where_the_server_is_known_by_its_config_directory(tmp_path: Path) -> None:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    (keys,) = tmp_path.iterdir()
    address = nym_address_of(keys)
    for server in (
        f"HOME={tmp_path} nym-proxy-server -u a:1 -c /{keys.name}\n",
        f"nymproxy server -u a:1 -c {keys}\n",
    ):
        _tree(tmp_path, a=f"nym-proxy-client -s {address}\nnym-proxy-client -s A\n", b=server)
        found = [each for each in scan([tmp_path], STREAM).findings if each.path == "a.sh"]
        clients = [each for each in found if each.code == "NYM001"]
        assert ["--wire stream" in each.message for each in clients] == [True, False]
        assert not any("--wire legacy" in each.message for each in clients)
        assert [each.code for each in found if each.decision] == ["NYM063"]


def test_one_server_in_the_tree_need_not_be_the_one_of_its_clients(tmp_path: Path) -> None:
    _tree(tmp_path, a='nym-proxy-client -s "$A"\n', b="nym-proxy-server -u a:1\n")
    found = {each.code: each for each in scan([tmp_path], STREAM).findings}
    assert "--wire" not in found["NYM001"].message
    assert (found["NYM063"].action, found["NYM063"].needs_human) == (Action.REPORT, True)
    for choice in ("auto", "stream"):
        options = replace(STREAM, decisions={"NYM063": choice})
        found = {each.code: each for each in scan([tmp_path], options).findings}
        assert ("--wire stream" in found["NYM001"].message) == (choice == "stream")
        assert "NYM063" not in found or found["NYM063"].action is Action.INFO


@pytest.mark.parametrize(
    "files",
    [
        {"a": "nym-proxy-client -s A\n"},
        {"a": "nym-proxy-client -s A\nnym-proxy-client -s B\n", "b": "nym-proxy-server -u a:1\n"},
        {"a": "nym-proxy-client -s A\n", "b": "nym-proxy-server -u a:1\nnym-proxy-server -u b:1\n"},
        {"a": "nym-proxy-client -s A\n", "b": "nym-proxy-server -u a:1 $X\n"},
    ],
)
def test_legacy_where_the_other_end_is_not_known(tmp_path: Path, files: dict[str, str]) -> None:
    result = scan([_tree(tmp_path, **files)], STREAM)
    texts = [edit.replacement for found in result.findings for edit in found.edits]
    assert not any(b"stream" in text and b"wire" in text for text in texts)


def test_stream_for_a_server_that_is_known() -> None:
    options = ScanOptions(to="stream", stream_servers=frozenset({ADDRESS}))
    check(
        "a.sh",
        f"nym-proxy-client -s {ADDRESS}\n",
        f"nymproxy client --wire stream -s {ADDRESS}\n",
        options,
    )


@pytest.mark.parametrize("wire", ["", "--wire legacy ", "--wire auto "])
def test_stream_finishes_what_was_rewritten_before(tmp_path: Path, wire: str) -> None:
    before = f'nymproxy client {wire}-s "$A"\n'
    _tree(tmp_path, a=before, b="nymproxy server --accept legacy,stream -u a:1\n")
    assert scan([tmp_path]).findings == ()
    assert [each.code for each in scan([tmp_path], STREAM).findings] == ["NYM063"]
    decided = replace(STREAM, decisions={"NYM063": "stream"})
    result = scan([tmp_path], decided)
    new = apply(before.encode(), result.findings)
    assert new == b'nymproxy client --wire stream -s "$A"\n'
    _tree(tmp_path, a=new.decode())
    assert scan([tmp_path], STREAM).findings == ()


@pytest.mark.parametrize("wire", ["--wire=legacy", "--wire $WIRE", "--wire stream"])
def test_a_wire_that_was_chosen_otherwise_is_left_alone(tmp_path: Path, wire: str) -> None:
    _tree(tmp_path, a=f'nymproxy client {wire} -s "$A"\n')
    decided = replace(STREAM, decisions={"NYM063": "stream"})
    assert scan([tmp_path], decided).findings == ()


def test_the_wire_of_a_rewritten_client_can_be_the_old_one() -> None:
    after = "nymproxy client --wire legacy -s A\n"
    check("a.sh", "nym-proxy-client -s A\n", after, ScanOptions(to="legacy"))


def test_identities_are_shared_only_by_decision() -> None:
    text = "nym-proxy-client -s A --client-pool-reserve 3\n"
    found = findings("a.sh", text)
    (finding,) = (one for one in found if one.code == "NYM060")
    assert (finding.kind, finding.action) == (Kind.LINKABILITY, Action.INFO)
    assert finding.decision == ("per-connection", "pool", "shared")
    assert b"identity-mode" not in apply(text.encode(), found)
    for mode in ("pool", "shared"):
        options = ScanOptions(decisions={"NYM060": mode})
        after = f"nymproxy client --identity-mode {mode} -s A\n"
        check("a.sh", "nym-proxy-client -s A\n", after, options)
        decided = findings("a.sh", "nym-proxy-client -s A\n", options)
        assert "can link" in next(one for one in decided if one.code == "NYM060").message


def test_the_effective_config_dir_and_the_gateway_are_said() -> None:
    found = findings("a.sh", "nym-proxy-server -u a:1 -c /x -g KEY\n")
    by_code = {finding.code: finding for finding in found}
    assert "$HOME/x" in by_code["NYM050"].message
    assert by_code["NYM050"].kind is Kind.CONFIG_DIR
    assert by_code["NYM061"].action is Action.INFO


def test_another_program_name() -> None:
    options = ScanOptions(program="/opt/nymproxy/bin/nymproxy")
    after = "/opt/nymproxy/bin/nymproxy client -s A\n"
    check("a.sh", "nym-proxy-client -s A\n", after, options)


@pytest.mark.parametrize("code", RULES)
def test_rules_explain_themselves(code: str) -> None:
    rule = RULES[code]
    text = explain(code.lower())
    assert text.startswith(f"{code}: ")
    assert rule.why in text
    assert rule.next in text
    assert rule.example_before.split("\n")[0] in text
    finding = rule.finding("a", Span(0, 0), "m")
    assert (finding.code, finding.kind, finding.why) == (code, rule.kind, rule.why)


def test_an_unknown_rule() -> None:
    with pytest.raises(KeyError):
        explain("NYM999")


@pytest.mark.parametrize(
    "text", ["a synonym", "anonymous", "anonymity", "anonymise", "pseudonyms", "client server"]
)
def test_files_without_a_name_load_no_parser(text: str) -> None:
    assert not any(entry.wants(source("a.yaml", text)) for entry in FINDERS)


@pytest.mark.slow
def test_memory_of_a_large_tree_stays_small(tmp_path: Path) -> None:
    """Only files with findings are kept, so memory does not grow with the tree."""
    for index in range(400):
        relevant = index % 100 == 0
        text = "nym-proxy-client -s A\n" if relevant else "ls -l\n"
        (tmp_path / f"{index}.sh").write_text(text + "# x\n" * 5000)
    scan([tmp_path / "0.sh"])  # parsers are loaded once
    tracemalloc.start()
    result = scan([tmp_path])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(result.sources) == 4
    assert peak < 10_000_000


def test_an_anchor_that_is_used_again_is_no_warning() -> None:
    text = "job:\n  a: &x 1\n  b: &x 2\n  script:\n  - nym-proxy-client -s A\n"
    assert codes(".gitlab-ci.yml", text) == ["NYM001"]
