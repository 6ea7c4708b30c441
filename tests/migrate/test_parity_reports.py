"""Verdicts of parity, and its reports for programs and people."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from xml.etree import ElementTree

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nymproxy.testing.counters import NetworkTotals
from nymproxy.testing.workloads import WorkloadResult
from nymproxy_migrate.parity import verdicts
from nymproxy_migrate.parity.compare import compare
from nymproxy_migrate.parity.measure import (
    Linkability,
    Measured,
    Refusal,
    SideMeasurements,
)
from nymproxy_migrate.parity.model import (
    WORKLOADS,
    GoodputSeries,
    MixDelays,
    PacketsSeries,
    ParityReport,
    Row,
    Side,
    Verdict,
)
from nymproxy_migrate.parity.relay import RelayTotals
from nymproxy_migrate.parity.run import _slower, doubt_of
from nymproxy_migrate.parity.verdicts import Allowance
from nymproxy_migrate.report import html, junit, parity_json, parity_text

VALUES = st.floats(0, 1e9)
ALLOWANCES = st.builds(Allowance, st.floats(0, 2), st.floats(0, 1e6))


@given(VALUES, VALUES, ALLOWANCES)
def test_worse_mirrors_better(legacy: float, stream: float, allowance: Allowance) -> None:
    verdict = verdicts.lower_is_better(legacy, stream, allowance)
    if verdict is Verdict.BETTER:
        assert stream < legacy
    elif verdict is Verdict.WORSE:
        assert stream > legacy
        assert verdicts.lower_is_better(stream, legacy, allowance) is Verdict.BETTER
    assert verdicts.lower_is_better(legacy, legacy, allowance) is Verdict.SAME


@given(VALUES, VALUES, VALUES, ALLOWANCES)
def test_more_is_never_better(
    legacy: float, stream: float, more: float, allowance: Allowance
) -> None:
    order = [Verdict.BETTER, Verdict.SAME, Verdict.WORSE]
    first = verdicts.lower_is_better(legacy, stream, allowance)
    second = verdicts.lower_is_better(legacy, stream + more, allowance)
    assert order.index(second) >= order.index(first)


def test_the_larger_part_of_an_allowance_counts() -> None:
    allowance = Allowance(0.3, 20, "ms")
    assert verdicts.lower_is_better(10, 29, allowance) is Verdict.SAME
    assert verdicts.lower_is_better(10, 31, allowance) is Verdict.WORSE
    assert verdicts.lower_is_better(1000, 1300, allowance) is Verdict.SAME
    assert verdicts.lower_is_better(1000, 1301, allowance) is Verdict.WORSE
    assert (str(allowance), str(verdicts.NONE)) == ("30 % or 20 ms", "none")


def test_goodput_may_fall_by_its_share() -> None:
    assert verdicts.goodput(7.0, 9.9) is Verdict.SAME
    assert verdicts.goodput(7.0, 10.1) is Verdict.WORSE
    assert verdicts.goodput(0.2, 1.1) is Verdict.SAME
    assert verdicts.goodput(0.2, 7.2) is Verdict.WORSE


@pytest.mark.parametrize("legacy", [True, False])
def test_wrong_bytes_are_worse_even_if_both_are_wrong(legacy: bool) -> None:
    assert verdicts.correct(legacy, False) is Verdict.WORSE
    assert verdicts.correct(legacy, True) is (Verdict.SAME if legacy else Verdict.BETTER)


def measured(
    *, problem: str | None = None, ends: int = 1, packets: int = 100, seen: int = 1
) -> Measured:
    result = WorkloadResult(
        "w",
        problem is None,
        problem,
        payload_bytes=100_000,
        first_byte_seconds=0.1,
        seconds=1.0,
        connections=1,
        ends_of_data=ends,
        progress=((0.1, 50_000), (0.9, 100_000)),
        round_trips_seconds=(0.01, 0.02),
    )
    network = NetworkTotals(packets, packets * 2413, 0, 0)
    return Measured(result, RelayTotals(seen, ends, 0), network)


def side(name: Side, tags: int = 3, **changed: Measured) -> SideMeasurements:
    return SideMeasurements(
        name,
        {workload: changed.get(workload) or measured() for workload in WORKLOADS},
        Refusal(visible=True, seconds=0.1),
        Linkability(3, tags, 5),
        {"client": 60 << 20, "server": 60 << 20},
    )


def names_of_worse(stream: SideMeasurements) -> list[str]:
    rows = compare(side(Side.LEGACY), stream)
    assert len({row.name for row in rows}) == len(rows)
    return [row.name for row in rows if row.verdict is Verdict.WORSE]


def test_each_difference_is_named() -> None:
    assert names_of_worse(side(Side.STREAM)) == []
    assert names_of_worse(side(Side.STREAM, upload=measured(packets=126))) == [
        "upload.packets_per_kb",
        "upload.wire_bytes_per_byte",
    ]
    assert names_of_worse(side(Side.STREAM, half_close=measured(ends=0))) == [
        "half_close.eof_at_app",
        "half_close.eof_at_upstream",
    ]
    assert names_of_worse(side(Side.STREAM, at_once=measured(seen=2))) == ["at_once.connections"]
    assert names_of_worse(side(Side.STREAM, echo=measured(problem="gone"))) == ["echo.digest"]


def test_what_a_server_can_link_is_never_waved_through() -> None:
    rows = {row.name: row for row in compare(side(Side.LEGACY), side(Side.STREAM, tags=1))}
    row = rows["linkability.sender_tags"]
    assert (row.verdict, row.allowance, row.legacy, row.stream) == (Verdict.WORSE, "none", 3, 1)
    assert "can link" in row.note


def test_identities_in_reserve_are_no_matter() -> None:
    for registered, reserve, verdict in (
        (7, 2, Verdict.SAME),
        (8, 2, Verdict.WORSE),
        (9, 4, Verdict.SAME),
        (1, 2, Verdict.SAME),
    ):
        stream = side(Side.STREAM)
        stream.linkability = Linkability(3, 3, registered, reserve)
        rows = {row.name: row for row in compare(side(Side.LEGACY), stream)}
        assert rows["linkability.identities"].verdict is verdict


def test_what_nobody_counted_is_skipped_with_its_reason() -> None:
    stream = SideMeasurements(Side.STREAM, {"download": Measured(measured().result)})
    rows = {row.name: row for row in compare(side(Side.LEGACY), stream)}
    assert rows["download.digest"].verdict is Verdict.SAME
    skipped = [row for row in rows.values() if row.verdict is Verdict.SKIPPED]
    assert {"download.packets_per_kb", "greeting.digest", "memory.server_peak"} <= {
        row.name for row in skipped
    }
    assert all(row.note for row in skipped)


def report(*more: Row) -> ParityReport:
    rows = compare(side(Side.LEGACY), side(Side.STREAM, at_once=measured(seen=2)))
    return ParityReport(
        "1.2",
        "2026-01-02T03:04:05Z",
        12.5,
        "localnet",
        {"python": "3.11", "processors": "2"},
        (*rows, *more),
        dict.fromkeys(Side, (0.01, 0.02)),
        (GoodputSeries("download", Side.STREAM, (0.1, 0.2), (10, 20)),),
        (PacketsSeries("download", Side.LEGACY, 3, 7239, 20),),
        MixDelays(3, 0.05),
    )


NASTY = Row("x.y", "<&\x00\x1b]]>\ud800", "x", '"', "\x01", None, Verdict.SKIPPED, note="\x0b&")


def test_json_follows_its_schema() -> None:
    schema = json.loads(
        files("nymproxy_migrate").joinpath("schemas/parity.schema.json").read_text()
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(parity_json.render(report()))
    jsonschema.validate(document, schema)
    assert document["worse"] == ["at_once.connections"]
    assert document["series"]["echo_round_trips_seconds"]["stream"] == [0.01, 0.02]
    empty = ParityReport("1", "2026-01-02T03:04:05Z", 0.0, "servers", {}, ())
    jsonschema.validate(json.loads(parity_json.render(empty)), schema)


def test_junit_has_one_case_for_each_row() -> None:
    found = report(NASTY)
    suite = ElementTree.fromstring(junit.render(found))[0]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [row.name for row in found.rows]
    assert [case.get("name") for case in cases if case.find("failure") is not None] == [
        "at_once.connections"
    ]
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "1")


def test_text_says_what_is_worse_and_what_was_skipped() -> None:
    text = parity_text.render(report(NASTY))
    lines = text.splitlines()
    assert lines[0].startswith("the stream way falls behind: ")
    worse = lines.index(next(line for line in lines if line.startswith("WORSE")))
    assert lines[worse + 1].split() == [
        "Connections",
        "at",
        "once:",
        "connections",
        "at",
        "the",
        "upstream",
        "1",
        "2",
    ]
    assert lines[worse + 2] == "    1 made"
    assert "skipped x.y: " in text
    assert parity_text.value_text(True) == "yes"
    assert parity_text.value_text(1234567.5) == "1,234,567.5"


@pytest.mark.parametrize("columns", [80, 120])
def test_text_ends_where_the_terminal_does(columns: int) -> None:
    compared = {Side.LEGACY: "the old programs: " + "/opt/nym " * 20, Side.STREAM: "ours"}
    found = replace(report(), compared=compared, command="nymproxy-migrate parity --quick")
    text = parity_text.render(found, columns)
    assert max(map(len, text.splitlines())) <= columns
    assert text.startswith("legacy side: the old programs: /opt/nym ")
    assert text.endswith("again: nymproxy-migrate parity --quick\n")
    assert "\nsame: First byte " in text


def test_figures_of_a_table_stand_below_each_other() -> None:
    rows = [
        Row("a.b", "Something with a title that is longer than the column for it is", "a", "ms",
            1234.5, 9.0, Verdict.WORSE, "30 % or 25 ms"),
        Row("a.c", "Other", "a", "kB/s", 1, 22222, Verdict.WORSE),
    ]  # fmt: skip
    text = parity_text.render(replace(report(), rows=tuple(rows)), 80)
    ends = {line.index("ms") for line in text.splitlines() if line.endswith("  ms")}
    ends |= {line.index("kB/s") for line in text.splitlines() if line.endswith("kB/s")}
    assert len(ends) == 1
    assert "    allowed: 30 % or 25 ms\n" in text


def test_only_times_are_worth_a_second_look() -> None:
    def seen(**changed: Measured) -> set[str]:
        stream = side(Side.STREAM)
        stream.workloads |= changed
        return _slower({Side.LEGACY: side(Side.LEGACY), Side.STREAM: stream})

    slow = measured()
    slow = replace(slow, result=replace(slow.result, seconds=60.0))
    assert seen() == set()
    assert seen(upload=slow, at_once=slow) == {"upload", "at_once"}
    assert seen(download=measured(packets=200)) == {"download"}
    wrong = replace(slow, result=replace(slow.result, ok=False, problem="gone"))
    assert seen(upload=wrong, at_once=slow) == {"at_once"}


def test_who_ran_it_on_a_busy_machine_is_told_not_to_believe_it() -> None:
    """Beside other programs all workloads of both sides had failed, and the report blamed one."""
    assert doubt_of(2.0, 2) == ""
    doubted = replace(report(), doubt=doubt_of(14.7, 2))
    sentence = "Other programs kept 14.7 processors of 2 busy before this began"
    assert sentence in parity_text.render(doubted, 200)
    assert sentence in html.render(doubted)
    assert "Other programs" not in parity_text.render(report(), 200) + html.render(report())
