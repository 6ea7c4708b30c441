"""The page is the one that the report makes, and the report holds what it must."""

from __future__ import annotations

import json
from dataclasses import replace

from interop.__main__ import PAGE, REPORT, read_report
from interop.cells import CELLS, Client, Server, Workload, why_no_end_of_data, why_not
from interop.examples import EXAMPLES, SERVERS
from interop.matrix import FULL
from interop.page import page
from interop.records import (
    CellRecord,
    ExampleRecord,
    IdentityRecord,
    Outcome,
    Report,
    WorkloadRecord,
)
from nymproxy.testing.workloads import WorkloadResult


def _result(*, ok: bool, ends_of_data: int = 0) -> WorkloadResult:
    return WorkloadResult(
        name="download",
        ok=ok,
        problem=None if ok else "another SHA-256",
        payload_bytes=100_000,
        first_byte_seconds=0.51234,
        seconds=2.0,
        connections=1,
        ends_of_data=ends_of_data,
    )


def _report(*records: WorkloadRecord, must: bool = True) -> Report:
    found = {record.workload: record for record in records}
    workloads = tuple(
        found.get(one, WorkloadRecord.impossible(one, "not in this test")) for one in Workload
    )
    environment = {
        "nym_sdk": "1.21.6",
        "date": "2026-01-01",
        "commit": "abc",
        "python": "3.11",
        "cores": 2,
        "cpu": "some",
    }
    cell = CellRecord("Rust one", "our one", must, 0.5, 1.25, workloads)
    return Report("quick", 100_000, environment, (cell,))


def test_the_page_is_made_from_the_report() -> None:
    assert PAGE.read_text() == page(read_report()), "run `python -m interop --render`"


def test_the_report_is_of_everything_and_everything_passed_that_must() -> None:
    report = read_report()
    assert report.scale == FULL.name
    assert [(cell.client, cell.server) for cell in report.cells] == [
        (cell.client.value, cell.server.value) for cell in CELLS
    ]
    for cell in report.cells:
        assert [one.workload for one in cell.workloads] == list(Workload)
    assert len(report.identity) == 5
    assert [(one.name, one.server) for one in report.examples] == [
        (name, server.value) for server in SERVERS for name in EXAMPLES
    ]
    assert report.ok


def test_the_report_says_not_applicable_only_where_a_rule_does() -> None:
    for record, cell in zip(read_report().cells, CELLS, strict=True):
        for one in record.workloads:
            reason = why_not(cell, one.workload)
            assert (one.outcome is Outcome.IMPOSSIBLE) == (reason is not None)
            if reason is not None:
                assert one.problem == reason
            elif one.outcome is Outcome.PASSED and why_no_end_of_data(cell) is None:
                assert one.ends_of_data == one.connections


def test_the_report_survives_reading_and_writing() -> None:
    text = REPORT.read_text()
    assert json.dumps(read_report().to_json(), indent=1) + "\n" == text


def test_a_failure_counts_only_where_everything_must_pass() -> None:
    failed = WorkloadRecord.from_result(Workload.DOWNLOAD, _result(ok=False), 10, None)
    assert not _report(failed).ok
    assert _report(failed, must=False).ok
    assert "**failed**" in page(_report(failed))
    assert "| Rust one → our one | download | another SHA-256 |" in page(_report(failed))


def test_a_warning_of_a_rust_program_is_a_failure() -> None:
    passed = WorkloadRecord.from_result(Workload.DOWNLOAD, _result(ok=True), 10, None)
    assert passed.with_warnings([]) is passed
    warned = passed.with_warnings(["duplicate fragment", "another"])
    assert warned.outcome is Outcome.FAILED
    assert warned.problem == "2 warnings of a Rust program, the first: duplicate fragment"
    failed = WorkloadRecord.failed(Workload.DOWNLOAD, "not ready")
    assert failed.with_warnings(["duplicate fragment"]).problem == "not ready"


def test_with_cover_the_cells_of_one_rust_end_are_run_and_not_twenty_at_once() -> None:
    mixed = [cell for cell in CELLS if cell.is_mixed]
    assert [(cell.client.is_rust, cell.server.is_rust) for cell in mixed] == [
        *[(False, True), (True, False)] * 2,
        (True, False),
    ]
    for cell in mixed:
        assert why_not(cell, Workload.AT_ONCE) is None
        assert why_not(cell, Workload.AT_ONCE, "default") is not None
        assert why_not(cell, Workload.DOWNLOAD, "default") is None


def test_the_page_names_the_profile_of_our_ends() -> None:
    report = _report()
    assert "`--profile bare`" in page(report)
    environment = {**report.environment, "profile": "default"}
    assert "`--profile default`" in page(replace(report, environment=environment))


def test_a_passed_workload_shows_its_figures() -> None:
    passed = WorkloadRecord.from_result(
        Workload.DOWNLOAD, _result(ok=True, ends_of_data=1), 10, None
    )
    text = page(_report(passed))
    assert "| ok, 0.51 s, 50 kB/s |" in text
    assert "What failed" not in text


def test_an_end_of_data_that_cannot_come_is_named_with_its_reason() -> None:
    passed = WorkloadRecord.from_result(Workload.DOWNLOAD, _result(ok=True), 10, "it is not told")
    text = page(_report(passed))
    assert "| ok, 0.51 s, 50 kB/s, no end |" in text
    assert "| Rust one → our one | no end of data to the app | it is not told |" in text


def test_a_directory_with_another_address_fails_the_run() -> None:
    turns = (IdentityRecord("Rust", False, True), IdentityRecord("ours", True, False))
    good, bad = (replace(_report(), identity=found) for found in (turns[:1], turns))
    assert (good.ok, bad.ok) == (True, False)
    assert "| 1 | Rust | yes | SIGTERM |" in page(good)
    assert "| 2 | ours | **no**: another address | SIGKILL |" in page(bad)
    assert Report.from_json(json.loads(json.dumps(bad.to_json()))) == bad


def test_an_example_that_loses_a_message_fails_the_run() -> None:
    found = (ExampleRecord("one.py", "Rust"), ExampleRecord("two.py", "Rust", "gone"))
    good, bad = (replace(_report(), examples=chosen) for chosen in (found[:1], found))
    assert (good.ok, bad.ok) == (True, False)
    assert "| one.py | Rust | yes |" in page(good)
    assert "| two.py | Rust | **no**: gone |" in page(bad)
    assert Report.from_json(json.loads(json.dumps(bad.to_json()))) == bad


def test_only_pairs_of_rust_programs_are_baselines() -> None:
    for cell in CELLS:
        assert cell.must == (not (cell.client.is_rust and cell.server.is_rust))


def test_nothing_is_impossible_between_our_programs() -> None:
    ours = [cell for cell in CELLS if not cell.client.is_rust and not cell.server.is_rust]
    assert len(ours) == 3
    for cell in ours:
        assert why_no_end_of_data(cell) is None
        assert [why_not(cell, workload) for workload in Workload] == [None] * len(Workload)


def test_the_end_of_data_is_missing_only_behind_an_old_peer() -> None:
    silent = (Server.RUST_PROXY, Server.RUST_ACCEPTOR)
    for cell in CELLS:
        expected = cell.client is Client.RUST_PROXY or cell.server in silent
        assert (why_no_end_of_data(cell) is not None) == expected
