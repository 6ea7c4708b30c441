"""The reports of ``doctor``: one line for each check, or JSON for a bug report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nymproxy._printable import printable
from nymproxy_migrate.doctor.model import Verdict
from nymproxy_migrate.report.layout import wrapped
from nymproxy_migrate.report.style import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nymproxy_migrate.doctor.model import Check
    from nymproxy_migrate.report.style import Style, Tone

SCHEMA_VERSION = 1

_TONES: dict[Verdict, Tone] = {
    Verdict.OK: "good",
    Verdict.WARN: "warning",
    Verdict.FAIL: "bad",
    Verdict.SKIPPED: "aside",
}


def render_json(checks: Sequence[Check], tool_version: str) -> str:
    """Return the whole document; without the details, which belong to the operator only."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": tool_version,
        "checks": [
            {
                "name": check.name,
                "verdict": check.verdict.value,
                "cause": check.cause,
                "next": check.next,
            }
            for check in checks
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def render_text(checks: Sequence[Check], style: Style = PLAIN, *, quiet: bool = False) -> str:
    """Return one line for each check (with ``quiet``: of those with something to do), and counts.

    Args:
        checks: the results.
        style: of the verdicts.
        quiet: leave out what is in order or was skipped.
    """
    wanted = {Verdict.WARN, Verdict.FAIL} if quiet else set(Verdict)
    shown = [check for check in checks if check.verdict in wanted]
    width = max((len(check.name) for check in checks), default=0)
    counts = ", ".join(
        f"{sum(check.verdict is verdict for check in checks)} {verdict.value}"
        for verdict in Verdict
    )
    return (
        "".join(_line(check, width, style) for check in shown) + f"{len(checks)} checks: {counts}\n"
    )


def _line(check: Check, width: int, style: Style) -> str:
    detail = f" ({check.detail})" if check.detail else ""
    following = f"; next: {check.next}" if check.next else ""
    verdict = f"{check.verdict.value:<7}"
    head = f"{verdict}  {check.name:<{width}}  "
    line = wrapped(
        printable(f"{check.cause}{detail}{following}"), style.columns, head, " " * len(head)
    )
    return style(verdict, _TONES[check.verdict]) + line.removeprefix(verdict)
