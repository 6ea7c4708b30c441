"""The report for people: one finding, what to do about it, and the counts."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from nymproxy._printable import printable
from nymproxy_migrate import names
from nymproxy_migrate.model import Action, Kind
from nymproxy_migrate.report.json import position
from nymproxy_migrate.report.layout import wrapped
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
    """Return what was found, and then what to do about it, each advice once.

    On a terminal the findings stand below their file, in lines that end where it does; elsewhere
    each has a line of its own that begins with its place.
    """
    shown = list(findings)
    one = _line if style.columns is None else _entry
    parts = []
    for path, of_file in groupby(shown, key=lambda each: each.path):
        if style.columns is not None:
            parts.append(style(printable(result.shown(path)), "code") + "\n")
        parts += [one(each, result, style) for each in of_file]
    return "".join(parts) + _advice(shown, style)


def _line(finding: Finding, result: ScanResult, style: Style) -> str:
    line, _, column = position(finding, result)
    place = f"{printable(result.shown(finding.path))}:{line}:{column}"
    code = style(finding.code, "code")
    return f"{place}: {code} {printable(finding.message)} {_flags(finding, style)}\n"


def _entry(finding: Finding, result: ScanResult, style: Style) -> str:
    line, _, column = position(finding, result)
    head = f"  {f'{line}:{column}':<8} {finding.code}  "
    # Words that nobody reads and that are wider than the terminal; the diff has them whole.
    message = names.with_short_addresses(printable(finding.message))
    text = f"{message} {_flags(finding, PLAIN)}"
    entry = wrapped(text, style.columns, head, " " * len(head))
    # Tones are put in afterwards: a terminal does not show them, so they must not be counted.
    return entry.replace(finding.code, style(finding.code, "code"), 1).replace(
        _flags(finding, PLAIN), _flags(finding, style)
    )


def _flags(finding: Finding, style: Style) -> str:
    flags = finding.action.value + (", needs a human" if finding.needs_human else "")
    return style(f"[{flags}]", _TONES[finding.action])


def _advice(findings: list[Finding], style: Style) -> str:
    """Return each different advice with the codes that it is for."""
    codes: dict[str, dict[str, None]] = {}
    for each in findings:
        codes.setdefault(each.next, {})[each.code] = None
    if not codes:
        return ""
    told = sorted((", ".join(sorted(of_advice)), advice) for advice, of_advice in codes.items())
    parts = ["\nwhat to do:\n"]
    for named, advice in told:
        head = f"  {named}  "
        entry = wrapped(printable(advice), style.columns, head, " " * len(head))
        parts.append(entry.replace(named, style(named, "code"), 1))
    return "".join(parts) + "\n"


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
