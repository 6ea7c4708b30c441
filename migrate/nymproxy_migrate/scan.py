"""The scan: walk the trees, read each file once, ask the finders, sort what they found."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nymproxy_migrate import config_dirs, evidence, formats, suppressions, survey, walk
from nymproxy_migrate.finders import FINDERS, FinderEntry
from nymproxy_migrate.model import Finding, SourceFile, Span, Unparsable
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.reading import relative
from nymproxy_migrate.rules import nym052, nym090, nym092, nym093

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PARSER_FAILURES = (ValueError, LookupError, RecursionError, TypeError, AttributeError)
_logger = logging.getLogger("nymproxy.migrate")


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan read and found.

    Attributes:
        root: the folder that paths are relative to.
        findings: sorted by path, position and code.
        sources: the files that have findings, as they were read, by path.
        files_read: how many files were read.
        left_out: how many files and folders were left out because that was asked for.
        blocked: the files that cannot be written, and so are not rewritten.
    """

    root: Path
    findings: tuple[Finding, ...]
    sources: Mapping[str, SourceFile]
    files_read: int
    left_out: int = 0
    blocked: frozenset[str] = frozenset()

    def shown(self, path: str) -> str:
        """Return a path of a finding as one opens it from here."""
        return path if path.startswith("process:") else from_here(self.root, path)


def from_here(root: Path, path: str) -> str:
    """Return a path below a root as one writes it from here: upwards, too, if that is shorter."""
    here = Path.cwd()
    if root == here:
        return path
    full = str(root / path)
    return min(relative(full, str(here)), full, key=len)


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
    given_up = walk.GivenUp()
    options = replace(options, survey=_survey(paths, options, root, given_up))
    if options.to == "stream":
        from nymproxy_migrate import stream_targets

        options = stream_targets.look(paths, options, root, given_up)
    visit = walk.visit(paths, root, partial(_judged, root, options), options, given_up)
    findings = [
        *(
            nym092.find(each.path, each.reason, too_large=each.too_large)
            for each in visit.unreadable
        ),
        *(nym090.given_up(each.path, each.reason) for each in visit.failed),
        *(finding for _, in_file in visit.results.values() for finding in in_file),
    ]
    sources = {path: source for path, (source, _) in visit.results.items()}

    def place(finding: Finding) -> str:
        line, _ = sources[finding.path].position(finding.span.start)
        return f"{finding.path}:{line}"

    settled = evidence.settle(findings, options.survey)
    told = evidence.after_references(settled, options, place)
    findings = sorted((each for each in told if options.wants(each.code)), key=in_order)
    return ScanResult(root, tuple(findings), sources, visit.files_read, visit.left_out)


def _survey(
    paths: Sequence[Path], options: ScanOptions, root: Path, given_up: walk.GivenUp
) -> survey.Survey:
    # What fails here is told when it is to be judged.
    visit = walk.visit(paths, root, survey.of_file, options, given_up)
    return survey.merged(visit.results.values())


def _judged(
    root: Path, options: ScanOptions, source: SourceFile
) -> tuple[SourceFile, list[Finding]] | None:
    """Return a file with its findings, if it has any; this runs in a worker."""
    found = scan_source(source, options)
    if source.name == config_dirs.MARK:
        found += nym052.find(source, root)
    return (source, found) if found else None


def scan_source(source: SourceFile, options: ScanOptions) -> list[Finding]:
    """Return the findings of one file."""
    entries = [entry for entry in FINDERS if entry.wants(source)]
    is_named = any(name in source.data for name in survey.BY_NAME[:6])
    if not entries and not is_named and suppressions.MARK not in source.data:
        return []
    unique: dict[tuple[str, Span, str], Finding] = {}
    for entry in entries:
        for finding in _ask(entry, source, options):
            # An anchor in YAML shows the same bytes twice.
            unique.setdefault((finding.code, finding.span, finding.message), finding)
    if is_named:
        for finding in _leftovers(source, list(unique.values())):
            unique[finding.code, finding.span, finding.message] = finding
    return sorted(suppressions.apply(source, unique.values()), key=in_order)


def _leftovers(source: SourceFile, found: list[Finding]) -> Iterator[Finding]:
    """Yield the lines about which nothing has been said, and should be."""
    if any(each.code == nym090.RULE.code for each in found):
        return
    spans = [each.span for each in found]
    format_name = formats.format_of(source.path, source.data)
    if any(each.code.startswith(("NYM01", "NYM02")) for each in found):
        # Other lines of a program that uses the API are part of what has been told.
        return
    if format_name is not None:
        with contextlib.suppress(Unparsable, *_PARSER_FAILURES):
            spans += [command.span for command in formats.find_commands(source)]
    # A parser's own failure on a strange file has been told by the finder of commands.
    explained = any(each.code in {"NYM004", "NYM005", "NYM031"} for each in found)
    yield from nym093.in_file(source, format_name, spans, explained=explained)


def _ask(entry: FinderEntry, source: SourceFile, options: ScanOptions) -> Iterator[Finding]:
    try:
        yield from entry.load()(source, options)
    except Unparsable as error:
        yield nym090.at(source, error.offset, str(error))
    except _PARSER_FAILURES as error:
        # A parser's own failure on a strange file must not end the scan of all others.
        _logger.debug("%s fails on %s", entry.module, source.path, exc_info=True)
        yield nym090.at(source, 0, f"it cannot be judged ({type(error).__name__})")


def in_order(finding: Finding) -> tuple[str, Span, str, str]:
    """Return what findings are sorted by."""
    return finding.path, finding.span, finding.code, finding.message
