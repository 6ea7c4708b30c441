"""A parity report for CI systems: JUnit XML, one test case for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from nymproxy._printable import printable
from nymproxy_migrate.parity.model import Verdict
from nymproxy_migrate.report.parity_text import value_text

if TYPE_CHECKING:
    from nymproxy_migrate.parity.model import ParityReport, Row


def render(report: ParityReport) -> str:
    """Return the document."""
    skipped = sum(row.verdict is Verdict.SKIPPED for row in report.rows)
    suite = ElementTree.Element(
        "testsuite",
        name="nymproxy-migrate parity",
        tests=str(len(report.rows)),
        failures=str(len(report.worse)),
        errors="0",
        skipped=str(skipped),
        time=f"{report.seconds:.1f}",
        timestamp=_clean(report.started_at),
    )
    properties = ElementTree.SubElement(suite, "properties")
    sides = {f"{side} side": what for side, what in report.compared.items()}
    told = {"against": report.against, **sides, "command": report.command, **report.machine}
    for name, value in told.items():
        ElementTree.SubElement(properties, "property", name=_clean(name), value=_clean(value))
    for row in report.rows:
        _add(suite, row)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, "unicode", xml_declaration=True) + "\n"


def _add(suite: ElementTree.Element, row: Row) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=f"parity.{_clean(row.group)}", name=_clean(row.name)
    )
    values = f"legacy {value_text(row.legacy)}, stream {value_text(row.stream)} {row.unit}".strip()
    text = f"{row.title}: {values}; allowance: {row.allowance}"
    if row.note:
        text += f"; {row.note}"
    if row.verdict is Verdict.WORSE:
        ElementTree.SubElement(case, "failure", message=_clean(text), type="worse")
    elif row.verdict is Verdict.SKIPPED:
        ElementTree.SubElement(case, "skipped", message=_clean(row.note))
    else:
        ElementTree.SubElement(case, "system-out").text = _clean(f"{row.verdict.value}: {text}")


def _clean(text: str) -> str:
    # What is not printable is nothing that XML could hold, either.
    return printable(text, keep="\t\n")
