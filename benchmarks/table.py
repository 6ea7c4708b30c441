"""The figures as Markdown: each with its bound beside it, then costs, then where the CPU went."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.figures import MAIN_METRICS, Figure, Group, figures
from benchmarks.records import ENVIRONMENT, Record
from benchmarks.stage import PARTIES
from benchmarks.statistics import MINIMUM_FOR_INTERVAL, Summary
from benchmarks.targets import targets

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCALE = {"s": (1000.0, "ms"), "us": (1.0, "us"), "MB/s": (1000.0, "kB/s")}
_HIDDEN = ("requests", "loop", "divisor")


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose columns line up in the source, too."""
    lines = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    padded = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([padded[0], rule, *padded[1:]]) + "\n"


def number(value: float) -> str:
    """Return three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def describe(group: Group) -> str:
    """Return the parameters in a few words."""
    params = json.loads(group.params)
    operation = params.pop("operation", None)
    shown = [
        f"{name} {value:,}" if type(value) is int else f"{name} {value}"
        for name, value in params.items()
        if name not in _HIDDEN
    ]
    return str(operation) if operation is not None else ", ".join(shown)


def _is_main(figure: Figure) -> bool:
    return figure.group.workload == "W15" or figure.group.metric in MAIN_METRICS


def _main_row(figure: Figure) -> list[str]:
    group = figure.group
    factor, unit = _SCALE.get(figure.unit, (1.0, figure.unit))
    head = [group.workload, group.profile, group.ends, describe(group), group.metric]
    summary = figure.summary
    if summary is None:
        return [*head, unit, f"0, {figure.failures} FAILED", *["-"] * 7]
    tail = f"max {number(summary.maximum * factor)}"
    if summary.p99 is not None:
        tail = f"p99 {number(summary.p99 * factor)}, {tail}"
    bound, quotient = figure.bound, figure.quotient
    marks = ["noisy"] * figure.is_noisy + [f"{figure.failures} FAILED"] * bool(figure.failures)
    return [
        *head,
        unit,
        str(summary.count),
        number(summary.minimum * factor),
        _within(summary.p50, summary.p50_interval, summary.count, factor),
        _within(summary.p90, summary.p90_interval, summary.count, factor),
        tail,
        "-" if bound is None else f"{bound.kind} {number(bound.value * factor)}",
        "-" if quotient is None else f"{quotient:.2f}",
        ", ".join(marks),
    ]


def _within(value: float, interval: tuple[float, float], count: int, factor: float) -> str:
    """Return a percentile and, where there are samples enough, where it surely lies."""
    if count < MINIMUM_FOR_INTERVAL:
        return number(value * factor)
    low, high = (number(end * factor) for end in interval)
    return f"{number(value * factor)} ({low} to {high})"


MAIN_HEADINGS = (
    *("workload", "profile", "wire", "parameters", "figure", "unit", "n", "min", "p50", "p90"),
    *("tail", "bound", "quotient", "marks"),
)


def _medians(listed: Sequence[Figure]) -> dict[Group, float]:
    return {figure.group: Summary.of(figure.samples).p50 for figure in listed if figure.samples}


def costs_table(listed: Sequence[Figure]) -> str:
    """Return what transfers cost (W3): medians, one row for each cell."""
    medians = _medians(listed)
    rows = []
    for group in medians:
        if group.metric != "cpu_per_packet":
            continue

        def cell(metric: str, group: Group = group) -> str:
            value = medians.get(group.sibling(metric))
            return "-" if value is None else number(value)

        def parties(prefix: str, cell: object = cell) -> str:
            assert callable(cell)
            return " / ".join(cell(f"{prefix}_{party}") for party in PARTIES)

        rows.append(
            [
                *(group.profile, group.ends, describe(group), parties("cpu")),
                *(cell("cpu_per_packet"), parties("cpu_per_packet"), parties("queued")),
                *(cell("packets"), cell("wire_bytes"), cell("dropped"), parties("rss")),
            ]
        )
    headings = (
        *("profile", "wire", "parameters", "CPU s/MB, client / server / nodes"),
        *("CPU ms/packet", "client / server / nodes", "waiting for a core, share of the time"),
        *("packets", "wire bytes per byte", "dropped", "peak RSS MB"),
    )
    return markdown(headings, rows) if rows else ""


def shares_table(listed: Sequence[Figure]) -> str:
    """Return where the CPU time went (W7): by area, and the heaviest functions."""
    rows: list[tuple[str, str, str, float, str, str]] = []
    for figure in listed:
        group = figure.group
        if group.workload != "W7" or not figure.samples or figure.unit == "x25519":
            continue
        if group.peer != "python":
            continue
        kind, _, party = group.metric.partition("_")
        value = Summary.of(figure.samples).p50
        shown = f"{value:.1%}" if figure.unit == "share" else f"{value:.3f} ms a packet"
        rows.append((group.wire, party, kind, value, str(group.param(kind)), shown))
    rows.sort(key=lambda row: (row[0], row[1], row[2], -row[3]))
    texts = [[wire, party, kind, name, shown] for wire, party, kind, _, name, shown in rows]
    return markdown(("wire", "process", "by", "what", "CPU"), texts) if texts else ""


def targets_rows(listed: Sequence[Figure]) -> list[list[str]]:
    """Return the promises and whether they are kept."""
    rows = []
    for target in targets(listed):
        factor, unit = _SCALE.get(target.unit, (1.0, target.unit))
        limit = (
            f"{'>=' if target.larger_is_better else '<='} {number(target.limit * factor)} {unit}"
        )
        value = f"{number(target.value * factor)} {unit}"
        rows.append([target.name, limit, value, "met" if target.is_met else "MISSED"])
    return rows


def main_rows(listed: Sequence[Figure]) -> list[list[str]]:
    """Return the first table: each figure with its bound beside it."""
    return [_main_row(figure) for figure in listed if _is_main(figure)]


BESIDE_HEADINGS = (
    *("workload", "profile", "wire", "parameters", "figure", "unit", "ours p50 / p90 / max"),
    *("Rust p50 / p90 / max", "ours to Rust, p50 / p90 / max"),
)


def beside_rows(listed: Sequence[Figure]) -> list[list[str]]:
    """Return what both our programs and the Rust ones have measured, and the ratios."""
    found = {figure.group: figure for figure in listed}
    rows = []
    for group, ours in found.items():
        rust = found.get(group.of_peer("rust"))
        if group.peer == "rust" or rust is None or group.metric not in MAIN_METRICS:
            continue
        factor, unit = _SCALE.get(ours.unit, (1.0, ours.unit))
        values, others = _spread(ours), _spread(rust)
        ratios = ("-" if not b else f"{a / b:.2f}" for a, b in zip(values, others, strict=False))
        rows.append(
            [
                *(group.workload, group.profile, group.wire, describe(group), group.metric, unit),
                *(_slashed(one, factor) for one in (values, others)),
                " / ".join(ratios) or "-",
            ]
        )
    return rows


def _spread(figure: Figure) -> tuple[float, ...]:
    """Return median, 90th percentile and maximum; nothing when every run went wrong."""
    summary = figure.summary
    return () if summary is None else (summary.p50, summary.p90, summary.maximum)


def _slashed(values: tuple[float, ...], factor: float) -> str:
    return " / ".join(number(value * factor) for value in values) or "FAILED"


def report(records: Sequence[Record]) -> str:
    """Return everything as Markdown."""
    listed = figures(records)
    main, beside, kept = main_rows(listed), beside_rows(listed), targets_rows(listed)
    parts = [conditions(record) for record in records if record.workload == ENVIRONMENT]
    parts += [
        markdown(MAIN_HEADINGS, main) if main else "",
        markdown(BESIDE_HEADINGS, beside) if beside else "",
        costs_table(listed),
        shares_table(listed),
        markdown(("target", "limit", "measured", ""), kept) if kept else "",
    ]
    return "\n".join(part for part in parts if part)


def conditions(record: Record) -> str:
    """Return in one sentence what a file was measured on."""
    facts = record.params
    return (
        f"Commit {facts['commit']}, Python {facts['python']}, {facts['cpu']},"
        f" {facts['cores']} cores, Linux {facts['kernel']}, {facts['backend']},"
        f" {facts['node_kind']} in {facts['node_processes']} process(es),"
        f" seed {facts['seed']}, load average {facts['load_average']:.1f} at the start.\n"
    )
