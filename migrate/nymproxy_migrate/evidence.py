"""What the rest of a tree shows: a finding that could be about anybody's program needs it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Evidence, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nymproxy_migrate.model import Finding

_BY_NAME = (
    b"nym-proxy-client", b"nym-proxy-server", b"nym_proxy_client", b"nym_proxy_server",
    b"NymProxyClient", b"NymProxyServer", b"nym_sdk::tcp_proxy", b"nym-tcp-proxy-server",
    b"standalone-tcp-proxies", b"nym-zcash-grpc-demo",
)  # fmt: skip
_BASE58 = rb"[1-9A-HJ-NP-Za-km-z]"
_GATEWAY = re.compile(rb"@" + _BASE58 + rb"{32,44}(?!" + _BASE58 + rb")")
_RECIPIENT = re.compile(_BASE58 + rb"{32,44}\." + _BASE58 + rb"{32,44}$")
_RECIPIENT_BYTES = 90
_PROXIES = frozenset({Kind.COMMAND_CLIENT, Kind.COMMAND_SERVER, Kind.PYTHON_CALL})
_IN_PROGRAMS = frozenset({"NYM010", "NYM011", "NYM012", "NYM017", "NYM020"})
_NO_PROXIES = frozenset({"NYM006", "NYM007", "NYM032", "NYM090"})
_SERVERS = frozenset({"NYM002", "NYM011", "NYM050", "NYM051", "NYM052"})


def settle(findings: Iterable[Finding], files: Callable[[], Iterable[bytes]]) -> list[Finding]:
    """Return the findings that count.

    Args:
        findings: of all files.
        files: reads the files again; asked only when a finding needs it.
    """
    findings = list(findings)
    needed = {each.needs for each in findings} - {None}
    if not needed:
        return findings
    sure = [each for each in findings if each.needs is None]
    shown = {Evidence.PROXY} if any(map(_is_proxy, sure)) else set[Evidence]()
    shown |= {Evidence.OLD_PROXIES, Evidence.NYM} if shown else set()
    if needed & {Evidence.OLD_PROXIES, Evidence.NYM} - shown:
        shown |= _shown_by(files())
    kept = [each for each in findings if each.needs is None or each.needs in shown]
    if any(map(_is_proxy, kept)):
        shown.add(Evidence.PROXY)
    if any(each.kind is Kind.COMMAND_SERVER or each.code in _SERVERS for each in kept):
        shown.add(Evidence.SERVER)
    counted = [each for each in findings if each.needs is None or each.needs in shown]
    return [replace(each, needs=None) for each in counted]


def _is_proxy(finding: Finding) -> bool:
    by_kind = finding.kind in _PROXIES and finding.code not in _NO_PROXIES
    return finding.code in _IN_PROGRAMS or by_kind


def _shown_by(files: Iterable[bytes]) -> set[Evidence]:
    shown: set[Evidence] = set()
    for data in files:
        if any(name in data for name in _BY_NAME):
            return {Evidence.OLD_PROXIES, Evidence.NYM}
        if Evidence.NYM not in shown and _has_address(data):
            shown.add(Evidence.NYM)
    return shown


def _has_address(data: bytes) -> bool:
    # From the @ on: an expression that begins with 32 letters would be tried at each of them.
    return any(
        _RECIPIENT.search(data, max(0, found.start() - _RECIPIENT_BYTES), found.start())
        for found in _GATEWAY.finditer(data)
    )
