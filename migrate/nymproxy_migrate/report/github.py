"""Annotations of GitHub Actions: the workflow commands ``::warning`` and ``::notice``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._printable import printable
from nymproxy_migrate.model import Action
from nymproxy_migrate.report.json import position

if TYPE_CHECKING:
    from nymproxy_migrate.scan import ScanResult


def render(result: ScanResult) -> str:
    """Return one line for each finding."""
    lines = []
    for finding in result.findings:
        line, end_line, column = position(finding, result)
        level = "notice" if finding.action is Action.INFO else "warning"
        file = _property(result.shown(finding.path))
        place = f"file={file},line={line},endLine={end_line},col={column}"
        message = _data(f"{finding.message}. {finding.next}")
        lines.append(f"::{level} {place},title={_property(finding.code)}::{message}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return printable(text, keep="\n").replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
