"""Findings in Python: calls that start the old proxies, and sockets that go to an old client."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Finding, Kind, Unparsable
from nymproxy_migrate.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nymproxy_migrate.model import SourceFile
    from nymproxy_migrate.options import ScanOptions

_CODES = {"NYM001": "NYM030", "NYM002": "NYM030", "NYM004": "NYM031"}


def placed(finding: Finding) -> Finding:
    """Return a finding about a command as one about a Python call."""
    if finding.kind not in {Kind.COMMAND_CLIENT, Kind.COMMAND_SERVER}:
        return finding
    code = _CODES.get(finding.code, finding.code)
    if code == "NYM030" and not finding.edits:
        code = "NYM031"
    rule = RULES[code]
    if code == finding.code:
        return replace(finding, kind=Kind.PYTHON_CALL)
    return replace(finding, code=code, kind=rule.kind, why=rule.why, next=rule.next)


def find(source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    """Yield the sockets of a file that go to where an old client listens by default."""
    from nymproxy_migrate.formats import python_sockets

    try:
        sockets = list(python_sockets.find(source))
    except Unparsable:
        return  # another finder says so, if the file starts a proxy
    for span, function in sockets:
        message = f"{function} goes to the port where an old client listens by default"
        yield RULES["NYM032"].finding(source, span, message)


def in_company(findings: list[Finding]) -> list[Finding]:
    """Drop sockets from a scan that has found no proxy: they go to something else."""
    kinds = {Kind.COMMAND_CLIENT, Kind.PYTHON_CALL, Kind.RUST_API, Kind.GO_FFI}
    proxies = any(
        found.kind in kinds and found.code not in {"NYM032", "NYM090", "NYM092"}
        for found in findings
    )
    return [found for found in findings if proxies or found.code != "NYM032"]
