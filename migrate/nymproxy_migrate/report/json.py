"""The public JSON of ``scan --json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.scan import ScanResult

SCHEMA_VERSION = 1


def position(finding: Finding, result: ScanResult) -> tuple[int, int, int]:
    """Return first line, last line and first column, all from 1."""
    source = result.sources.get(finding.path)
    if source is None:
        return 1, 1, 1
    span = finding.span
    line, column = source.position(span.start)
    end_line, _ = source.position(max(span.start, span.end - 1))
    return line, end_line, column


def as_object(finding: Finding, result: ScanResult) -> dict[str, Any]:
    """Return one finding with the fields of the schema."""
    line, end_line, column = position(finding, result)
    return {
        "path": finding.path,
        "line": line,
        "end_line": end_line,
        "column": column,
        "code": finding.code,
        "kind": finding.kind.value,
        "message": finding.message,
        "why": finding.why,
        "next": finding.next,
        "action": finding.action.value,
        "safety": finding.safety.value,
        "needs_human": finding.needs_human,
    }


def render(result: ScanResult, tool_version: str) -> str:
    """Return the whole document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": tool_version,
        "findings": [
            {**as_object(each, result), "path": result.shown(each.path)} for each in result.findings
        ],
    }
    return json.dumps(document, indent=2) + "\n"
