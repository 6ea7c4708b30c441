"""From findings to the new bytes of files: edits are spliced in, everything else stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nymproxy_migrate.model import Action, Edit
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nymproxy_migrate.model import Finding
    from nymproxy_migrate.scan import ScanResult


@dataclass(frozen=True, slots=True)
class FileChange:
    """What becomes of one file.

    Attributes:
        path: relative to the root of the tree, with ``/``.
        before: the bytes that were judged.
        edits: sorted, without overlap.
        after: the bytes with all edits.
    """

    path: str
    before: bytes
    edits: tuple[Edit, ...]
    after: bytes


def change(path: str, before: bytes, edits: Iterable[Edit]) -> FileChange:
    """Return the change that some edits make.

    Raises:
        Refused: two edits overlap, or one is outside of the file.
    """
    # An anchor in YAML yields the same edit twice.
    ordered = tuple(sorted(set(edits)))
    parts, position = [], 0
    for edit in ordered:
        if edit.span.start < position or edit.span.end > len(before):
            raise Refused(f"{path}: two edits overlap, or one is outside of the file")
        parts += [before[position : edit.span.start], edit.replacement]
        position = edit.span.end
    return FileChange(path, before, ordered, b"".join([*parts, before[position:]]))


def changes_of(result: ScanResult) -> list[FileChange]:
    """Return the changes of all findings that can be rewritten, sorted by path."""
    by_path: dict[str, list[Edit]] = {}
    for finding in result.findings:
        is_wanted = finding.action is Action.REWRITE and finding.path not in result.blocked
        if is_wanted and finding.edits:
            by_path.setdefault(finding.path, []).extend(finding.edits)
    changes = [change(path, result.sources[path].data, by_path[path]) for path in sorted(by_path)]
    return [each for each in changes if each.before != each.after]


def left_for_a_human(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that stay open when every rewrite is applied."""
    return [
        finding
        for finding in findings
        if finding.action is not Action.INFO and (finding.needs_human or not finding.edits)
    ]
