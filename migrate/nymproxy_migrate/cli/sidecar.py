"""`sidecar`: the files that run a proxy beside each program that makes one itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nymproxy_migrate import sidecar as proposals
from nymproxy_migrate import walk
from nymproxy_migrate.finders import go, rust
from nymproxy_migrate.model import SourceFile
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def sidecar(paths: Sequence[Path], form: proposals.Form) -> int:
    """Print the files to add; nothing is written.

    Raises:
        Refused: a path does not exist.
    """
    for path in paths:
        if not path.exists():
            raise Refused(f"{path}: there is no such file or folder")
    found = [each for source in _sources(paths) for each in _of(source)]
    if not found:
        sys.stderr.write("no program here makes a proxy\n")
        return 0
    sys.stdout.write(proposals.render(found, form))
    return 0


def _sources(paths: Sequence[Path]) -> Iterator[SourceFile]:
    for each in walk.walk(paths, walk.common_root(paths), ScanOptions().size_limit):
        if isinstance(each, SourceFile):
            yield each


def _of(source: SourceFile) -> Iterator[proposals.Sidecar]:
    if source.name.endswith(".go") and b"go-nym/bindings" in source.data:
        yield from go.sidecars(source)
    elif source.name.endswith(".rs") and b"nym_sdk" in source.data:
        yield from rust.sidecars(source)
