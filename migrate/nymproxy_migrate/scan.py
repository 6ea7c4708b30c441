"""The scan: walk the trees, read each file once, ask the finders, sort what they found."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate import config_dirs, evidence, suppressions, walk
from nymproxy_migrate.finders import FINDERS, FinderEntry
from nymproxy_migrate.model import Finding, SourceFile, Span, Unparsable
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.rules import nym052, nym090, nym092

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_logger = logging.getLogger("nymproxy.migrate")


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan read and found.

    Attributes:
        root: the folder that paths are relative to.
        findings: sorted by path, position and code.
        sources: the files that have findings, as they were read, by path.
        files_read: how many files were read.
    """

    root: Path
    findings: tuple[Finding, ...]
    sources: Mapping[str, SourceFile]
    files_read: int


def scan(
    paths: Sequence[Path], options: ScanOptions | None = None, *, root: Path | None = None
) -> ScanResult:
    """Look for everything that belongs to the old proxies; reads only.

    Args:
        paths: files and folders.
        options: what to look for.
        root: what paths are relative to; by default the folder that all of ``paths`` share.
    """
    options = options or ScanOptions()
    root = Path.absolute(root) if root is not None else walk.common_root(paths)
    if options.to == "stream":
        from nymproxy_migrate import stream_targets

        options = stream_targets.look(paths, options, root)

    def files() -> Iterator[bytes]:
        found = walk.walk(paths, root, options.size_limit)
        return (each.data for each in found if isinstance(each, SourceFile))

    findings: list[Finding] = []
    sources: dict[str, SourceFile] = {}
    files_read = 0
    for found in walk.walk(paths, root, options.size_limit):
        if isinstance(found, walk.Unreadable):
            findings.append(nym092.find(found.path, found.reason, too_large=found.too_large))
            continue
        files_read += 1
        in_file = scan_source(found, options)
        if found.name == config_dirs.MARK:
            in_file += nym052.find(found, root)
        if in_file:
            findings += in_file
            sources[found.path] = found
    findings = sorted(evidence.settle(findings, files), key=_order)
    return ScanResult(root, tuple(findings), sources, files_read)


def scan_source(source: SourceFile, options: ScanOptions) -> list[Finding]:
    """Return the findings of one file."""
    entries = [entry for entry in FINDERS if entry.wants(source)]
    if not entries and suppressions.MARK not in source.data:
        return []
    unique: dict[tuple[str, Span, str], Finding] = {}
    for entry in entries:
        for finding in _ask(entry, source, options):
            # An anchor in YAML shows the same bytes twice.
            unique.setdefault((finding.code, finding.span, finding.message), finding)
    return sorted(suppressions.apply(source, unique.values()), key=_order)


def _ask(entry: FinderEntry, source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    try:
        yield from entry.load()(source, options)
    except Unparsable as error:
        yield nym090.at(source, error.offset, str(error))
    except (ValueError, LookupError, RecursionError, TypeError, AttributeError) as error:
        # A parser's own failure on a strange file must not end the scan of all others.
        _logger.debug("%s fails on %s", entry.module, source.path, exc_info=True)
        yield nym090.at(source, 0, f"it cannot be judged ({type(error).__name__})")


def _order(finding: Finding) -> tuple[str, Span, str, str]:
    return finding.path, finding.span, finding.code, finding.message
