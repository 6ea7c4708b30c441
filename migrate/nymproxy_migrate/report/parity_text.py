"""A parity report for the terminal: what was compared, the verdict, and the rows that differ."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from nymproxy_migrate.parity.model import Verdict, title_of
from nymproxy_migrate.report.layout import PAGE_COLUMNS, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy_migrate.parity.model import ParityReport, Row

_HEAD = ("", "legacy", "stream", "")
_MOST_TITLE_COLUMNS = 44


def render(report: ParityReport, columns: int | None = None) -> str:
    """Return what stands on each side, the conclusion, and the rows, worse and better ones first.

    Args:
        report: what was found.
        columns: of the terminal; None for 80.
    """
    columns = columns or PAGE_COLUMNS
    sides = [wrapped(f"{side} side: {what}", columns) for side, what in report.compared.items()]
    parts = [*sides, wrapped(_conclusion(report), columns)]
    if report.doubt:
        parts.append(wrapped(report.doubt, columns))
    for verdict in (Verdict.WORSE, Verdict.BETTER):
        rows = [row for row in report.rows if row.verdict is verdict]
        if rows:
            parts += ["\n", _table(verdict, rows, columns)]
    parts += _rest(report, columns)
    if report.command:
        parts += ["\n", wrapped(f"again: {report.command}", columns, "", "    ")]
    return "".join(parts)


def value_text(value: float | bool | str | None) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return f"{value:,.10g}"
    return value


def _table(verdict: Verdict, rows: Iterable[Row], columns: int) -> str:
    lines = [(verdict.value.upper(), *_HEAD[1:])]
    notes = [""]
    for row in rows:
        lines.append((row.title, value_text(row.legacy), value_text(row.stream), row.unit))
        allowed = "" if row.allowance == "none" else f"allowed: {row.allowance}"
        is_worse = verdict is Verdict.WORSE
        notes.append("; ".join(filter(None, (allowed, row.note))) if is_worse else "")
    widths = [max(len(line[index]) for line in lines) for index in range(len(_HEAD))]
    widths[0] = min(widths[0], max(_MOST_TITLE_COLUMNS, columns - sum(widths[1:]) - 6))
    parts = []
    for line, note in zip(lines, notes, strict=True):
        parts.append(_line(line, widths))
        if note:
            parts.append(wrapped(note, columns, "    ", "    "))
    return "".join(parts)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Return a row; a title that is too long ends on the line before its figures."""
    title, legacy, stream, unit = cells
    figures = f"  {legacy.rjust(widths[1])}  {stream.rjust(widths[2])}  {unit}".rstrip() + "\n"
    *above, last = wrapped(title, widths[0], "", "  ").splitlines()
    return "".join(f"{line}\n" for line in above) + last.ljust(widths[0]) + figures


def _rest(report: ParityReport, columns: int) -> list[str]:
    """Return a line for each group of rows that do not differ, and why others were skipped."""
    parts = []
    same = [row for row in report.rows if row.verdict is Verdict.SAME]
    if same:
        counted = [
            f"{title_of(group)} {len(list(rows))}"
            for group, rows in groupby(same, key=lambda row: row.group)
        ]
        parts += ["\n", wrapped(f"same: {'; '.join(counted)}", columns, "", "    ")]
    reasons: dict[str, list[str]] = {}
    for row in report.rows:
        if row.verdict is Verdict.SKIPPED:
            reasons.setdefault(row.note, []).append(row.name)
    return parts + [
        wrapped(f"skipped {', '.join(names)}: {why}", columns, "", "    ")
        for why, names in reasons.items()
    ]


def _conclusion(report: ParityReport) -> str:
    counts = dict.fromkeys(Verdict, 0)
    for row in report.rows:
        counts[row.verdict] += 1
    summary = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items())
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    what = "the stream way falls behind" if report.worse else "nothing is worse"
    return f"{what}: {summary}; against {report.against} in {report.seconds:.0f} s ({machine})"
