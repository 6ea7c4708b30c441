"""The lines of a result file, and the env line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cells import PROFILES, WORKLOADS, Cell
from benchmarks.environment import environment_record
from benchmarks.records import Record, RecordError, Sample, read_records, write_records
from benchmarks.results import Results
from tests.benchmarks.builders import record

if TYPE_CHECKING:
    from pathlib import Path

KEYS = [
    *("workload", "profile", "peer_client", "peer_server", "nodes", "params", "sample"),
    *("ok", "error", "t", "env_id"),
]


def test_a_line_has_exactly_the_keys_of_the_schema() -> None:
    line = json.loads(record(0.125, size=64).to_line())
    assert list(line) == KEYS
    assert line["sample"] == {"unit": "s", "value": 0.125}
    assert line["params"] == {"size": 64, "wire": "stream", "metric": "rtt"}
    assert line["error"] is None


@given(
    value=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    size=st.integers(),
    error=st.text(min_size=1),
)
def test_lines_round_trip(value: float | None, size: int, error: str) -> None:
    before = record(value, size=size, error=error if value is None else None)
    assert Record.from_line(before.to_line()) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workload", ""),
        ("peer_client", "go"),
        ("nodes", "none"),
        ("params", {"metric": "rtt"}),
        ("params", {"wire": "stream"}),
        ("params", {"wire": "carrier pigeon", "metric": "rtt"}),
        ("params", []),
        ("sample", None),
        ("sample", {"unit": "s"}),
        ("sample", {"unit": "s", "value": "1"}),
        ("sample", {"unit": "s", "value": True}),
        ("ok", False),
        ("ok", 1),
        ("error", "but it went well"),
        ("t", "now"),
        ("env_id", 7),
    ],
)
def test_what_is_not_of_the_schema_is_refused(name: str, value: Any) -> None:
    line = json.loads(record(1.0).to_line()) | {name: value}
    with pytest.raises(RecordError):
        Record.from_line(json.dumps(line))


@pytest.mark.parametrize("line", ["", "[]", "{", "null", '{"workload": "W1"}'])
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(RecordError):
        Record.from_line(line)


def test_files_round_trip_and_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "results" / "out.jsonl"
    records = [record(1.0), record(2.0)]
    write_records(path, records)
    assert read_records(path) == records
    path.write_text(path.read_text() + "\nnonsense\n")
    with pytest.raises(RecordError, match="line 4"):
        read_records(path)


def test_the_env_line_states_everything() -> None:
    line = environment_record(seed=7, scale="quick", processes=2, runs=3, t=1.0)
    assert Record.from_line(line.to_line()) == line
    assert line.workload == "env"
    assert line.sample is None
    facts = line.params
    for name in ("commit", "python", "cpu", "cores", "kernel", "backend", "load_average"):
        assert facts[name]
    assert facts["dependencies"]["cryptography"]
    assert facts["sphinx_version"] == 259
    assert set(facts["profiles"]) == set(PROFILES)
    assert facts["profiles"]["default"]["mean_hop_delay_seconds"] == 0.015
    assert facts["profiles"]["bare"]["cover"] is False
    assert facts["surbs"]["legacy"]["first"] == 100


def test_the_env_id_names_the_conditions_not_the_moment() -> None:
    first = environment_record(seed=7, scale="quick", processes=1, runs=0, t=1.0)
    later = environment_record(seed=7, scale="quick", processes=1, runs=0, t=2.0)
    other = environment_record(seed=8, scale="quick", processes=1, runs=0, t=1.0)
    assert first.env_id == later.env_id
    assert first.env_id != other.env_id


def test_results_are_of_the_schema_whatever_the_workload() -> None:
    results = Results(replace(record(1.0), workload="env", env_id="xyz"))
    for workload in WORKLOADS:
        cell = Cell(workload, "bare", "stream", {"size": 1})
        results.add(cell, "cpu", "us", 3, wire="both", operation="unwrap")
    went_well = results.ok
    results.fail(Cell("W3", "bare", "legacy", {"bytes": 10}), "goodput", "another SHA-256")
    assert (went_well, results.ok) == (True, False)
    for line in results.records:
        line.check()
        assert line.env_id == "xyz"
    good, bad = results.records[1], results.records[-1]
    assert good.params == {"size": 1, "operation": "unwrap", "wire": "both", "metric": "cpu"}
    assert good.sample == Sample("us", 3)
    assert (bad.sample, bad.error, bad.wire) == (None, "another SHA-256", "legacy")
