"""`sidecar`: the files that run a proxy beside each program that makes one itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nymproxy._printable import printable
from nymproxy_migrate import sidecar as proposals
from nymproxy_migrate import walk
from nymproxy_migrate.cli.installed import program_of
from nymproxy_migrate.finders import go, rust
from nymproxy_migrate.options import ScanOptions
from nymproxy_migrate.scan import from_here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nymproxy_migrate.model import SourceFile


def sidecar(paths: Sequence[Path], form: proposals.Form, program: str | None) -> int:
    """Print the files to add; nothing is written.

    Args:
        paths: files and folders with programs.
        form: units or services.
        program: where units find nymproxy; None for where it is on this machine.

    Raises:
        Refused: a path does not exist, or is a pipe or a device, or the program has no full path.
    """
    program = program_of(paths, program) or proposals.USUAL_PROGRAM
    walk.refuse_what_is_no_path(paths)
    root = walk.common_root(paths)
    visit = walk.visit(paths, root, _of, ScanOptions())
    for problem in (*visit.unreadable, *visit.failed):
        where = printable(from_here(root, problem.path))
        sys.stderr.write(f"{where}: not searched: {problem.reason}\n")
    found = [each for in_file in visit.results.values() for each in in_file]
    if not found:
        sys.stderr.write("no program here makes a proxy\n")
        return 0
    sys.stdout.write(printable(proposals.render(found, form, program), keep="\n"))
    return 0


def _of(source: SourceFile) -> list[proposals.Sidecar] | None:
    """Return what one file makes; this runs in a worker."""
    if source.name.endswith(".go") and b"go-nym/bindings" in source.data:
        return list(go.sidecars(source))
    if source.name.endswith(".rs") and b"nym_sdk" in source.data:
        return list(rust.sidecars(source))
    return None
