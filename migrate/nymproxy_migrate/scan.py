"""The scan: walk the trees, read each file once, ask the finders, sort what they found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nymproxy_migrate.model import Finding, SourceFile
    from nymproxy_migrate.options import ScanOptions


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
    raise NotImplementedError
