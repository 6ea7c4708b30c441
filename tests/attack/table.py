"""The figures of all attacks that ran, collected from their reports, as one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.attack.figures import PROPERTY

if TYPE_CHECKING:
    import pytest

COLUMNS = {
    "attack": "attack",
    "strength": "strength",
    "before_seconds": "before s",
    "during_seconds": "during s",
    "during_ratio": "ratio",
    "after_seconds": "after s",
    "recovered_seconds": "recovered s",
    "base_mebibytes": "base MiB",
    "grown_mebibytes": "grown MiB",
    "alive": "alive",
    "outcome": "outcome",
}
"""Keys of `AttackFigures.as_row`, and of what the report adds, with their headings."""


@dataclass
class FigureCollector:
    """A pytest plugin that keeps what the fixture ``attack_figures`` put into the reports."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    _failed: set[str] = field(default_factory=set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)
        if report.when != "teardown":
            return
        for key, row in report.user_properties:
            if key == PROPERTY and isinstance(row, dict):
                outcome = "FAILED" if report.nodeid in self._failed else "held"
                name = report.nodeid.rpartition("/")[2].removesuffix(".py")
                self.rows.append({"attack": name, **row, "outcome": outcome})

    def table(self) -> str:
        """Return one line an attack, then its further figures; columns are aligned."""
        lines = [list(COLUMNS.values())]
        lines += [[_text(row[key]) for key in COLUMNS] for row in self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
        shown = []
        for number, line in enumerate(lines):
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            shown.append("  ".join(cells).rstrip())
            if number:
                notes = self.rows[number - 1]["notes"]
                shown += [f"    {name}: {value}" for name, value in notes.items()]
        return "\n".join(shown)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
