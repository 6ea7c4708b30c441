"""What the rest of a tree shows: a finding that could be about anybody's program needs it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Evidence, Kind
from nymproxy_migrate.rules import nym071

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.options import ScanOptions
    from nymproxy_migrate.survey import Survey

_PROXIES = frozenset({Kind.COMMAND_CLIENT, Kind.COMMAND_SERVER, Kind.PYTHON_CALL})
_IN_PROGRAMS = frozenset({"NYM010", "NYM011", "NYM012", "NYM017", "NYM020"})
_NO_PROXIES = frozenset({"NYM006", "NYM007", "NYM032", "NYM090"})
_SERVERS = frozenset({"NYM002", "NYM011", "NYM050", "NYM051", "NYM052"})


def settle(findings: Iterable[Finding], survey: Survey) -> list[Finding]:
    """Return the findings that count, of those of all files."""
    findings = list(findings)
    shown = set(survey.shown)
    if any(each.needs is None and _is_proxy(each) for each in findings):
        shown |= {Evidence.OLD_PROXIES, Evidence.NYM}
    kept = [each for each in findings if each.needs is None or each.needs in shown]
    if any(map(_is_proxy, kept)):
        shown.add(Evidence.PROXY)
    if any(each.kind is Kind.COMMAND_SERVER or each.code in _SERVERS for each in kept):
        shown.add(Evidence.SERVER)
    counted = [each for each in findings if each.needs is None or each.needs in shown]
    return [replace(each, needs=None) for each in counted]


def after_references(
    findings: Iterable[Finding], options: ScanOptions, place: Callable[[Finding], str]
) -> list[Finding]:
    """Return the findings with references and starts put together.

    What looks for a program by its old name finds nothing once the program is another: it is
    decided about first.

    Args:
        findings: of all files.
        options: of the scan.
        place: says where a finding is.
    """
    findings = list(findings)
    references = [each for each in findings if each.code == nym071.RULE.code]
    decided = options.decisions.get(nym071.RULE.code) == "rewrite"
    result = []
    for each in findings:
        if each.code == nym071.RULE.code:
            near = [one for one in findings if _is_start(one) and _role(one) == _role(each)]
            near.sort(key=lambda one: one.path != each.path)
            if near:
                each = replace(each, message=f"{each.message}; started at {place(near[0])}")
        elif _is_start(each) and each.edits and not decided:
            looking = [one for one in references if _role(one) == _role(each)]
            if looking:
                each = nym071.waiting(each, place(looking[0]))
        result.append(each)
    return result


def _is_start(finding: Finding) -> bool:
    return finding.code in {"NYM001", "NYM002", "NYM005", "NYM030"}


def _role(finding: Finding) -> str:
    by_kind = {Kind.COMMAND_CLIENT: "client", Kind.COMMAND_SERVER: "server"}
    return by_kind.get(finding.kind) or ("server" if "old server" in finding.message else "client")


def _is_proxy(finding: Finding) -> bool:
    by_kind = finding.kind in _PROXIES and finding.code not in _NO_PROXIES
    return finding.code in _IN_PROGRAMS or by_kind
