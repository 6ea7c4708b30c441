"""Figures, targets and the tables made of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from benchmarks.environment import environment_record
from benchmarks.figures import Figure, figures
from benchmarks.table import beside_rows, main_rows, markdown, number, report
from benchmarks.targets import targets
from tests.benchmarks.builders import micro, record

if TYPE_CHECKING:
    from benchmarks.records import Record


def _bulk(
    value: float, direction: str = "up", wire: str = "stream", costs: dict[str, float] | None = None
) -> list[Record]:
    return [
        record(
            amount,
            "MB/s" if metric == "goodput" else "x",
            workload="W3",
            profile="bare",
            wire=wire,
            metric=metric,
            direction=direction,
            bytes=1_000_000,
        )
        for metric, amount in {"goodput": value, **(costs or {})}.items()
    ]


def _only(records: list[Record], metric: str) -> Figure:
    [figure] = [one for one in figures(records) if one.group.metric == metric]
    return figure


def test_samples_of_one_cell_are_pooled() -> None:
    records = [record(value, size=64) for value in (0.3, 0.1, 0.2)] + [record(9.0, size=1)]
    listed = figures(records)
    assert [len(one.samples) for one in listed] == [1, 3]
    summary = listed[1].summary
    assert summary is not None
    assert (summary.minimum, summary.p50) == (0.1, 0.2)


def test_an_echo_stands_beside_the_delay_bound() -> None:
    figure = _only([record(0.150, size=64)], "rtt")
    assert figure.bound is not None
    assert figure.bound.kind == "delay"
    assert figure.quotient == pytest.approx(1.2, rel=0.04)


def test_without_delays_cpu_is_the_bound() -> None:
    records = [
        record(0.010, size=64, profile="bare"),
        record(0.005, size=64, profile="bare", metric="cpu_per_request"),
    ]
    figure = _only(records, "rtt")
    assert figure.bound is not None
    assert (figure.bound.kind, figure.quotient) == ("CPU", 2.0)


def test_the_baseline_has_no_bound() -> None:
    assert _only([record(0.001, size=64, wire="tcp")], "rtt").bound is None


def test_goodput_stands_beside_its_bound() -> None:
    figure = _only(_bulk(0.5, costs={"cpu_bound": 1.0}), "goodput")
    assert figure.bound is not None
    assert (figure.bound.kind, figure.quotient) == ("CPU", 0.5)
    default = [
        record(0.07, "MB/s", workload="W3", metric="goodput", direction=direction, bytes=1_000_000)
        for direction in ("up", "both")
    ]
    both, up = (one.bound for one in figures(default))
    assert up is not None
    assert both is not None
    assert up.kind == "sending rate"
    assert both.value == pytest.approx(2 * up.value, rel=0.03)


def test_a_first_byte_waits_for_the_surbs() -> None:
    figures_by_wire = {
        wire: _only(
            [record(1.0, workload="W2", wire=wire, metric="first_byte_1", request=64)],
            "first_byte_1",
        )
        for wire in ("legacy", "stream")
    }
    legacy, stream = figures_by_wire["legacy"].bound, figures_by_wire["stream"].bound
    assert legacy is not None
    assert stream is not None
    assert legacy.value > 2 * stream.value > 0


def test_single_operations_stand_beside_their_scalar_multiplications() -> None:
    records = [
        *micro("data_packet", 700.0, 680.0),
        *micro("gateway_frame", 20.0),
        *micro("x25519", 30.0),
        *micro("x25519_base", 20.0),
    ]
    by_name = {one.group.param("operation"): one for one in figures(records)}
    bound = by_name["data_packet"].bound
    assert bound is not None
    assert bound.value == 9 * 30.0 + 3 * 20.0
    assert by_name["data_packet"].quotient == pytest.approx(680 / 330)
    assert by_name["gateway_frame"].bound is None
    assert figures(micro("unwrap", 1.0))[0].bound is None  # no primitives in this file


def test_runs_that_differ_are_marked() -> None:
    records = [*_bulk(1.0), *_bulk(0.8)]
    assert _only(records, "goodput").is_noisy
    assert "noisy" in report(records)
    assert not _only([*_bulk(1.0), *_bulk(0.95)], "goodput").is_noisy
    # Round trips differ by design; they say nothing about runs.
    assert not _only([record(0.1, size=1), record(0.2, size=1)], "rtt").is_noisy


def test_a_failed_run_has_no_rate_and_shows() -> None:
    failed = record(None, "MB/s", workload="W3", metric="goodput", error="another SHA-256")
    assert "0, 1 FAILED" in report([failed])
    good = record(0.07, "MB/s", workload="W3", metric="goodput")
    text = report([failed, good])
    assert "1 FAILED" in text
    assert "70.0" in text


def test_the_targets_are_checked() -> None:
    listed = figures(
        [
            *micro("data_packet", 690.0, 900.0),
            *micro("data_packet_prepared", 260.0),
            *_bulk(0.6, "down"),
            *_bulk(0.4, "up"),
            *_bulk(9.0, "up", "tcp"),
            *_bulk(9.0, "both"),
            record(0.150, size=64),
            record(0.900, size=8192),
        ]
    )
    found = {target.name: target.is_met for target in targets(listed)}
    assert found == {
        "W15 data_packet, minimum": True,
        "W15 data_packet_prepared, minimum": False,
        "W3 bare stream down, 1 MB, median": True,
        "W3 bare stream up, 1 MB, median": False,
        "W1 default stream 64 B, median": True,
    }
    assert "MISSED" in report(micro("data_packet", 701.0))


def test_the_report_is_markdown_with_equal_rows() -> None:
    env = environment_record(seed=1, scale="quick", processes=1, runs=0, t=0.0)
    costs = {
        f"{name}_{party}": 0.5
        for name in ("cpu", "cpu_per_packet", "queued", "rss")
        for party in ("client", "server", "nodes")
    }
    single = {"cpu_per_packet": 1.5, "packets": 650, "wire_bytes": 1.6, "dropped": 0}
    records = [
        env,
        record(0.15, size=64),
        *_bulk(0.6, "down", costs=costs | single),
        record(0.4, "ms", workload="W7", metric="area_client", area="sphinx"),
        record(0.3, "share", workload="W7", metric="function_client", function="a.py:f"),
    ]
    text = report(records)
    tables = [block for block in re.split(r"\n\n", text) if block.startswith("|")]
    assert len(tables) == 4
    for table in tables:
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1
    assert "0.50 / 0.50 / 0.50" in text
    assert "0.400 ms a packet" in text
    assert "30.0%" in text
    assert "seed 1" in text


def test_the_rust_programs_stand_beside_ours() -> None:
    ours = [record(value, size=64) for value in (0.1, 0.2, 0.3)]
    rust = [record(value, size=64, peer="rust") for value in (0.4, 0.4, 0.6)]
    listed = figures([*ours, *rust, record(1.0, size=1)])
    [row] = beside_rows(listed)
    assert row[6:] == ["200 / 280 / 300", "400 / 560 / 600", "0.50 / 0.50 / 0.50"]
    assert {row[2] for row in main_rows(listed)} == {"stream", "stream, Rust"}
    # The bounds are those of what we send, and the promises are ours.
    assert [one.bound is None for one in listed if one.group.peer == "rust"] == [True]
    assert len(targets(listed)) == 1


def test_a_failure_of_the_rust_programs_has_no_ratio() -> None:
    failed = record(None, size=64, peer="rust", error="reset")
    [row] = beside_rows(figures([record(0.2, size=64), failed]))
    assert row[7:] == ["FAILED", "-"]


def test_nothing_measured_is_no_error() -> None:
    assert report([]) == ""


def test_columns_line_up() -> None:
    assert markdown(("a", "long heading"), [["long cell", "b"]]).splitlines() == [
        "| a         | long heading |",
        "|-----------|--------------|",
        "| long cell | b            |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.1234, "0.12"), (9.999, "10.00"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_three_digits(value: float, text: str) -> None:
    assert number(value) == text
