"""The parity report as one HTML file that opens offline: no script, no request, styles inside."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from nymproxy_migrate.parity.model import Verdict, title_of
from nymproxy_migrate.report.figures import figure
from nymproxy_migrate.report.plots import all_plots

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2 import Template

    from nymproxy_migrate.parity.model import ParityReport, Row

# Each verdict has a symbol besides its word and its colour.
_SYMBOLS = {
    Verdict.SAME: "=",
    Verdict.BETTER: "▲",
    Verdict.WORSE: "▼",
    Verdict.SKIPPED: "○",
}
_AGAINST = {
    "localnet": "the embedded local mixnet",
    "servers": "running servers",
    "plan": "the commands of a plan",
}
_DIFFERING = (Verdict.WORSE, Verdict.BETTER)
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class _ShownRow:
    """A row with its values as text."""

    row: Row
    legacy: str
    stream: str
    symbol: str


def render(report: ParityReport) -> str:
    """Return the whole page."""
    return _template().render(
        report=report,
        headline=" ".join(filter(None, (headline(report), report.doubt))),
        outcome="worse" if report.worse else "fine" if _compared(report) else "nothing",
        counts=_counts(report),
        differing=_groups(each for each in report.rows if each.verdict in _DIFFERING),
        others=_groups(each for each in report.rows if each.verdict not in _DIFFERING),
        plots=all_plots(report),
        seconds=figure(report.seconds),
        mean_delay=figure(1000 * report.mix_delays.mean_seconds) if report.mix_delays else "",
        against=_AGAINST.get(report.against, report.against),
        rerun=report.command,
    )


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("nymproxy_migrate", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("parity.html.j2")


def headline(report: ParityReport) -> str:
    """Return the verdict over all rows in one sentence."""
    compared = _compared(report)
    if not report.rows:
        return "Nothing was compared."
    if not compared:
        return f"Nothing could be compared: {_number(len(report.rows), 'comparison')} skipped."
    skipped = len(report.rows) - compared
    aside = f" ({skipped} skipped)" if skipped else ""
    if not report.worse:
        return f"The stream way does at least as well as the legacy way in {_all(compared)}{aside}."
    named = ", ".join(f"“{row.title}”" for row in report.worse[:_MOST_NAMED])
    further = len(report.worse) - _MOST_NAMED
    more = f", and {further} more" if further > 0 else ""
    return (
        f"The stream way is worse than allowed in {len(report.worse)} of "
        f"{_number(compared, 'comparison')}{aside}: {named}{more}."
    )


def _compared(report: ParityReport) -> int:
    return sum(row.verdict is not Verdict.SKIPPED for row in report.rows)


def _all(count: int) -> str:
    return "the one comparison" if count == 1 else f"all {count} comparisons"


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _counts(report: ParityReport) -> list[tuple[Verdict, str, int]]:
    return [
        (verdict, _SYMBOLS[verdict], sum(row.verdict is verdict for row in report.rows))
        for verdict in Verdict
    ]


def _groups(rows: Iterable[Row]) -> dict[str, list[_ShownRow]]:
    """Return rows below the names of their groups, those with something worse first."""
    groups: dict[str, list[_ShownRow]] = {}
    for row in sorted(rows, key=lambda each: each.verdict is not Verdict.WORSE):
        shown = _ShownRow(
            row, _value(row.legacy, row), _value(row.stream, row), _SYMBOLS[row.verdict]
        )
        groups.setdefault(title_of(row.group), []).append(shown)
    return groups


def _value(value: float | bool | str | None, row: Row) -> str:
    text = figure(value)
    measured = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{text}\N{NO-BREAK SPACE}{row.unit}" if row.unit and measured else text
