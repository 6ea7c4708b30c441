"""The report for people: one finding, what to do about it, and the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nymproxy._printable import printable
from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.report.json import position
from nymproxy_migrate.report.style import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.report.style import Style, Tone
    from nymproxy_migrate.scan import ScanResult

_TONES: dict[Action, Tone] = {
    Action.REWRITE: "good",
    Action.REPORT: "warning",
    Action.INFO: "aside",
}


def render(result: ScanResult, style: Style = PLAIN, *, quiet: bool = False) -> str:
    """Return the whole report; with ``quiet``, what is no decision is only counted."""
    shown = result.findings
    if quiet:
        shown = tuple(finding for finding in shown if is_decision(finding))
    return lines(shown, result, style) + counts(result)


def is_decision(finding: Finding) -> bool:
    """Tell whether a finding is about linkability, or is a decision to take."""
    return bool(finding.decision) or finding.kind is Kind.LINKABILITY


def lines(findings: Iterable[Finding], result: ScanResult, style: Style = PLAIN) -> str:
    """Return two lines for each finding."""
    parts = []
    for finding in findings:
        line, _, column = position(finding, result)
        flags = finding.action.value + (", needs a human" if finding.needs_human else "")
        parts.append(
            f"{printable(result.shown(finding.path))}:{line}:{column}: "
            f"{style(finding.code, 'code')} "
            f"{printable(finding.message)} {style(f'[{flags}]', _TONES[finding.action])}\n"
            f"    {printable(finding.next)}\n"
        )
    return "".join(parts)


def counts(result: ScanResult) -> str:
    """Return the last line: how many of what."""
    by_action = dict.fromkeys(Action, 0)
    for finding in result.findings:
        by_action[finding.action] += 1
    left_out = f", {result.left_out} left out" if result.left_out else ""
    human = sum(finding.needs_human for finding in result.findings)
    return (
        f"{result.files_read} files read{left_out}: {by_action[Action.REWRITE]} to rewrite, "
        f"{by_action[Action.REPORT]} to look at, {by_action[Action.INFO]} for information; "
        f"{human} need a human\n"
    )
