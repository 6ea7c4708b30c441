"""SARIF 2.1.0, which code hosts and editors read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nymproxy_migrate.model import Action
from nymproxy_migrate.report.json import position
from nymproxy_migrate.rules import RULES

if TYPE_CHECKING:
    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.scan import ScanResult


def render(result: ScanResult, tool_version: str) -> str:
    """Return the whole log: one run, with the rules that its results name."""
    codes = sorted({finding.code for finding in result.findings})
    driver = {
        "name": "nymproxy-migrate",
        "version": tool_version,
        "rules": [_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "results": [_result(finding, result) for finding in result.findings],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(log, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.next},
    }


def _result(finding: Finding, result: ScanResult) -> dict[str, Any]:
    line, end_line, _ = position(finding, result)
    # Columns of SARIF count characters; offsets count bytes, as our spans do.
    region = {
        "startLine": line,
        "endLine": end_line,
        "byteOffset": finding.span.start,
        "byteLength": finding.span.end - finding.span.start,
    }
    uri = quote(os.fsencode(result.shown(finding.path)))
    place = {"artifactLocation": {"uri": uri}, "region": region}
    return {
        "ruleId": finding.code,
        "level": "note" if finding.action is Action.INFO else "warning",
        "message": {"text": f"{finding.message}. {finding.next}"},
        "locations": [{"physicalLocation": place}],
    }
