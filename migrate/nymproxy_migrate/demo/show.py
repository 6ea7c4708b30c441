"""What the demo prints: steps, findings in short, and the table of the rewritten commands."""

from __future__ import annotations

import io
import sys
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from nymproxy_migrate import rules
from nymproxy_migrate.parity.model import Verdict
from nymproxy_migrate.report.json import position
from nymproxy_migrate.report.parity_text import value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.table import Table

    from nymproxy.testing.workloads import WorkloadResult
    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.parity.model import ParityReport
    from nymproxy_migrate.scan import ScanResult


def say(text: str = "") -> None:
    """Print one line at once, since the next one may take a while."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def step(number: int, title: str, command: str | None = None) -> None:
    """Begin a step of the story."""
    say(f"\n{number}. {title}")
    if command is not None:
        say(f"   $ {command}")


def by_code(result: ScanResult) -> None:
    """Print a line for each code: how often, what it is, and in which files."""
    for code in sorted({finding.code for finding in result.findings}):
        found = [finding for finding in result.findings if finding.code == code]
        say(f"   {code} {len(found):>2} x {rules.RULES[code].title}")
        files = sorted({finding.path for finding in found})
        say(f"{'':15}{', '.join(files)}")


def short(findings: Iterable[Finding], result: ScanResult) -> None:
    """Print a line for each finding."""
    for finding in findings:
        line = position(finding, result)[0]
        say(f"   {finding.path}:{line} {finding.code} {rules.RULES[finding.code].title}")


def workload(result: WorkloadResult) -> None:
    """Print what came of one workload."""
    outcome = "all right" if result.ok else f"FAILED, {result.problem}"
    say(f"   {result.name}: {result.payload_bytes:,} bytes, {outcome}, in {result.seconds:.2f} s")


def progress(text: str) -> None:
    """Print what the comparison says meanwhile, on stderr like the tool itself."""
    sys.stderr.write(f"   {text}\n")
    sys.stderr.flush()


def parity(report: ParityReport) -> None:
    """Print both ways side by side, a block for each workload, and the conclusion."""
    shown = _table("The same work through both pairs", ("legacy pair", "stream pair", "verdict"))
    for group, rows in groupby(report.rows, key=lambda row: row.group):
        kept = [row for row in rows if row.verdict is not Verdict.SAME or not _repeats(row.name)]
        shown_subject = None
        for index, row in enumerate(kept):
            subject, _, measured = row.title.rpartition(": ")
            values = (f"{value_text(one)} {row.unit}".rstrip() for one in (row.legacy, row.stream))
            subject = subject or group
            first = "" if subject == shown_subject else subject
            shown_subject = subject
            last = index == len(kept) - 1
            shown.add_row(first, measured, *values, row.verdict.value, end_section=last)
    _print(shown)
    counts = Counter(row.verdict.value for row in report.rows)
    say(f"   {len(report.rows)} comparisons: " + ", ".join(f"{n} {v}" for v, n in counts.items()))
    say("   No sending schedule, no mix delays but where it says so: CPU is the bound.")


def _repeats(name: str) -> bool:
    """Rows that say the same as another one of their workload, as long as all is well."""
    return name.rpartition(".")[2] in {"order", "connections", "total_ms", "packets_per_kb"}


def table(results: Mapping[str, Sequence[WorkloadResult]]) -> None:
    """Print the workloads side by side, one column for each wire."""
    shown = _table("Through the rewritten commands", [f"--wire {wire}" for wire in results])
    for row in zip(*results.values(), strict=True):
        shown.add_row(row[0].name, "SHA-256", *("equal" if one.ok else "WRONG" for one in row))
        shown.add_row("", "first byte", *map(_first_byte, row))
        shown.add_row("", "goodput", *map(_goodput, row))
        ends = (f"{one.ends_of_data} of {one.connections}" for one in row)
        shown.add_row("", "EOF at the app", *ends, end_section=True)
    _print(shown)


def _table(title: str, columns: Iterable[str]) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(title=title, box=box.SIMPLE_HEAD)
    for heading in ("workload", "measured"):
        shown.add_column(heading)
    for heading in columns:
        shown.add_column(heading, justify="right", no_wrap=True)
    return shown


def _print(table: Table) -> None:
    from rich.console import Console

    output = io.StringIO()
    Console(file=output, width=80).print(table)
    say(output.getvalue().rstrip())


def _first_byte(result: WorkloadResult) -> str:
    seconds = result.first_byte_seconds
    return "-" if seconds is None else f"{seconds:.2f} s"


def _goodput(result: WorkloadResult) -> str:
    if result.payload_bytes < 100_000:
        return "-"
    return f"{result.payload_bytes / result.seconds / 1000:,.0f} kB/s"
