"""``scan --live``: the running proxies of this machine, beside what files hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nymproxy_migrate.finders import live
from nymproxy_migrate.scan import ScanResult


def with_processes(result: ScanResult | None) -> ScanResult:
    """Return a result with the running old proxies in front."""
    result = result or ScanResult(Path.cwd(), (), {}, 0)
    sources = dict(result.sources)
    findings = []
    for source, found in live.find(live.running()):
        sources[source.path] = source
        findings += found
    return replace(result, findings=(*findings, *result.findings), sources=sources)
