"""The report for people: one finding, what to do about it, and the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action
from nymproxy_migrate.report.json import position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.scan import ScanResult


def render(result: ScanResult) -> str:
    """Return the whole report."""
    return lines(result.findings, result) + counts(result)


def lines(findings: Iterable[Finding], result: ScanResult) -> str:
    """Return two lines for each finding."""
    parts = []
    for finding in findings:
        line, _, column = position(finding, result)
        flags = finding.action.value + (", needs a human" if finding.needs_human else "")
        parts.append(
            f"{_shown(finding.path)}:{line}:{column}: "
            f"{finding.code} {_shown(finding.message)} [{flags}]\n"
            f"    {finding.next}\n"
        )
    return "".join(parts)


def counts(result: ScanResult) -> str:
    """Return the last line: how many of what."""
    by_action = dict.fromkeys(Action, 0)
    for finding in result.findings:
        by_action[finding.action] += 1
    human = sum(finding.needs_human for finding in result.findings)
    return (
        f"{result.files_read} files read: {by_action[Action.REWRITE]} to rewrite, "
        f"{by_action[Action.REPORT]} to look at, {by_action[Action.INFO]} for information; "
        f"{human} need a human\n"
    )


def _shown(text: str) -> str:
    # Names and contents of files may hold anything; they must not steer the terminal.
    text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(each if each.isprintable() else "?" for each in text)
