"""A parity report for the terminal: one line for each row, and at the end what it means."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from nymproxy_migrate.parity.model import Verdict

if TYPE_CHECKING:
    from nymproxy_migrate.parity.model import ParityReport, Row

_COLUMNS = ("", "legacy", "stream", "unit", "verdict", "allowance")


def render(report: ParityReport) -> str:
    """Return the table and the conclusion."""
    lines: list[tuple[str, ...]] = [_COLUMNS]
    for _, rows in groupby(report.rows, key=lambda row: row.group):
        lines += [_cells(row) for row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(_COLUMNS))]
    text = [_line(line, widths) for line in lines]
    return "\n".join([*text, "", *_notes(report), _conclusion(report)]) + "\n"


def value_text(value: float | bool | str | None) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,.10g}"
    return value


def _cells(row: Row) -> tuple[str, ...]:
    verdict = row.verdict.value.upper() if row.verdict is Verdict.WORSE else row.verdict.value
    values = value_text(row.legacy), value_text(row.stream)
    return (row.title, *values, row.unit, verdict, row.allowance)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    title, legacy, stream, *rest = (
        cell.rjust(width) if index in {1, 2} else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((title, legacy, stream, *rest)).rstrip()


def _notes(report: ParityReport) -> list[str]:
    """What a reader must know of rows that are worse, and why others were skipped."""
    worse = [
        f"WORSE  {row.name}: {row.title}" + (f" ({row.note})" if row.note else "")
        for row in report.worse
    ]
    reasons: dict[str, list[str]] = {}
    for row in report.rows:
        if row.verdict is Verdict.SKIPPED:
            reasons.setdefault(row.note, []).append(row.name)
    skipped = [f"skipped {', '.join(names)}: {why}" for why, names in reasons.items()]
    return [*worse, *skipped]


def _conclusion(report: ParityReport) -> str:
    counts = dict.fromkeys(Verdict, 0)
    for row in report.rows:
        counts[row.verdict] += 1
    summary = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items())
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    what = "the stream way falls behind" if report.worse else "nothing is worse"
    return f"{what}: {summary}; against {report.against} in {report.seconds:.0f} s ({machine})"
