"""Comments that keep a finding quiet: ``nymproxy: ignore[NYM001]``.

The comment counts for its own line, or, alone on a line, for the next one: commands with
continuation lines have no room for a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Finding, SourceFile, Span
from nymproxy_migrate.rules import nym091

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK = b"nymproxy: ignore"

_COMMENT = re.compile(rb"nymproxy:\s*ignore(?:\[([A-Za-z0-9, ]*)\])?")
_COMMENT_STARTS = (b"#", b"//", b";", b"--", b"/*", b"*", b"<!--", b"{#", b"{{/*", b"rem ", b"REM ")


@dataclass(slots=True)
class _Suppression:
    span: Span
    line: int
    codes: frozenset[str]
    used: bool = False

    def hides(self, finding: Finding, first: int, last: int) -> bool:
        return first <= self.line <= last and (not self.codes or finding.code in self.codes)


def apply(source: SourceFile, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that no comment hides, and those about comments that hide nothing."""
    suppressions = _suppressions(source)
    if not suppressions:
        return list(findings)
    kept = []
    for finding in findings:
        first = source.position(finding.span.start)[0]
        last = source.position(finding.span.end)[0]
        hiding = [one for one in suppressions if one.hides(finding, first, last)]
        for one in hiding:
            one.used = True
        if not hiding:
            kept.append(finding)
    unused = (one for one in suppressions if not one.used)
    return kept + [nym091.find(source, one.span, one.codes) for one in unused]


def _suppressions(source: SourceFile) -> list[_Suppression]:
    found = []
    for match in _COMMENT.finditer(source.data):
        start = source.data.rfind(b"\n", 0, match.start()) + 1
        before = source.data[start : match.start()].strip()
        alone = before in _COMMENT_STARTS or before.strip(b"#/;*-<!{ \t") == b""
        line = source.position(match.start())[0] + (1 if alone else 0)
        codes = (match[1] or b"").decode().upper().replace(",", " ").split()
        found.append(_Suppression(Span(match.start(), match.end()), line, frozenset(codes)))
    return found
